"""Frames between two key frames, filled from both."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from heatprop.offline.filling import fill_between
from heatprop.types import Detections


def boxes_at(*lefts: float) -> np.ndarray:
    return np.float32([[left, 0, left + 10, 10] for left in lefts]).reshape(-1, 4)


def stays(boxes: np.ndarray, count: int) -> list[np.ndarray]:
    return [boxes] * count


@given(st.integers(2, 8), st.floats(-4, 4), st.floats(0.05, 1), st.floats(0.05, 1))
def test_an_object_of_both_looks_goes_evenly_from_one_to_the_other(
    steps: int, way: float, before: float, after: float
) -> None:
    first, last = Detections(boxes_at(0), [before], [3], [5]), Detections(boxes_at(way), [after], [3], [6])
    frames = fill_between(first, stays(first.boxes, steps), last, lambda boxes: stays(boxes, steps - 1))
    assert len(frames) == steps - 1
    for step, frame in enumerate(frames, 1):
        share = step / steps
        np.testing.assert_allclose(frame.boxes, boxes_at(way * share), atol=1e-4)
        np.testing.assert_allclose(frame.scores, [before + (after - before) * share], atol=1e-6)
        assert (frame.labels.tolist(), frame.lengths.tolist()) == ([3], [5])


def test_motion_on_the_way_is_kept() -> None:
    first, last = Detections(boxes_at(0), [0.5], [0]), Detections(boxes_at(6.5), [0.5], [0])
    forward = [boxes_at(5), boxes_at(5), boxes_at(6)]  # it jumps, then rests
    one, two = fill_between(first, forward, last, lambda boxes: stays(boxes, 2))
    np.testing.assert_allclose(one.boxes, boxes_at(5 + 0.5 / 3), atol=1e-5)
    np.testing.assert_allclose(two.boxes, boxes_at(5 + 1.0 / 3), atol=1e-5)


def test_what_goes_and_what_comes_fades_out_and_in() -> None:
    first, last = Detections(boxes_at(0), [0.8], [0]), Detections(boxes_at(200), [0.4], [0])
    back = [boxes_at(190), boxes_at(180)]  # the nearest to the key frame first
    one, two = fill_between(first, [boxes_at(1), boxes_at(2), boxes_at(3)], last, lambda _: back)
    np.testing.assert_allclose(one.boxes, np.concatenate([boxes_at(1), boxes_at(180)]))
    np.testing.assert_allclose(one.scores, [0.8 * 2 / 3, 0.4 / 3], atol=1e-6)
    np.testing.assert_allclose(two.boxes, np.concatenate([boxes_at(2), boxes_at(190)]))
    np.testing.assert_allclose(two.scores, [0.8 / 3, 0.4 * 2 / 3], atol=1e-6)


def test_objects_of_other_classes_are_others() -> None:
    first, last = Detections(boxes_at(0), [0.5], [0]), Detections(boxes_at(0), [0.5], [1])
    (middle,) = fill_between(first, stays(first.boxes, 2), last, lambda boxes: stays(boxes, 1))
    assert sorted(middle.labels.tolist()) == [0, 1]


def test_each_object_is_paired_once_and_the_best_overlap_first() -> None:
    first = Detections(boxes_at(0, 3), [0.9, 0.8], [0, 0])
    last = Detections(boxes_at(3.5), [0.7], [0])
    (middle,) = fill_between(first, stays(first.boxes, 2), last, lambda boxes: stays(boxes, 1))
    np.testing.assert_allclose(middle.boxes, np.concatenate([boxes_at(3.25), boxes_at(0)]), atol=1e-5)
    np.testing.assert_allclose(middle.scores, [0.75, 0.45], atol=1e-6)


@given(st.integers(1, 6), st.integers(0, 4), st.integers(0, 4))
def test_any_numbers_of_objects_give_every_frame_by_falling_score(steps: int, ours: int, theirs: int) -> None:
    random = np.random.default_rng(ours * 10 + theirs)
    first, last = (
        Detections(
            boxes_at(*random.uniform(0, 30, count)), random.uniform(0, 1, count), random.integers(0, 2, count)
        )
        for count in (ours, theirs)
    )
    frames = fill_between(first, stays(first.boxes, steps), last, lambda boxes: stays(boxes, steps - 1))
    assert len(frames) == steps - 1
    for frame in frames:
        assert max(ours, theirs) <= len(frame) <= ours + theirs
        assert (np.diff(frame.scores) <= 0).all()


def test_what_is_too_weak_to_be_shown_anywhere_is_not_followed() -> None:
    first, last = Detections(boxes_at(0), [0.2], [0]), Detections(boxes_at(200), [0.2], [0])

    def follow_back(boxes: np.ndarray) -> list[np.ndarray]:
        raise AssertionError(f"followed {boxes}")

    (middle,) = fill_between(first, stays(first.boxes, 2), last, follow_back, min_score=0.3)
    assert len(middle) == 0


def test_the_same_tracklet_is_paired_with_itself_and_not_with_what_it_overlaps():
    first = Detections(boxes_at(0, 30), [0.9, 0.8], [0, 0], [5, 5], [1, 2])
    last = Detections(boxes_at(30, 0), [0.9, 0.8], [0, 0], [6, 6], [1, 2])
    (middle,) = fill_between(first, [first.boxes, first.boxes], last, lambda boxes: [boxes])
    assert middle.track_ids.tolist() == [1, 2]
    np.testing.assert_allclose(middle.boxes, boxes_at(15, 15), atol=1e-4)
