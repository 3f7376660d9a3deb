"""Boxes of any detector are evidence as heatmaps are: objects are held, followed and told apart."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatprop import DetectionPropagator, Detections, PropagationConfig
from heatprop.errors import InvalidArrayError
from heatprop.propagation import AdaptationConfig, BoxEvidence
from reference.box_following import LoopingBoxFollower
from same_detections import assert_same_detections

PAPER, ADAPTIVE = PropagationConfig.paper(), PropagationConfig.adaptive()
FORMS = pytest.mark.parametrize("config", [PAPER, ADAPTIVE], ids=["paper", "adaptive"])
SIZE = (192, 256)  # a cell is 2 pixels


def seen(*objects):
    """Return detections: (x1, y1, x2, y2, score) of class 0, or with a class at the end."""
    rows = [(*each, 0)[:6] for each in objects]
    return Detections([row[:4] for row in rows], [row[4] for row in rows], [row[5] for row in rows])


def over(config, frames, size=SIZE):
    propagator = DetectionPropagator(config)
    return [propagator.update(frame, size) for frame in frames]


STILL = (40, 40, 80, 100, 0.9)

# what boxes become


@FORMS
def test_without_a_past_boxes_are_what_the_detector_says_best_first(config):
    given_boxes = seen((3.3, 4.7, 20.1, 30.9, 0.4), (100, 100, 150, 140, 0.8, 7), (5, 100, 9, 120, 0.04))
    (found,) = over(config, [given_boxes])
    assert_same_detections(
        found, Detections(given_boxes.boxes[[1, 0]], given_boxes.scores[[1, 0]], [7, 0], [1, 1], [0, 1])
    )


@FORMS
def test_a_still_object_keeps_its_id_and_its_score_and_grows_longer(config):
    for step, found in enumerate(over(config, [seen(STILL)] * 5)):
        np.testing.assert_array_equal(found.boxes, [STILL[:4]])
        assert (found.scores.tolist(), found.lengths.tolist()) == ([np.float32(0.9)], [step + 1])
        assert found.track_ids.tolist() == [0]


@FORMS
def test_an_object_that_the_detector_misses_is_held_and_comes_back_as_itself(config):
    *_, missed, back = over(config, [seen(STILL)] * 4 + [Detections.empty(), seen(STILL)])
    assert (missed.track_ids.tolist(), missed.lengths.tolist()) == ([0], [5])
    np.testing.assert_allclose(missed.boxes, [STILL[:4]])
    assert 0.3 < missed.scores[0] < 0.9
    assert (back.track_ids.tolist(), back.lengths.tolist()) == ([0], [6])


def test_an_object_that_is_gone_is_forgotten_after_a_while():
    found = over(ADAPTIVE, [seen(STILL)] * 10 + [Detections.empty()] * 12)
    scores = [float(each.scores[0]) if len(each) else 0.0 for each in found[9:]]
    assert scores == sorted(scores, reverse=True)
    assert len(found[-1]) == 0


@FORMS
@pytest.mark.parametrize("score", [0.04, 0.01, 0.001])
def test_scores_below_the_threshold_are_evidence_and_no_detections(config, score):
    faint = (*STILL[:4], score)
    assert len(over(config, [seen(faint)])[0]) == 0
    *_, held = over(config, [seen(STILL)] * 3 + [seen(faint)])
    *_, missed = over(config, [seen(STILL)] * 3 + [Detections.empty()])
    assert held.scores[0] > missed.scores[0]
    assert len(held) == len(missed) == 1


def test_a_moving_object_that_is_missed_goes_on_as_it_went():
    def at(left):
        return seen((left, 40, left + 40, 100, 0.9))

    *_, missed = over(ADAPTIVE, [at(20 + 8 * step) for step in range(8)] + [Detections.empty()])
    np.testing.assert_allclose(missed.boxes, [[84, 40, 124, 100]], atol=0.2)
    assert missed.track_ids.tolist() == [0]


def test_of_two_boxes_the_one_that_overlaps_more_or_is_far_better_is_the_object():
    *_, found = over(ADAPTIVE, [seen(STILL)] * 3 + [seen((52, 40, 92, 100, 0.85), (*STILL[:4], 0.8))])
    assert found.boxes[found.track_ids == 0, 0] == pytest.approx(40)
    *_, found = over(ADAPTIVE, [seen(STILL)] * 3 + [seen((52, 40, 92, 100, 0.9), (*STILL[:4], 0.06))])
    assert found.boxes[found.track_ids == 0, 0] > 48


def test_of_equal_boxes_the_object_that_was_there_stays():
    frames = [seen(STILL)] * 3
    for last in (seen((52, 40, 92, 100, 0.9), STILL), seen(STILL, (52, 40, 92, 100, 0.9))):
        *_, found = over(ADAPTIVE, [*frames, last])
        assert (found.track_ids.tolist(), found.lengths.tolist()) == ([0], [4])


@pytest.mark.parametrize(("second_chance", "lengths"), [(0.5, [7]), (0.0, [1])])
def test_who_moves_suddenly_has_a_second_chance_by_half_the_overlap(second_chance, lengths):
    strict = replace(ADAPTIVE, adaptation=AdaptationConfig(min_iou=0.5, second_chance=second_chance))
    *_, found = over(strict, [seen(STILL)] * 6 + [seen((57, 40, 97, 100, 0.9))])
    assert (found.track_ids[:1].tolist(), found.lengths[:1].tolist()) == ([0], lengths)


@FORMS
def test_no_box_of_another_class_is_claimed(config):
    *_, found = over(config, [seen(STILL)] * 3 + [seen((*STILL, 5))])
    assert sorted(zip(found.labels.tolist(), found.track_ids.tolist(), found.lengths.tolist(), strict=True)) == [
        (0, 0, 4),
        (5, 1, 1),
    ]


@FORMS
def test_boxes_that_do_not_overlap_are_new_objects(config):
    *_, found = over(config, [seen(STILL)] * 3 + [seen(STILL, (120, 40, 160, 100, 0.5))])
    assert (found.track_ids.tolist(), found.lengths.tolist()) == ([0, 1], [4, 1])


def test_what_leaves_the_image_is_not_held_outside():
    def at(left):
        return seen((left, 40, left + 40, 100, 0.9))

    *_, found = over(ADAPTIVE, [at(156 + 16 * step) for step in range(6)] + [Detections.empty()] * 2)
    assert len(found) == 0


@FORMS
def test_boxes_end_at_the_border_of_the_image(config):
    (found,) = over(config, [seen((-10, -20, 300, 250, 0.9))])
    assert found.boxes.tolist() == [[0, 0, 256, 192]]


@FORMS
def test_suppression_is_as_the_settings_say(config):
    crowd = seen(STILL, (44, 40, 84, 100, 0.8))
    assert len(over(config, [crowd])[0]) == 1
    assert len(over(replace(config, nms_iou=0.9), [crowd] * 9)[-1]) == 2


def test_adaptive_without_length_is_the_detector_alone():
    alone = replace(ADAPTIVE, adaptation=AdaptationConfig(max_length=0))
    *_, found = over(alone, [seen(STILL), seen((*STILL[:4], 0.3))])
    assert (found.scores.tolist(), found.lengths.tolist()) == ([np.float32(0.3)], [1])
    assert len(over(alone, [seen(STILL), Detections.empty()])[-1]) == 0


# state


def test_another_video_begins_anew_and_after_a_cut_no_id_comes_back():
    propagator = DetectionPropagator(ADAPTIVE)
    assert propagator.config == ADAPTIVE
    assert DetectionPropagator().config == PAPER
    propagator.update(seen(STILL), SIZE)
    propagator.forget()
    assert propagator.update(seen(STILL), SIZE).track_ids.tolist() == [1]
    propagator.reset()
    found = propagator.update(seen(STILL), (480, 640))
    assert (found.track_ids.tolist(), found.lengths.tolist()) == ([0], [1])


def broken(name, value):
    """Return detections into which something was written that the constructor refuses."""
    detections = seen(STILL, STILL)
    getattr(detections, name)[1] = value
    return detections


WRONG = [
    (seen((*STILL[:4], 1.5)), SIZE, r"scores\[0\] is 1\.5"),
    (seen(STILL, (*STILL[:4], -0.1)), SIZE, r"scores\[1\] is -0\.1"),
    (broken("scores", np.nan), SIZE, r"scores\[1\] is nan"),
    (broken("boxes", np.nan), SIZE, r"boxes\[1\] is \[nan"),
    (broken("boxes", np.inf), SIZE, r"boxes\[1\] is \[inf"),
    (seen((80, 40, 40, 100, 0.5)), SIZE, r"boxes\[0\] is .*crossed"),
    (seen((40, 100, 80, 40, 0.5)), SIZE, r"boxes\[0\] is .*crossed"),
    (seen((-1e30, 0, 1e30, 40, 0.5)), SIZE, r"boxes\[0\] is .*beyond"),
    (seen(STILL), (200, 256), r"image_size changed from \(192, 256\) to \(200, 256\); call reset\(\)"),
    (seen(STILL), (0, 256), r"image_size is \(0, 256\)"),
    (seen(STILL), (192.0, 256), r"image_size is \(192\.0, 256\)"),
    (seen(STILL), (192, 256, 3), r"image_size is \(192, 256, 3\)"),
    (seen(STILL), None, "image_size is None"),
    ([[40, 40, 80, 100]], SIZE, "detections are list"),
    (None, SIZE, "detections are NoneType"),
]


@pytest.mark.parametrize(("detections", "size", "message"), WRONG)
def test_what_cannot_be_is_refused_in_one_line_and_changes_nothing(detections, size, message):
    frames = [seen(STILL), seen(STILL), Detections.empty(), seen((*STILL[:4], 0.2))]
    propagator, wanted = DetectionPropagator(ADAPTIVE), over(ADAPTIVE, frames)
    for step, frame in enumerate(frames):
        assert_same_detections(propagator.update(frame, SIZE), wanted[step])
        with pytest.raises(InvalidArrayError, match=message) as caught:
            propagator.update(detections, size)
        assert "\n" not in str(caught.value)


def test_a_first_frame_that_is_refused_decides_nothing():
    propagator = DetectionPropagator(ADAPTIVE)
    with pytest.raises(InvalidArrayError, match="crossed"):
        propagator.update(seen((80, 40, 40, 100, 0.5)), (480, 640))
    assert len(propagator.update(seen(STILL), SIZE)) == 1


def test_image_size_may_be_of_numpy():
    assert len(DetectionPropagator().update(seen(STILL), np.array(SIZE))) == 1
    assert BoxEvidence(seen(STILL), SIZE).form.classes == 0


# counter-examples are sought

COORDINATE = st.integers(0, 24).map(lambda side: 4.0 * side + 48)
SCORE = st.one_of(st.sampled_from([0.0, 0.04, 0.05, 0.3, 0.5, 0.9, 1.0]), st.floats(0, 1, width=32))


@st.composite
def boxes_of_a_frame(draw, score=SCORE, most=6):
    count = draw(st.integers(0, most))
    corners = np.array([[draw(COORDINATE) for _ in range(4)] for _ in range(count)]).reshape(-1, 4)
    low, high = np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:])
    scores = [draw(score) for _ in range(count)]
    return Detections(np.concatenate([low, high], axis=1), scores, [draw(st.integers(0, 1)) for _ in range(count)])


CONFIGS = st.one_of(
    st.sampled_from([PAPER, ADAPTIVE, replace(PAPER, nms_iou=1.0), replace(ADAPTIVE, nms_iou=0.7)]),
    st.builds(lambda threshold: replace(ADAPTIVE, score_threshold=threshold), st.sampled_from([0.0, 0.2])),
    st.sampled_from([replace(ADAPTIVE, adaptation=AdaptationConfig(nearness=0, min_iou=0, trust=0))]),
    st.sampled_from([replace(ADAPTIVE, adaptation=AdaptationConfig(leaving_speed=0.2, leaving=0.1, velocity=1))]),
    st.builds(lambda most: replace(PAPER, max_detections=most), st.integers(1, 3)),
)


@given(st.lists(boxes_of_a_frame(), max_size=6), CONFIGS)
@settings(max_examples=300)
def test_they_are_what_loops_over_objects_and_boxes_find(frames, config):
    propagator, loops = DetectionPropagator(config), LoopingBoxFollower(config)
    for frame in frames:
        found = propagator.update(frame, SIZE)
        wanted = loops.update(frame.boxes, frame.scores, frame.labels.tolist(), SIZE)
        assert found.labels.tolist() == [each["label"] for each in wanted]
        assert found.lengths.tolist() == [each["length"] for each in wanted]
        np.testing.assert_allclose(found.scores, [each["score"] for each in wanted], rtol=1e-6, atol=1e-7)
        boxes = np.array([each["box"] for each in wanted]).reshape(-1, 4).clip(0, (256, 192, 256, 192))
        np.testing.assert_allclose(found.boxes, boxes, rtol=1e-6, atol=1e-4)


@given(st.lists(boxes_of_a_frame(), max_size=6), CONFIGS)
def test_ids_are_unique_and_results_come_by_falling_score(frames, config):
    born = set()
    for found in over(config, frames):
        assert len(set(found.track_ids.tolist())) == len(found)
        assert (np.diff(found.scores) <= 0).all()
        assert (found.scores >= np.float32(config.score_threshold)).all()
        new = set(found.track_ids.tolist()) - born
        assert sorted(new) == list(range(len(born), len(born) + len(new)))
        born |= new


@st.composite
def frames_without_ties(draw):
    """Frames in which no two scores are equal."""
    frames = draw(st.lists(boxes_of_a_frame(), min_size=1, max_size=5))
    scores = draw(st.permutations(range(sum(map(len, frames)))))
    given_out, result = iter(scores), []
    for frame in frames:
        own = [0.02 + 0.9 * next(given_out) / max(len(scores), 1) for _ in range(len(frame))]
        result.append(replace(frame, scores=np.float32(own)))
    return result


@given(frames_without_ties(), st.randoms(use_true_random=False), st.sampled_from([PAPER, ADAPTIVE]))
def test_the_order_of_boxes_changes_nothing_but_ties(frames, random, config):
    shuffled = []
    for frame in frames:
        order = list(range(len(frame)))
        random.shuffle(order)
        shuffled.append(frame.select(np.array(order, np.int64)))
    for found, wanted in zip(over(config, shuffled), over(config, frames), strict=True):
        assert_same_detections(found, wanted)


@given(
    st.lists(boxes_of_a_frame(), max_size=5),
    st.integers(-10, 10),
    st.integers(-5, 5),
    st.sampled_from([PAPER, ADAPTIVE]),
)
def test_boxes_that_are_moved_by_whole_pixels_give_results_that_are(frames, dx, dy, config):
    size, shift = (512, 512), np.float32([dx, dy, dx, dy])
    moved = [replace(frame, boxes=frame.boxes + 128 + shift) for frame in frames]
    still = [replace(frame, boxes=frame.boxes + 128) for frame in frames]
    for found, wanted in zip(over(config, moved, size), over(config, still, size), strict=True):
        np.testing.assert_allclose(found.boxes, wanted.boxes + shift, atol=1e-3)
        assert_same_detections(replace(found, boxes=wanted.boxes), wanted)


@given(st.lists(boxes_of_a_frame(), max_size=4), CONFIGS)
def test_what_is_given_stays_as_it_is_and_what_comes_back_is_the_caller_s(frames, config):
    propagator, wanted = DetectionPropagator(config), over(config, frames)
    for frame, expected in zip(frames, wanted, strict=True):
        before = [getattr(frame, name).copy() for name in ("boxes", "scores", "labels")]
        found = propagator.update(frame, SIZE)
        assert_same_detections(found, expected)
        for name, array in zip(("boxes", "scores", "labels"), before, strict=True):
            np.testing.assert_array_equal(getattr(frame, name), array)
        for name in ("boxes", "scores", "labels", "lengths", "track_ids"):
            getattr(found, name)[:] = 3
