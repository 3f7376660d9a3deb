"""Propagation that adapts equals loops over objects and cells, and does for each object what it is for."""

from collections import Counter
from dataclasses import fields, replace
from math import floor, inf, log, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatprop import VideoDetector
from heatprop.errors import InvalidArrayError, InvalidConfigError
from heatprop.propagation import AdaptationConfig, HeatmapPropagator, Memory, PropagationConfig, decode
from heatprop.propagation.adaptive import FollowedTracklets
from heatprop.types import HeadOutput
from reference.adaptation import LoopingFollower
from same_detections import assert_same_detections, without_ids

ADAPTIVE = PropagationConfig.adaptive()
OFF = {
    "velocity": 0.0,
    "least_radius": 100,
    "second_chance": 0.0,
    "nearness": 0.0,
    "min_iou": 0.0,
    "support": 0.0,
    "decay": 1.0,
    "max_length": inf,
    "rising_weight": 1.0,
    "boost": 0.0,
    "best_decay": 0.0,
    "leaving": 1.0,
    "leaving_speed": inf,
    "trust": 0.0,
    "holds_peaks": False,
}


def adapting(**parts):
    return replace(ADAPTIVE, adaptation=AdaptationConfig(**parts))


def scene(*objects, grid=(24, 24), size=3.0):
    """Return a head output with single cells: (row, column, score) or (row, column, score, size)."""
    heatmap, sizes = np.zeros((1, *grid), np.float32), np.full((2, *grid), size, np.float32)
    for row, column, score, *own in objects:
        heatmap[0, row, column] = score
        if own:
            sizes[:, row, column] = own[0]
    return HeadOutput(heatmap, sizes)


def after(config, frames):
    """Return the propagator after some frames, and what it found in the last one."""
    propagator = HeatmapPropagator(config)
    found = [propagator.update(frame) for frame in frames]
    return propagator, found[-1]


def over(config, frames):
    propagator = HeatmapPropagator(config)
    return [propagator.update(frame) for frame in frames]


def scores_over(config, values):
    """Return the score of one still object in each frame, 0 where it is not found."""
    found = over(config, [scene((12, 12, value)) for value in values])
    assert all(len(each) <= 1 for each in found)
    return [float(each.scores[0]) if len(each) else 0.0 for each in found]


def centre(found, row=0):
    x1, y1, x2, y2 = found.boxes[row].tolist()
    return (y1 + y2) / 2, (x1 + x2) / 2


# the same as loops over objects and cells


def wandering(random, frames, shape):
    """Heatmaps of a few objects that move at their own speeds, are hidden now and then, and leave."""
    classes, height, width = shape
    count = random.integers(1, 5)
    labels, places = random.integers(0, classes, count), random.uniform(0, [height, width], (count, 2))
    speeds = random.choice([0, 0, 0.5, 1, 2, -1, -2.5], (count, 2))
    rows, columns = np.mgrid[:height, :width]
    for frame in range(frames):
        heatmap = np.zeros(shape)
        for label, place, speed in zip(labels, places, speeds, strict=True):
            y, x = np.floor(place + frame * speed)
            near = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 2)
            score = random.choice([0, 0.02, 0.1, 0.4, 0.8, 1])
            heatmap[label] = np.maximum(heatmap[label], score * near)
        yield heatmap


@st.composite
def videos(draw):
    """A few frames made to be awkward: few distinct values (ties, plateaus), empty frames, busy ones, borders.

    Sizes are random, or of few values, so that boxes overlap by round numbers, are the same, or are empty.
    """
    shape = draw(st.sampled_from([(1, 6, 8), (1, 1, 1), (2, 5, 7), (2, 9, 9), (20, 2, 3), (1, 11, 12)]))
    components = draw(st.sampled_from([2, 4]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["ties", "smooth", "sparse", "extreme", "same", "wandering", "wandering"]))
    few_sizes, with_offset = draw(st.booleans()), draw(st.booleans())
    count = draw(st.integers(1, 6))
    wander, frames = wandering(random, count, shape), []
    for _ in range(count):
        heatmap = {
            "ties": lambda: random.choice([0, 0.05, 0.25, 0.5, 0.5, 1], shape),
            "smooth": lambda: random.random(shape) ** 2,
            "sparse": lambda: random.random(shape) * (random.random(shape) < 0.05),
            "extreme": lambda: random.choice([0, 1e-30, 1e-7, 0.9999999, 1], shape),
            "same": lambda: np.full(shape, 0.3),
            "wandering": lambda: next(wander),
        }[kind]()
        if draw(st.integers(0, 6)) == 0:
            heatmap = np.zeros(shape)
        sides = (components, *shape[1:])
        size = random.choice([0, 1.5, 2, 3, 4], sides) if few_sizes else random.uniform(0, 6, sides)
        offset = random.random((2, *shape[1:])).astype(np.float32) if with_offset else None
        frames.append((heatmap.astype(np.float32), size.astype(np.float32), offset))
    return frames


# Shares of steps that are never half a cell off by rounding: multiples of a quarter, or far from all halves.
adaptations = st.builds(
    AdaptationConfig,
    velocity=st.sampled_from([0, 0.25, 0.5, 0.61, 1]),
    least_radius=st.integers(0, 3),
    nearness=st.sampled_from([0, 0.01, 0.0373, 0.2131, 5]),
    min_iou=st.sampled_from([0, 0.1, 0.3, 0.7, 1]),
    second_chance=st.sampled_from([0, 0.1, 0.5, 1]),
    support=st.sampled_from([0, 0.1, 0.5, 1]) | st.floats(1e-6, 1),
    decay=st.sampled_from([0, 0.8, 1]) | st.floats(0, 1),
    max_length=st.sampled_from([0, 1, 1.5, 5, inf]),
    rising_weight=st.sampled_from([0, 0.8, 1]) | st.floats(0, 1),
    boost=st.sampled_from([0, 0.1, 1]) | st.floats(0, 1),
    best_decay=st.sampled_from([0, 0.05, 1]) | st.floats(0, 1),
    leaving=st.sampled_from([0, 0.5, 1]),
    leaving_speed=st.sampled_from([0, 0.5, 1, inf]),
    trust=st.sampled_from([0, 0.5, 1, 2, 1000]),
    holds_peaks=st.booleans(),
)


@st.composite
def configs(draw, adaptation=adaptations):
    return PropagationConfig(
        radius=draw(st.integers(0, 3)),
        alpha=draw(st.sampled_from([0.0, 0.5, 0.98, 1.0]) | st.floats(0, 1)),
        beta=draw(st.sampled_from([0.0, 0.5, 2.0, 1000.0, inf]) | st.floats(0, 1e6)),
        score_threshold=draw(st.sampled_from([0.0, 0.05, 0.3, 1.0])),
        max_detections=draw(st.sampled_from([1, 3, 100])),
        nms_iou=draw(st.sampled_from([0.0, 0.3, 1.0])),
        adaptation=draw(adaptation),
    )


def outputs(frames):
    return [HeadOutput(heatmap, size, offset) for heatmap, size, offset in frames]


def assert_equals_the_loops(frames, config, image_area=None):
    fast, overwriting, loops = HeatmapPropagator(config), HeatmapPropagator(config), LoopingFollower(config)
    for heatmap, size, offset in frames:
        before = heatmap.copy()
        found = fast.update(HeadOutput(heatmap, size, offset), image_area=image_area)
        np.testing.assert_array_equal(heatmap, before)
        assert_same_detections(
            overwriting.update(HeadOutput(heatmap.copy(), size, offset), overwrite=True, image_area=image_area),
            found,
        )
        wanted = loops.update(heatmap, size, offset, image_area)
        assert found.labels.tolist() == [each["label"] for each in wanted]
        assert found.lengths.tolist() == [each["length"] for each in wanted]
        np.testing.assert_allclose(found.scores, [each["score"] for each in wanted], rtol=0, atol=1e-6)
        boxes = np.reshape([each["box"] for each in wanted], (-1, 4))
        np.testing.assert_allclose(found.boxes, boxes, rtol=0, atol=1e-4)
        assert_hands_on_the_same(fast, wanted)


def assert_hands_on_the_same(propagator, wanted):
    followed = propagator.memory.tracklets
    assert isinstance(followed, FollowedTracklets)
    cells = [each["cell"] for each in wanted]
    places = zip(followed.labels.tolist(), *followed.centres.T[::-1].tolist(), strict=True)
    assert list(places) == cells
    velocities = np.reshape([each["velocity"][::-1] for each in wanted], (-1, 2))
    np.testing.assert_allclose(followed.velocities, velocities, rtol=0, atol=1e-5)
    np.testing.assert_allclose(followed.errors, [each["error"] for each in wanted], rtol=0, atol=1e-6)
    np.testing.assert_allclose(followed.best, [each["best"] for each in wanted], rtol=0, atol=1e-6)


areas = st.tuples(*(st.sampled_from(sides) for sides in ((0, 1, 2.25), (0, 1.5), (5, 6, 7.5), (4, 5.25))))


@given(videos(), configs(), st.none() | areas)
def test_the_update_equals_loops_over_objects_and_cells(frames, config, image_area):
    assert_equals_the_loops(frames, config, image_area)


@given(videos(), st.integers(0, 3))
def test_so_it_does_as_adaptive_has_it(frames, radius):
    assert_equals_the_loops(frames, replace(ADAPTIVE, radius=radius))


def test_an_object_expected_outside_of_a_small_map_is_looked_for_as_far_as_its_radius_says():
    """Expected in column -1, it is 3 cells off in column 2, farther than any two cells of the map are apart."""
    config = replace(adapting(min_iou=0.0), radius=3)
    found = over(config, [scene((0, column, 0.9), grid=(2, 3)) for column in (2, 0, 2)])
    assert [each.lengths.tolist() for each in found] == [[1], [2], [3]]


@settings(max_examples=8)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3]))
def test_and_with_the_largest_radius_and_many_objects(seed, min_iou):
    random = np.random.default_rng(seed)
    frames = [
        (np.float32(random.choice([0, 0.1, 0.5, 0.9], (2, 11, 13))), np.full((2, 11, 13), 1.5, np.float32), None)
        for _ in range(3)
    ]
    config = replace(adapting(min_iou=min_iou, least_radius=128), radius=128, nms_iou=1.0)
    assert_equals_the_loops(frames, config)


@pytest.mark.parametrize("part", OFF)
@settings(max_examples=40)
@given(frames=videos())
def test_and_with_each_part_switched_off(part, frames):
    assert_equals_the_loops(frames, adapting(**{part: OFF[part]}))


@given(videos(), configs())
def test_with_every_part_off_and_no_radius_it_is_the_papers_form(frames, config):
    config = replace(config, radius=0, adaptation=AdaptationConfig(**OFF))
    plain = replace(config, adaptation=None)
    for found, wanted in zip(over(config, outputs(frames)), over(plain, outputs(frames)), strict=True):
        assert_same_detections(found, wanted)


# the network alone


def alone(output, config):
    names = ("score_threshold", "max_detections", "nms_iou")
    return decode(output, **{name: getattr(config, name) for name in names})


@given(videos(), configs())
def test_a_first_frame_is_decoded_as_the_network_says(frames, config):
    propagator = HeatmapPropagator(config)
    for output in outputs(frames):
        assert_same_detections(without_ids(propagator.update(output)), alone(output, config))
        propagator.reset()


@given(videos(), configs())
def test_a_tracklet_length_that_ends_at_0_is_the_network_alone(frames, config):
    config = replace(config, adaptation=replace(config.adaptation, max_length=0))
    for output, found in zip(outputs(frames), over(config, outputs(frames)), strict=True):
        assert_same_detections(without_ids(found), alone(output, config))


# scores

APART = [(row, column) for row in (4, 14) for column in (4, 14, 24)]  # no two within one another's reach


def apart(scores):
    return scene(*((*place, score) for place, score in zip(APART, scores, strict=True)), grid=(20, 30))


@given(st.lists(st.floats(0.06, 1), min_size=6, max_size=6), st.integers(2, 9), configs())
def test_a_still_scene_of_constant_outputs_keeps_its_scores_and_counts_frames(scores, count, config):
    adaptation = replace(config.adaptation, max_length=max(config.adaptation.max_length, 1))
    config = replace(config, score_threshold=0.05, max_detections=100, adaptation=adaptation)
    wanted = np.sort(np.float32(scores))[::-1]
    for index, found in enumerate(over(config, [apart(scores)] * count)):
        np.testing.assert_array_equal(found.scores, wanted)
        assert found.lengths.tolist() == [index + 1] * 6


@given(
    st.lists(st.lists(st.sampled_from([0, 0.04]) | st.floats(0, 1), min_size=6, max_size=6), max_size=9), configs()
)
def test_nothing_is_boosted_above_the_largest_score_that_the_network_gave_the_object(rows, config):
    propagator = HeatmapPropagator(config)
    for index, scores in enumerate(rows):
        found = propagator.update(apart(scores))
        history = np.float32(rows[: index + 1])
        for row, (score, length) in enumerate(zip(found.scores, found.lengths, strict=True)):
            y, x = centre(found, row)
            near = [abs(y - v) <= 3 and abs(x - u) <= 3 for v, u in APART]
            if any(near):
                assert score <= history[-length:, near.index(True)].max()


@pytest.mark.parametrize("radius", [2, 4, 6])
def test_weaker_neighbours_of_its_class_are_followed_too(radius):
    """Each is within reach of the stronger ones."""
    row = scene(
        *((12, 8 + 4 * place, score, 5.0) for place, score in enumerate((0.9, 0.4, 0.9, 0.4))), grid=(24, 40)
    )
    found = over(replace(ADAPTIVE, radius=radius), [row] * 12)
    assert found[-1].lengths.tolist() == [12] * 4


def test_who_is_not_the_object_takes_no_cell_from_the_one_that_is():
    small = (12, 12, 0.5, 4.0)
    large = (12, 14, 0.9, 14.0)
    run = [*[scene(small)] * 8, scene(small, large), scene(small)]
    found = over(ADAPTIVE, run)[-1]
    assert 10 in found.lengths.tolist()
    assert centre(found, found.lengths.tolist().index(10)) == (12, 12)


def broad(score, sigma=1.5, grid=(24, 24)):
    """Return an object whose heat falls off slowly from its centre."""
    y, x = np.mgrid[: grid[0], : grid[1]]
    heatmap = score * np.exp(-((y - 12) ** 2 + (x - 12) ** 2) / (2 * sigma**2))
    return HeadOutput(heatmap[None].astype(np.float32), np.full((2, *grid), 6.0, np.float32))


def test_a_broad_peak_whose_score_rises_stays_one_object_in_its_place():
    found = over(ADAPTIVE, [broad(0.4)] * 6 + [broad(0.6)])[-1]
    assert found.lengths.tolist() == [7]
    assert centre(found) == (12, 12)
    assert 0.4 < found.scores[0] < 0.6
    loose = over(adapting(holds_peaks=False), [broad(0.4)] * 6 + [broad(0.6)])[-1]
    assert loose.lengths[0] == 1


def test_a_broad_peak_of_wavering_score_is_followed_throughout():
    random = np.random.default_rng(0)
    found = over(ADAPTIVE, [broad(score, 3.0) for score in random.uniform(0.4, 0.6, 60)])
    assert [int(each.lengths[0]) for each in found] == list(range(1, 61))


@given(videos(), configs())
def test_nothing_is_boosted_above_the_largest_value_of_its_class_so_far(frames, config):
    best = np.zeros(len(frames[0][0]), np.float32)
    for (heatmap, _, _), found in zip(frames, over(config, outputs(frames)), strict=True):
        best = np.maximum(best, heatmap.max(axis=(1, 2)))
        assert (found.scores <= best[found.labels]).all()


def test_the_equations_by_hand():
    scores = scores_over(ADAPTIVE, [0.9] * 6 + [0.3, 0.5, 0.0])
    gain = 0.98 * 10 / 11
    seen = 0.3 + gain * 0.6
    largest = 0.9 + 0.05 * (seen - 0.9)
    boosted = seen + 0.1 * (largest - seen)
    again = 0.5 + gain * (boosted - 0.5)
    assert scores[6:] == pytest.approx([seen, again, 0.8 * gain * again], abs=1e-6)
    assert seen == pytest.approx(0.834545, abs=1e-6)


def max_blind_frames(config, score, least):
    """Return after how many frames without anything a score of `score` is surely below `least`."""
    b = config.beta * config.adaptation.max_length
    kept = config.alpha * b / (1 + b) * config.adaptation.decay
    return floor(log(least / score) / log(kept)) + 1


def test_what_left_is_forgotten_in_9_frames_and_not_shown_after_4():
    assert max_blind_frames(ADAPTIVE, 1.0, 0.05) == 9
    assert max_blind_frames(ADAPTIVE, 1.0, 0.3) == 4
    scores = scores_over(ADAPTIVE, [1.0] * 20 + [0.0] * 9)
    assert scores[20 + 8 - 1] >= 0.05 > scores[20 + 9 - 1]
    assert scores[20 + 3 - 1] >= 0.3 > scores[20 + 4 - 1]
    papers = scores_over(PropagationConfig.paper(), [1.0] * 20 + [0.0] * 9)
    assert papers[-1] > 0.3


decay_settings = st.builds(
    lambda alpha, beta, decay, length: replace(adapting(decay=decay, max_length=length), alpha=alpha, beta=beta),
    st.sampled_from([0.5, 0.98, 1.0]),
    st.sampled_from([0.5, 2.0, 5.0]),
    st.sampled_from([0.2, 0.8, 1.0]),
    st.sampled_from([1, 2.5, 5]),
)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), decay_settings, st.sampled_from([0.05, 0.3]))
def test_what_left_is_gone_in_as_many_frames_as_the_settings_say(scores, config, least):
    blind = max_blind_frames(config, 1.0, least) + 1  # one more for what is rounded
    assert scores_over(config, [*scores, *[0.0] * blind])[-1] < least


def test_a_higher_fade_keeps_what_is_not_seen_for_longer():
    blind = [1.0] * 6 + [0.0] * 3
    last = [scores_over(adapting(decay=decay), blind)[-1] for decay in (0.5, 0.8, 1.0)]
    assert last[0] < last[1] < last[2]
    assert scores_over(adapting(support=0), blind)[-1] == last[2]


@pytest.mark.parametrize("faint", [0.0, 0.005, 0.02, 0.04, 0.049])
def test_something_too_faint_to_be_a_detection_holds_no_object_that_left(faint):
    scores = scores_over(ADAPTIVE, [0.9] * 30 + [faint] * 40)[30:]
    assert max(scores[12:]) < 0.3
    assert scores[-1] < 0.06
    assert max(scores_over(adapting(support=0), [0.9] * 30 + [faint] * 60)[-10:]) < 0.06


@pytest.mark.parametrize("left_behind", [0.06, 0.1, 0.2])
def test_a_weak_detection_in_its_place_holds_it_for_a_while_only(left_behind):
    scores = scores_over(ADAPTIVE, [0.9] * 30 + [left_behind] * 200)[30:]
    assert (np.diff(scores) <= 1e-6).all()
    assert scores[-1] == pytest.approx(left_behind, abs=0.01)


def test_a_short_tracklet_is_forgotten_sooner_and_beyond_the_largest_length_none_is_later():
    after_frames = [scores_over(ADAPTIVE, [1.0] * frames + [0.0])[-1] for frames in (1, 3, 5, 6, 30)]
    assert after_frames[0] < after_frames[1] < after_frames[2] == after_frames[3] == after_frames[4]
    endless = adapting(max_length=inf)
    assert scores_over(endless, [1.0] * 30 + [0.0])[-1] > after_frames[-1]


def test_an_object_that_is_seen_weakly_is_boosted_more_with_lift():
    weakly = [0.9] * 5 + [0.4] * 10
    scores = [scores_over(adapting(boost=boost), weakly)[-1] for boost in (0.0, 0.1, 1.0)]
    assert 0.4 < scores[0] < scores[1] < scores[2] <= np.float32(0.9)


def test_an_object_hidden_for_two_frames_comes_back_with_its_length():
    values = [0.9] * 5 + [0.01, 0.0] + [0.9] * 3
    found = over(ADAPTIVE, [scene((12, 12, value)) for value in values])
    assert [each.lengths.tolist() for each in found] == [[count + 1] for count in range(10)]
    assert min(each.scores[0] for each in found) >= 0.3


# which cell is the object's


@given(videos(), configs())
def test_each_object_lifts_at_most_one_detection(frames, config):
    last = Counter()
    for found in over(config, outputs(frames)):
        lengths = list(zip(found.labels.tolist(), found.lengths.tolist(), strict=True))
        came = Counter((label, length - 1) for label, length in lengths if length > 1)
        assert came <= last
        last = Counter(lengths)


def test_a_neighbour_within_reach_with_another_box_is_not_taken_for_the_object():
    gone = [scene((12, 12, 0.9))] * 3 + [scene((12, 14, 0.4, 12.0))]
    _, found = after(adapting(least_radius=2), gone)  # it stays, unseen, where it was
    assert found.lengths.tolist() == [4, 1]
    assert found.scores[1] == np.float32(0.4)
    assert centre(found, 0) == (12, 12)
    assert centre(found, 1) == (12, 14)
    _, found = after(adapting(least_radius=2, min_iou=0), gone)
    assert found.lengths.tolist() == [4]
    assert found.scores[0] > 0.6


def test_of_two_neighbours_within_reach_the_nearer_or_first_is_boosted_and_the_other_as_the_network_says():
    config = adapting(min_iou=0)
    for neighbours, taken in (
        ([(12, 10), (12, 14)], (12, 10)),
        ([(10, 12), (12, 10)], (10, 12)),
        ([(12, 14), (13, 11)], (13, 11)),
        ([(10, 10), (12, 14)], (12, 14)),
    ):
        weak = scene(*((*place, 0.4, 1.0) for place in neighbours))
        _, found = after(config, [scene((12, 12, 0.9, 1.0)), weak])
        assert found.lengths.tolist() == [2, 1]
        assert centre(found) == taken
        assert found.scores[1] == np.float32(0.4)


@pytest.mark.parametrize(("nearness", "taken"), [(0.0, (12, 14)), (0.01, (12, 14)), (0.2, (12, 12))])
def test_nearness_weighs_distance_against_score(nearness, taken):
    config = adapting(nearness=nearness, min_iou=0)
    _, found = after(config, [scene((12, 12, 0.9, 1.0)), scene((12, 12, 0.3, 1.0), (12, 14, 0.6, 1.0))])
    assert centre(found, found.lengths.tolist().index(2)) == taken


def test_two_objects_that_find_the_same_cell_lift_it_once_for_the_stronger():
    both = scene((12, 10, 0.9, 3.0), (12, 14, 0.6, 3.0))
    one = scene((12, 12, 0.7, 3.0))
    propagator, found = after(adapting(min_iou=0.1), [both, both, one])
    assert found.lengths[0] == 3
    assert found.scores[0] > 0.8
    assert sum(found.scores > 0.6) == 1
    assert 0.7 < propagator.memory.tracklets.best[0] < 0.9  # drawn to the score, from 0.9: the other had 0.6


def test_two_objects_that_pass_each_other_keep_their_lengths():
    def passing(frame):
        return scene((8, 4 + frame, 0.9, 3.0), (11, 19 - frame, 0.7, 3.0))

    for frame, found in enumerate(over(ADAPTIVE, [passing(frame) for frame in range(16)])):
        assert found.lengths.tolist() == [frame + 1] * 2
        np.testing.assert_array_equal(found.scores, np.float32([0.9, 0.7]))
        assert [centre(found, row) for row in (0, 1)] == [(8, 4 + frame), (11, 19 - frame)]


@pytest.mark.parametrize(("trust", "wanted"), [(0, 2 + 6 / 3), (1, 2 + 6 / 5), (2, 2 + 6 * 2 / 6)])
def test_sizes_are_mixed_by_what_the_network_sees(trust, wanted):
    config = adapting(trust=trust, min_iou=0)
    _, found = after(config, [scene((12, 12, 0.8, 2.0)), scene((12, 12, 0.4, 8.0))])
    assert found.boxes[0, 2] - found.boxes[0, 0] == pytest.approx(wanted, abs=1e-5)


# motion


def test_an_object_of_steady_speed_keeps_its_tracklet_and_the_papers_form_loses_it():
    columns = np.cumsum([4, 1, 2, 3, *[4] * 16]).tolist()  # it gathers speed
    run = [scene((12, column, 0.9, 8.0), grid=(24, 90)) for column in columns]
    assert over(ADAPTIVE, run)[-1].lengths.tolist() == [20]
    papers = over(PropagationConfig.paper(), run)[-1]
    assert papers.lengths[0] == 1
    assert over(adapting(velocity=0), run)[-1].lengths[0] == 1


def test_a_fast_object_is_followed_from_its_first_frames_where_the_radii_allow_it():
    run = [scene((12, 4 + 4 * frame, 0.9, 12.0), grid=(24, 90)) for frame in range(12)]
    config = replace(ADAPTIVE, radius=4)
    assert over(config, run)[-1].lengths.tolist() == [12]


def test_a_hidden_object_goes_on_as_it_went():
    seen = [scene((12, 10 + 2 * frame, 0.9, 6.0), grid=(24, 60)) for frame in range(10)]
    _, found = after(ADAPTIVE, [*seen, *[scene(grid=(24, 60))] * 2])
    assert centre(found) == (12, 10 + 2 * 11)
    assert found.lengths.tolist() == [12]
    _, found = after(adapting(velocity=0), [*seen, *[scene(grid=(24, 60))] * 2])
    assert centre(found) == (12, 10 + 2 * 9)


def test_a_still_object_is_looked_for_nearby_only_when_its_motion_is_foreseen():
    once = adapting(second_chance=0)
    jump = scene((12, 14, 0.9, 6.0))
    _, found = after(once, [scene((12, 12, 0.9, 6.0)), jump])
    assert found.lengths[0] == 2  # new: it may move
    _, found = after(once, [*[scene((12, 12, 0.9, 6.0))] * 6, jump])
    assert found.lengths[0] == 1  # it never did
    _, found = after(adapting(least_radius=2, second_chance=0), [*[scene((12, 12, 0.9, 6.0))] * 6, jump])
    assert found.lengths[0] == 7


@pytest.mark.parametrize(
    ("size", "speed"),
    [
        *((3.0, speed) for speed in ((0, 2), (0, -2), (2, 0), (-2, 0))),
        *((4.0, speed) for speed in ((0, 2), (-2, 0), (1, 2))),
        *((6.0, speed) for speed in ((0, 2), (1, -2), (2, 2))),
        (20.0, (-2, -2)),
    ],
)
def test_a_strong_object_that_starts_to_move_does_not_start_anew(size, speed):
    rest = [scene((30, 30, 0.9, size), grid=(60, 60))] * 10
    down, right = speed
    moving = [scene((30 + down * step, 30 + right * step, 0.8, size), grid=(60, 60)) for step in range(1, 10)]
    found = over(ADAPTIVE, [*rest, *moving])
    assert [each.track_ids.tolist() for each in found] == [[0]] * 19
    assert found[-1].lengths.tolist() == [19]


def test_what_is_seen_less_than_half_as_well_is_not_taken_for_a_lost_object():
    rest = [scene((12, 12, 0.9, 6.0))] * 6
    for score, column in ((0.46, 14), (0.43, 12)):
        _, found = after(ADAPTIVE, [*rest, scene((12, 14, score, 6.0))])
        assert found.track_ids.tolist() == [0]
        assert centre(found) == (12, column)


def test_a_lost_object_does_not_take_its_neighbours_peak_nor_the_flank_of_it():
    both = scene((12, 12, 0.9, 6.0), (12, 16, 0.8, 6.0))
    broad = scene((12, 15, 0.5, 6.0), (12, 16, 0.8, 6.0), (12, 17, 0.5, 6.0))
    _, found = after(ADAPTIVE, [*[both] * 6, broad])
    places = {track: centre(found, row) for row, track in enumerate(found.track_ids.tolist())}
    assert places == {0: (12, 12), 1: (12, 16)}


def test_a_lost_object_takes_neither_plateau_nor_flank_of_another():
    def wide(*objects):
        return scene(*objects, size=5.0)

    both = [wide((12, 10, 0.9), (12, 13, 0.85))] * 6
    hidden = [wide((12, 10, 0.88), (12, 11, 0.88))] * 3
    found = over(ADAPTIVE, [*both, *hidden])[-1]
    assert sorted(found.lengths.tolist()) == [9, 9]
    both = [wide((12, 10, 0.8), (12, 13, 0.95))] * 6
    found = over(ADAPTIVE, [*both, wide((12, 10, 0.795), (12, 11, 0.80))])[-1]
    assert 0 not in found.track_ids.tolist()  # the better of the two is hidden, and has not jumped to the other


def leaving_run(down, backwards):
    """An object that goes over one of the four borders: it loses score in the last three frames."""
    for place, score in zip((*range(8, 23, 2), 23), [*[0.9] * 6, 0.7, 0.3, 0.1], strict=True):
        along = 23 - place if backwards else place
        row, column = (along, 12) if down else (12, along)
        yield scene((row, column, score, 6.0))


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_an_object_that_leaves_over_a_border_loses_its_score_faster(down, backwards):
    soon = over(ADAPTIVE, leaving_run(down, backwards))
    late = over(adapting(leaving=1), leaving_run(down, backwards))
    assert [each.lengths.tolist() for each in soon] == [[count + 1] for count in range(9)]
    for one, other in zip(soon[:6], late[:6], strict=True):
        assert_same_detections(one, other)
    for one, other in zip(soon[-2:], late[-2:], strict=True):
        assert one.scores[0] < other.scores[0]
    slower = over(adapting(leaving_speed=3), leaving_run(down, backwards))
    assert slower[-1].scores[0] == late[-1].scores[0]


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_in_a_padded_input_it_leaves_over_the_border_of_the_image(down, backwards):
    padding = 8
    run = list(leaving_run(down, backwards))
    padded = []
    for output in run:
        heatmap, size = (
            np.pad(each, ((0, 0), (padding,) * 2, (padding,) * 2)) for each in (output.heatmap, output.size)
        )
        padded.append(HeadOutput(heatmap, size))
    propagators = [HeatmapPropagator(ADAPTIVE) for _ in range(3)]
    area = (padding, padding, padding + 24, padding + 24)
    for output, wide in zip(run, padded, strict=True):
        plain = propagators[0].update(output)
        told = propagators[1].update(wide, image_area=area)
        untold = propagators[2].update(wide)
        np.testing.assert_array_equal(told.scores, plain.scores)
        np.testing.assert_allclose(told.boxes, plain.boxes + padding, rtol=1e-6)
    assert untold.scores[0] > told.scores[0]


def test_in_the_middle_of_the_image_leaving_makes_no_difference():
    run = [scene((30, 10 + 2 * i, 0.9 - 0.08 * i, 6.0), grid=(60, 60)) for i in range(10)]
    for one, other in zip(over(ADAPTIVE, run), over(adapting(leaving=0), run), strict=True):
        assert_same_detections(one, other)


def test_moved_objects_are_found_where_they_went_and_what_leaves_the_grid_is_forgotten():
    start = scene((6, 6, 0.9), (18, 20, 0.7))
    propagator, _ = after(ADAPTIVE, [start] * 3)
    propagator.move(np.float32([[7, 5], [4, 0]]), np.float32([2.0, 1.0]))
    followed = propagator.memory.tracklets
    assert isinstance(followed, FollowedTracklets)
    assert followed.centres.tolist() == [[13, 11]]
    found = propagator.update(scene((11, 13, 0.2, 6.0)))
    assert found.lengths.tolist() == [4]
    assert found.scores[0] > 0.7
    assert centre(found) == (11, 13)


def test_a_moved_object_is_expected_where_it_was_moved_to():
    run = [scene((12, 4 + 2 * frame, 0.9, 6.0), grid=(24, 60)) for frame in range(8)]
    propagator, _ = after(ADAPTIVE, run)
    propagator.move(np.float32([[10, 0]]))
    assert propagator.memory.tracklets.velocities.tolist() == [[0, 0]]
    found = propagator.update(scene(grid=(24, 60)))
    assert centre(found) == (12, 28)


# memory


def test_the_memory_of_another_form_is_refused():
    adaptive, papers = (HeatmapPropagator(config) for config in (ADAPTIVE, PropagationConfig.paper()))
    for one, other in ((adaptive, papers), (papers, adaptive)):
        one.update(scene((12, 12, 0.9)))
        with pytest.raises(InvalidArrayError, match="another form of propagation"):
            other.memory = one.memory
        other.memory = Memory()
        assert other.memory == Memory()


@given(videos(), configs(), st.integers(0, 5))
def test_a_propagator_with_the_memory_of_another_goes_on_as_that_one(frames, config, at):
    first, second = HeatmapPropagator(config), HeatmapPropagator(config)
    for output in outputs(frames[:at]):
        first.update(output)
    if at:
        second.memory = first.memory
    for output in outputs(frames[at:]):
        assert_same_detections(second.update(output), first.update(output))


def state(propagator):
    tracklets, form, next_id = propagator.memory
    return form, next_id, {item.name: getattr(tracklets, item.name).tolist() for item in fields(tracklets)}


@pytest.mark.parametrize("place", [(12, 12), (12, 13), (10, 10), (0, 0), (23, 23)])
@pytest.mark.parametrize("value", [nan, inf, -inf, -0.5, 1.5])
def test_a_heatmap_that_holds_no_probabilities_is_refused_and_the_state_stays(place, value):
    propagator, _ = after(ADAPTIVE, [scene((12, 12, 0.9), (5, 20, 0.6))] * 3)
    before = state(propagator)
    broken = scene((12, 12, 0.8), (*place, value))
    with pytest.raises(InvalidArrayError, match=rf"\(0, {place[0]}, {place[1]}\)"):
        propagator.update(broken)
    assert state(propagator) == before
    assert propagator.update(scene((12, 12, 0.9))).lengths.tolist() == [4, 4]


@pytest.mark.parametrize("seen", [0.0, 0.01, 0.9])
@pytest.mark.parametrize("value", [nan, inf])
def test_a_size_that_is_not_finite_where_an_object_is_found_is_refused_and_the_state_stays(seen, value):
    propagator, _ = after(ADAPTIVE, [scene((12, 12, 0.9), (5, 20, 0.6))] * 3)
    before = state(propagator)
    with pytest.raises(InvalidArrayError, match=r"size is not finite at \(row, column\) \(12, 12\)"):
        propagator.update(scene((12, 12, seen, value)))
    assert state(propagator) == before
    unused = scene((12, 12, 0.9), (12, 13, 0.0, value), (0, 0, 0.01, value))
    assert propagator.update(unused).lengths.tolist() == [4, 4]


def test_a_frame_of_another_shape_is_refused_until_reset():
    propagator, _ = after(ADAPTIVE, [scene((12, 12, 0.9))] * 3)
    with pytest.raises(InvalidArrayError, match=r"changed from .* call reset\(\)"):
        propagator.update(scene((12, 12, 0.9), grid=(24, 30)))
    assert propagator.update(scene((12, 12, 0.9))).lengths.tolist() == [4]
    propagator.reset()
    assert propagator.update(scene((12, 12, 0.9), grid=(24, 30))).lengths.tolist() == [1]


# settings

SHARES = (
    "velocity",
    "min_iou",
    "second_chance",
    "support",
    "decay",
    "rising_weight",
    "boost",
    "best_decay",
    "leaving",
)
AMOUNTS = ("nearness", "max_length", "leaving_speed", "trust")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in SHARES for value in (-0.1, 1.1, inf, nan, True, "0.5", None)),
        *((name, value) for name in AMOUNTS for value in (-0.1, -inf, nan, True, "1", None)),
        *((name, value) for name in ("nearness", "trust") for value in (1000.1, inf)),
        *(("least_radius", value) for value in (-1, 0.5, nan, inf, True, "1", None)),
    ],
)
def test_a_setting_out_of_range_is_named_with_its_value_and_range(name, value):
    with pytest.raises(InvalidConfigError, match=f"^{name} is .* it must be"):
        AdaptationConfig(**{name: value})


def test_what_adapts_carries_balanced_scores_only():
    with pytest.raises(InvalidConfigError, match="adaptation goes with carries 'balanced' only"):
        replace(ADAPTIVE, carries="network")


@pytest.mark.parametrize("value", [True, "on", {"velocity": 0}, 0.5])
def test_something_else_than_settings_is_refused_at_once(value):
    with pytest.raises(InvalidConfigError, match=r"^adaptation is .* it must be an AdaptationConfig"):
        PropagationConfig(adaptation=value)
    with pytest.raises(InvalidConfigError, match=r"^propagation is .* give a PropagationConfig"):
        HeatmapPropagator(value)
    with pytest.raises(InvalidConfigError, match=r"^propagation is .* give a PropagationConfig"):
        VideoDetector(propagation=value)


def test_the_papers_forms_do_not_adapt():
    assert PropagationConfig.paper() == PropagationConfig()
    assert PropagationConfig.paper().adaptation is None
    assert PropagationConfig.interpolation().adaptation is None
    assert PropagationConfig.paper().peak_window == 5
    propagator, _ = after(PropagationConfig.paper(), [scene((12, 12, 0.9))])
    assert not isinstance(propagator.memory.tracklets, FollowedTracklets)


def test_adaptive_is_the_papers_setting_with_peaks_of_3_cells_and_adaptation():
    assert replace(ADAPTIVE, adaptation=None) == PropagationConfig.paper()
    assert ADAPTIVE.adaptation == AdaptationConfig()
    assert [replace(ADAPTIVE, radius=radius).peak_window for radius in range(4)] == [3] * 4
