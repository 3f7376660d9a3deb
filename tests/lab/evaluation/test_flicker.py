"""Flicker counts what a person would count who follows each object through the video."""

from __future__ import annotations

from math import nan
from statistics import mean, pstdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.flicker import flicker
from heatprop.lab.evaluation.metrics.overlap_matching import match_at
from lab.evaluation.small_datasets import Detection, Object, make_dataset, make_detections, scored_datasets
from reference.seqbbox import plain_iou

BOX, OTHER, FAR = [0, 0, 40, 40], [60, 0, 100, 40], [200, 200, 240, 240]


def figures(
    objects: list[Object], found: list[Detection], lengths: tuple[int, ...] = (6,), threshold: float = 0.3
) -> dict[str, float]:
    dataset = make_dataset(objects, lengths)
    return flicker(match_at(dataset, make_detections(found), 0.5), threshold).figures()


def shown(scores: list[float], box: list[int] = BOX) -> list[Detection]:
    """Return a detection a frame; 0 for none."""
    return [(row, 0, score, box) for row, score in enumerate(scores) if score]


def there(rows: range | list[int], box: list[int] = BOX, track: int = 0) -> list[Object]:
    return [(row, 0, track, box) for row in rows]


def test_an_object_that_is_lost_and_found_again_changes_twice() -> None:
    result = figures(there(range(6)), shown([0.9, 0.9, 0, 0.9, 0.9, 0.9]))
    assert result["changes"] == pytest.approx(100 * 2 / 6)
    assert result["found"] == pytest.approx(5 / 6)
    assert result["deviation"] == pytest.approx(pstdev([0.9, 0.9, 0, 0.9, 0.9, 0.9]))
    assert result["false_positives"] == 0


def test_neither_the_first_nor_the_last_frame_is_a_change() -> None:
    assert figures(there(range(1, 5)), shown([0, 0.9, 0.9, 0.9, 0.9, 0]))["changes"] == 0
    assert figures(there(range(6)), [])["changes"] == 0


def test_a_score_below_the_threshold_is_not_shown() -> None:
    scores = [0.9, 0.2, 0.9, 0.3, 0.9, 0.9]
    assert figures(there(range(6)), shown(scores))["changes"] == pytest.approx(100 * 2 / 6)
    assert figures(there(range(6)), shown(scores), threshold=0.1)["changes"] == 0


def test_while_an_object_is_not_annotated_nothing_changes() -> None:
    result = figures(there([0, 1, 4, 5]), shown([0.9, 0.9, 0, 0, 0, 0]))
    assert result["changes"] == 0
    assert result["found"] == 0.5


def test_tracks_are_those_of_their_video() -> None:
    objects = there([0, 1], track=0) + there([2, 3], track=0)
    result = figures(objects, shown([0.9, 0.9, 0, 0]), lengths=(2, 2))
    assert (result["changes"], result["deviation"], result["found"]) == (0, 0, 0.5)


def test_the_deviation_is_the_mean_over_tracks_however_long() -> None:
    objects = sorted(there(range(6)) + there([0, 1], OTHER, track=1))
    result = figures(objects, [*shown([0.4, 0.8] * 3), (0, 0, 0.5, OTHER), (1, 0, 0.5, OTHER)])
    assert result["deviation"] == pytest.approx((0.2 + 0.0) / 2)


def test_false_positives_are_counted_a_frame_and_duplicates_among_them() -> None:
    found = [*shown([0.9] * 6), (0, 0, 0.5, FAR), (1, 0, 0.5, BOX), (2, 0, 0.2, FAR), (3, 1, 0.5, BOX)]
    assert figures(there(range(6)), found)["false_positives"] == pytest.approx(3 / 6)


def test_a_crowd_forgives() -> None:
    dataset = make_dataset(there([0]), (1,), crowd=[True])
    result = flicker(match_at(dataset, make_detections([(0, 0, 0.9, BOX)]), 0.5)).figures()
    assert result["false_positives"] == 0
    assert np.isnan(result["found"])


def slow(dataset: VideoDataset, detections: DetectionTable, threshold: float) -> dict[str, float]:
    """Follow each track with plain loops."""
    truth, video_of = dataset.truth, dataset.video_of_rows().tolist()
    scored = dataset.is_evaluated()
    tracks: dict[tuple[int, int], dict[int, float]] = {}
    false_positives = 0
    for row in range(dataset.frame_count):
        for label in range(len(dataset.classes)):
            if not scored[video_of[row], label]:
                continue
            free = [i for i in range(len(truth)) if truth.frames[i] == row and truth.labels[i] == label]
            scores = dict.fromkeys(free, 0.0)
            found = [
                (float(detections.scores[i]), detections.boxes[i])
                for i in range(len(detections))
                if detections.frames[i] == row and detections.labels[i] == label
                and detections.scores[i] >= threshold
            ]  # fmt: skip
            for score, box in sorted(found, key=lambda item: -item[0]):
                overlaps = [(plain_iou(box, truth.boxes[i]), i) for i in free]
                best = max(overlaps, default=(0.0, -1))
                if best[0] < 0.5:
                    false_positives += 1
                else:
                    free.remove(best[1])
                    scores[best[1]] = score
            for i, score in scores.items():
                if truth.tracks[i] >= 0:
                    tracks.setdefault((video_of[row], int(truth.tracks[i])), {})[row] = score
    changes = sum(
        (track[row] > 0) != (track[row + 1] > 0) for track in tracks.values() for row in track if row + 1 in track
    )
    frames = sum(map(len, tracks.values()))
    return {
        "changes": 100 * changes / frames if tracks else nan,
        "deviation": mean(pstdev(track.values()) for track in tracks.values()) if tracks else nan,
        "found": sum(score > 0 for track in tracks.values() for score in track.values()) / frames
        if tracks
        else nan,
        "false_positives": false_positives / dataset.frame_count,
    }


@given(scored_datasets(), st.sampled_from([0.25, 0.5, 0.75]))
def test_it_is_what_plain_loops_count(data: tuple[VideoDataset, DetectionTable], threshold: float) -> None:
    dataset, detections = data
    truth = dataset.truth
    _, first = np.unique(np.stack([truth.frames, truth.tracks]), axis=1, return_index=True)
    once = np.sort(np.concatenate([first, np.flatnonzero(truth.tracks < 0)]))
    dataset = VideoDataset(
        **{name: getattr(dataset, name) for name in VideoDataset.__slots__ if name != "truth"},
        truth=truth.select(np.unique(once)),  # a track is in a frame once
    )
    result = flicker(match_at(dataset, detections, 0.5), threshold).figures()
    assert result == pytest.approx(slow(dataset, detections, threshold), nan_ok=True)


def test_counts_are_how_often_a_video_is_there() -> None:
    objects = there([0, 1]) + there([2, 3])
    dataset = make_dataset(objects, (2, 2))
    result = flicker(match_at(dataset, make_detections(shown([0.9, 0, 0.9, 0.9])), 0.5))
    assert result.figures(np.array([2, 1]))["changes"] == pytest.approx(100 * 2 / 6)
    assert result.figures(np.array([0, 3]))["changes"] == 0
