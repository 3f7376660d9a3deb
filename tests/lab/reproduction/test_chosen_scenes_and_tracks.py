"""Frames and objects are chosen by their rules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from heatprop.lab.datasets.annotations import GroundTruth, Video, VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.reproduction.chosen_scenes import Scene, choose_scenes
from heatprop.lab.reproduction.tracks import best_track, what_is_seen

FRAMES = 5
BOX = (10.0, 10, 49, 49)
Found = tuple[int, int, float, tuple[float, float, float, float]]


def dataset(videos: int = 1) -> VideoDataset:
    """Return videos of five frames, in each one object of class 0 that stands still."""
    count = videos * FRAMES
    truth = GroundTruth(
        np.arange(count),
        np.tile(np.array(BOX), (count, 1)),
        np.zeros(count, np.int64),
        np.zeros(count, np.int64),
        *(np.zeros(count, np.bool_) for _ in range(3)),
    )
    return VideoDataset(
        "imagenet-vid",
        Path("nowhere"),
        ("cat", "dog"),
        (1, 2),
        tuple(Video(f"val/{number}", number * FRAMES, FRAMES) for number in range(videos)),
        [f"{row}" for row in range(count)],
        np.arange(count),
        [Path(f"{row}.jpg") for row in range(count)],
        np.full((count, 2), 100),
        truth,
    )


def table(*found: Found) -> DetectionTable:
    frames, labels, scores, boxes = zip(*found, strict=True) if found else ((), (), (), ())
    return DetectionTable(
        np.array(frames, np.int64),
        np.array(labels, np.int64),
        np.array(scores, np.float64),
        np.array(boxes, np.float64).reshape(-1, 4),
    )


def scenes(data: VideoDataset, network: DetectionTable, propagation: DetectionTable) -> list[Scene]:
    tables = {"network": network, "propagation": propagation}
    seen = {name: what_is_seen(data, data.truth, each) for name, each in tables.items()}
    return choose_scenes(data, data.truth, tables, seen, threshold=0.3, of_each=3)


def still(*scores: float, video: int = 0) -> list[Found]:
    return [(video * FRAMES + frame, 0, score, BOX) for frame, score in enumerate(scores) if score]


def test_an_object_that_propagation_holds_is_shown_with_the_frames_around() -> None:
    chosen = scenes(dataset(), table(*still(0.9, 0.9, 0, 0.9, 0.9)), table(*still(0.9, 0.9, 0.8, 0.9, 0.9)))
    assert chosen == [Scene("recovered", (1, 2, 3), 0, BOX)]


def test_of_each_video_one_scene_is_shown_and_the_larger_first() -> None:
    data = dataset(2)
    data.truth.boxes[FRAMES:] = (0, 0, 79, 79)
    large = (0.0, 0, 79, 79)
    seen = [*still(0.9, 0, 0.9, 0, 0.9), *[(FRAMES + frame, 0, 0.9, large) for frame in (0, 1, 3)]]
    kept = [*still(0.9, 0.9, 0.9, 0.9, 0.9), *[(FRAMES + frame, 0, 0.9, large) for frame in range(5)]]
    chosen = scenes(data, table(*seen), table(*kept))
    assert [(scene.kind, scene.rows[0] // FRAMES) for scene in chosen] == [("recovered", 1), ("recovered", 0)]


def test_a_box_that_propagation_puts_right_is_shown() -> None:
    wrong = (30.0, 30, 69, 69)
    network = table(*still(0.9, 0.9), (2, 0, 0.8, wrong))
    chosen = scenes(dataset(), network, table(*still(0.9, 0.9, 0.7)))
    assert ("corrected", (1, 2, 3)) in [(scene.kind, scene.rows) for scene in chosen]


def test_what_propagation_invents_is_shown() -> None:
    ghost = (60.0, 60, 99, 99)
    seen = table(*still(0.9, 0.9, 0.9, 0.9, 0.9))
    chosen = scenes(
        dataset(), seen, table(*still(0.9, 0.9, 0.9, 0.9, 0.9), (3, 1, 0.6, ghost), (4, 1, 0.5, ghost))
    )
    assert chosen == [Scene("ghost", (3,), 1, ghost)]


def test_a_false_alarm_of_the_network_too_is_no_ghost() -> None:
    both = (1, 1, 0.6, (60.0, 60, 99, 99))
    assert scenes(dataset(), table(both), table(both)) == []


def test_what_propagation_loses_is_shown() -> None:
    chosen = scenes(dataset(), table(*still(0.9, 0.9)), table(*still(0.9, 0.2)))
    assert chosen == [Scene("lost", (0, 1, 2), 0, BOX)]


@pytest.mark.parametrize("found", [[], still(0.9, 0.9)])
def test_nothing_found_and_nothing_changed_give_no_scene(found: list[Found]) -> None:
    assert scenes(dataset(), table(*found), table(*found)) == []


def test_the_track_is_the_object_with_most_frames_bridged() -> None:
    data = dataset(2)
    network = table(*still(0.9, 0, 0.9), *still(0.9, 0, 0, 0.9, video=1))
    propagation = table(*still(0.9, 0.8, 0.9), *still(0.9, 0.8, 0.7, 0.9, video=1))
    seen = {
        name: what_is_seen(data, data.truth, each)
        for name, each in (("network", network), ("propagation", propagation))
    }
    track = best_track(data, data.truth, seen, threshold=0.05)
    assert track is not None
    assert (track.video, track.label, track.rows.tolist()) == (1, 0, [5, 6, 7, 8, 9])
    assert track.scores["network"].tolist() == [0.9, 0, 0, 0.9, 0]
    assert track.scores["propagation"].tolist() == [0.9, 0.8, 0.7, 0.9, 0]


def test_without_a_bridge_there_is_no_track() -> None:
    data = dataset()
    seen = what_is_seen(data, data.truth, table(*still(0.9)))
    assert best_track(data, data.truth, {"network": seen, "propagation": seen}, threshold=0.05) is None


numbers = st.floats(0, 80).map(round)
one_box = st.tuples(numbers, numbers, numbers, numbers).map(
    lambda box: (min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3]))
)
one_found = st.tuples(st.integers(0, 4), st.integers(0, 1), st.integers(1, 99).map(lambda n: n / 100), one_box)


def overlap(box: tuple[float, ...], other: NDArray[np.float64]) -> float:
    sides = [min(box[axis + 2], other[axis + 2]) - max(box[axis], other[axis]) + 1 for axis in (0, 1)]
    shared = max(sides[0], 0) * max(sides[1], 0)
    areas = [(each[2] - each[0] + 1) * (each[3] - each[1] + 1) for each in (box, other)]
    return float(shared / (areas[0] + areas[1] - shared))


@given(st.lists(one_found, max_size=8, unique_by=lambda found: found[2]))
def test_what_is_seen_equals_slow_code(found: list[Found]) -> None:
    data = dataset()
    seen = what_is_seen(data, data.truth, table(*found))
    for frame in range(FRAMES):
        of_cat = [(score, box) for at, label, score, box in found if (at, label) == (frame, 0)]
        near = [(score, overlap(box, data.truth.boxes[frame])) for score, box in of_cat]
        assert seen.scores[frame] == max((score for score, share in near if share >= 0.5), default=0)
        assert seen.overlaps[frame] == pytest.approx(max(((s, o) for s, o in near if o > 0.1), default=(0, 0))[1])
