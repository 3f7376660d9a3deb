"""Who is who: an id goes with its object, out of sight for a while too, and changes nothing else."""

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.errors import InvalidConfigError
from heatprop.propagation import DetectionPropagator, HeatmapPropagator, IdentityConfig, PropagationConfig
from heatprop.propagation.identities import Identities, Sightings, identify
from heatprop.types import Detections, HeadOutput
from reference.identities import LoopingIdentities
from same_detections import assert_same_detections

FORMS = [PropagationConfig.paper(), PropagationConfig.adaptive()]
by_form = pytest.mark.parametrize("config", FORMS, ids=["paper", "adaptive"])
SIZE = (240, 320)


def person(x, score=0.9, *, y=100, label=0):
    return (x, y, x + 20, y + 60, score, label)


def seen(*objects):
    boxes = np.float32([each[:4] for each in objects]).reshape(-1, 4)
    return Detections(boxes, [each[4] for each in objects], [each[5] for each in objects])


def over(config, frames):
    propagator = DetectionPropagator(config)
    return [propagator.update(frame, SIZE) for frame in frames]


def ids_at(found, x):
    """Return the id of what stands at x; there is one."""
    (row,) = np.flatnonzero(np.abs(found.boxes[:, 0] - x) < 8)
    return int(found.track_ids[row])


@by_form
def test_an_object_that_was_hidden_comes_back_with_its_id(config):
    forgetful = replace(config, alpha=0.0)  # propagation keeps nothing of what is not seen
    frames = [seen(person(10 + 3 * step)) for step in range(8)]
    frames += [seen()] * 10 + [seen(person(10 + 3 * 17 - 6))]
    *_, hidden, back = over(forgetful, frames)
    assert len(hidden) == 0
    assert (back.track_ids.tolist(), back.lengths.tolist()) == ([0], [1])


@by_form
@pytest.mark.parametrize(("gap", "wanted"), [(30, [0]), (31, [1])])
def test_after_its_memory_it_is_another(config, gap, wanted):
    frames = [seen(person(100))] * 3 + [seen()] * gap + [seen(person(100))]
    assert over(replace(config, alpha=0.0), frames)[-1].track_ids.tolist() == wanted


@by_form
@pytest.mark.parametrize(("gap", "wanted"), [(1, [0]), (2, [1])])
def test_what_never_was_strong_is_remembered_for_a_frame(config, gap, wanted):
    frames = [seen(person(100, 0.3))] * 3 + [seen()] * gap + [seen(person(100, 0.3))]
    assert over(replace(config, alpha=0.0), frames)[-1].track_ids.tolist() == wanted


def test_with_no_memory_who_is_out_of_sight_is_forgotten():
    config = PropagationConfig(alpha=0.0, identity=IdentityConfig(memory=0))
    frames = [seen(person(100))] * 3 + [seen(), seen(person(100))]
    assert over(config, frames)[-1].track_ids.tolist() == [1]


def test_two_who_pass_each_other_keep_their_ids():
    frames = [seen(person(20 + 8 * step), person(260 - 8 * step, 0.8)) for step in range(31)]
    # Where they overlap the detector sees the nearer alone.
    met = [frame if abs(220 - 16 * step - 20) > 22 else frame.select([0]) for step, frame in enumerate(frames)]
    first, *_, last = over(PropagationConfig.adaptive(), met)
    assert (ids_at(last, 260), ids_at(last, 20)) == (ids_at(first, 20), ids_at(first, 260))


def test_objects_of_two_classes_never_exchange_ids():
    frames = [seen(person(100)), seen(person(100, label=5))]
    first, second = over(PropagationConfig.adaptive(), frames)
    assert first.track_ids.tolist() == [0]
    assert dict(zip(second.labels.tolist(), second.track_ids.tolist(), strict=True)) == {0: 0, 5: 1}


@by_form
def test_a_scene_that_does_not_move_has_as_many_ids_as_objects_for_ever(config):
    random = np.random.default_rng(3)
    places = [20, 80, 140, 200, 260]
    known = set()
    propagator = DetectionPropagator(config)
    for _ in range(400):
        at_hand = [person(x + random.normal(0, 1), random.uniform(0.5, 0.95)) for x in places]
        found = propagator.update(seen(*(each for each in at_hand if random.random() < 0.8)), SIZE)
        known |= set(found.track_ids.tolist())
    assert known <= set(range(len(places)))


def test_objects_that_were_moved_between_key_frames_keep_their_ids():
    def frame(column):
        heatmap, size = np.zeros((1, 24, 60), np.float32), np.full((2, 24, 60), 6, np.float32)
        heatmap[0, 12, column] = 0.9
        return HeadOutput(heatmap, size)

    propagator = HeatmapPropagator(replace(PropagationConfig.adaptive(), alpha=0.0))
    for column in (5, 20, 35, 50):
        found = propagator.update(frame(column))
        assert found.track_ids.tolist() == [0]
        propagator.move(np.float32([[15, 0]]) if column < 50 else np.float32([[0, 0]]))


def test_after_a_cut_no_id_comes_back():
    propagator = DetectionPropagator(PropagationConfig.adaptive())
    propagator.update(seen(person(100)), SIZE)
    propagator.forget()
    assert propagator.update(seen(person(100)), SIZE).track_ids.tolist() == [1]


@pytest.mark.parametrize("name", [item.name for item in fields(IdentityConfig)])
def test_settings_are_checked(name):
    with pytest.raises(InvalidConfigError, match=name):
        IdentityConfig(**{name: -1})
    with pytest.raises(InvalidConfigError, match="it must be an IdentityConfig"):
        PropagationConfig(identity={name: 0.5})


@st.composite
def videos(draw, scores=(0.05, 0.15, 0.3, 0.45, 0.6, 0.9)):
    """A few frames of boxes that often overlap from frame to frame."""
    row = st.tuples(st.integers(0, 12), st.integers(0, 4), st.sampled_from(scores), st.integers(0, 1))
    frames = draw(st.lists(st.lists(row, max_size=6, unique_by=lambda each: each[:2]), max_size=8))
    return [
        seen(*(person(16 * x, score, y=40 * y, label=label) for x, y, score, label in each)) for each in frames
    ]


@st.composite
def identity_configs(draw):
    share = st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0])
    return IdentityConfig(
        memory=draw(st.sampled_from([0, 1, 2, 30])),
        **{item.name: draw(share) for item in fields(IdentityConfig) if item.name != "memory"},
    )


@by_form
@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2], [2, 1, 0]])
def test_of_two_that_fit_alike_the_upper_one_goes_on(config, order):
    column = seen(person(0, 0.5, y=0), person(48, 0.5, y=80), person(48, 0.5, y=160))
    first, second = over(config, [column.select(order), seen(person(48, 0.5, y=120))])
    upper = first.track_ids[first.boxes[:, 1] == 80].tolist()
    assert second.track_ids[second.boxes[:, 1] == 120].tolist() == upper


@given(videos(), st.sampled_from(FORMS), identity_configs())
def test_ids_change_no_box_and_no_score(frames, config, identity):
    for one, other in zip(over(config, frames), over(replace(config, identity=identity), frames), strict=True):
        assert_same_detections(replace(one, track_ids=other.track_ids), other)


@given(videos(), st.sampled_from(FORMS), identity_configs())
def test_an_id_is_never_doubled_and_never_returns_after_it_was_given_up(frames, config, identity):
    last: dict[int, int] = {}
    propagator = DetectionPropagator(replace(config, identity=identity))
    for number, frame in enumerate(frames):
        ids = propagator.update(frame, SIZE).track_ids.tolist()
        assert len(set(ids)) == len(ids)
        for each in ids:
            assert each in last or each > max(last, default=-1)
            assert number - last.get(each, number) <= identity.memory + 1
        last |= dict.fromkeys(ids, number)


@given(videos(scores=(0.5,)), st.sampled_from(FORMS), st.randoms(use_true_random=False))
def test_a_permutation_of_equal_detections_permutes_ids_alone(frames, config, random):
    frames = [frame.select(frame.labels == 0) for frame in frames]
    spread = [frame for frame in frames if _lie_apart(frame.boxes)]
    orders = [random.sample(range(len(frame)), len(frame)) for frame in spread]
    shuffled = [frame.select(np.array(order, np.int64)) for frame, order in zip(spread, orders, strict=True)]
    same: dict[int, int] = {}
    for one, other in zip(over(config, spread), over(config, shuffled), strict=True):
        first, second = (sorted(_rows(found)) for found in (one, other))
        assert [row[:-1] for row in first] == [row[:-1] for row in second]
        for (*_, mine), (*_, theirs) in zip(first, second, strict=True):
            assert same.setdefault(mine, theirs) == theirs
    assert len(set(same.values())) == len(same)


def _rows(found):
    return [
        (*box, score, length, track)
        for box, score, length, track in zip(
            found.boxes.tolist(),
            found.scores.tolist(),
            found.lengths.tolist(),
            found.track_ids.tolist(),
            strict=True,
        )
    ]


def _lie_apart(boxes):
    """Say whether no two boxes meet: who of two is taken first is then of no account."""
    order = boxes[np.lexsort((boxes[:, 0], boxes[:, 1]))].tolist()
    return all(one[2] <= other[0] or one[3] <= other[1] or other[3] <= one[1] for one, other in pairwise(order))


@st.composite
def sightings(draw):
    """Detections of a few frames as `identify` takes them; some came from objects of the frame before."""
    number = st.integers(0, 40).map(lambda value: value / 2)
    row = st.tuples(
        st.integers(0, 1), number, number, st.integers(1, 12), st.integers(1, 12),
        st.integers(0, 16), st.integers(0, 16), st.integers(-1, 6),
    )  # fmt: skip
    return draw(st.lists(st.lists(row, max_size=5), max_size=6))


@given(sightings(), identity_configs())
def test_identities_are_those_of_the_loops(frames, config):
    config = replace(config, strong=0.4375, seen=0.125)  # as exact in float32
    known, next_id, loops, last = Identities.none(), 0, LoopingIdentities(config), []
    for rows in frames:
        came_from = [last[row[7]] if 0 <= row[7] < len(last) else -1 for row in rows]
        came_from = [each if each not in came_from[:place] else -1 for place, each in enumerate(came_from)]
        boxes = np.float32([(x, y, x + w, y + h) for _, x, y, w, h, *_ in rows]).reshape(-1, 4)
        scores, network = (np.float32([row[place] / 16 for row in rows]) for place in (5, 6))
        found = Sightings(
            np.array([row[0] for row in rows], np.int64), boxes, scores, network, np.array(came_from, np.int64)
        )
        known, next_id = identify(known, found, config, next_id)
        wanted = loops.update(
            [
                {"label": row[0], "box": box, "score": score, "network": own, "came_from": came}
                for row, box, score, own, came in zip(
                    rows, boxes.tolist(), scores.tolist(), network.tolist(), came_from, strict=True
                )
            ]
        )
        last = known.ids[: len(rows)].tolist()
        assert (last, next_id) == (wanted, loops.next_id)
        assert [each["id"] for each in loops.objects] == known.ids.tolist()
        for each, box, speed in zip(loops.objects, known.boxes.tolist(), known.velocities.tolist(), strict=True):
            assert each["box"] == pytest.approx(box)
            assert each["speed"] == pytest.approx(speed, abs=1e-9)
