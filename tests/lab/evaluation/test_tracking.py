"""Identities are scored as TrackEval's own evaluator scores them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from math import isnan
from pathlib import Path

import numpy as np
import pytest

from heatprop.errors import InvalidArrayError, MissingPackageError
from heatprop.lab.datasets import load_dataset
from heatprop.lab.datasets.annotations import DatasetError, VideoDataset, select_videos
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.tracking import TRACKING_FIGURES, tracking_result
from lab.evaluation.mot_challenge_folders import FIGURES, Row, official_figures, write_rows, write_sequence
from lab.evaluation.small_datasets import make_dataset

pytest.importorskip("trackeval", reason="pip install --no-deps trackeval")

DEV = Path("/work/shared/data/real-video-dev")
BOX, OTHER, FAR = [0.0, 0, 40, 40], [60.0, 0, 100, 40], [200.0, 200, 240, 240]


def table(rows: list[tuple[int, int, float, list[float], int]]) -> DetectionTable:
    """Return detections given as (row, label, score, box, track id)."""
    return DetectionTable(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64),
        np.array([row[3] for row in rows], np.float64).reshape(-1, 4),
        np.array([row[4] for row in rows], np.int64),
    )


def wavering(dataset: VideoDataset, seed: int) -> DetectionTable:
    """Return the ground truth as a poor tracker sees it: moved, lost, taken for another, and inventing."""
    random = np.random.default_rng(seed)
    truth = dataset.truth
    kept = np.flatnonzero(random.random(len(truth)) < 0.85)
    frames, labels, tracks = truth.frames[kept], truth.labels[kept], truth.tracks[kept].copy()
    boxes = truth.boxes[kept] + random.normal(0, 3, (len(kept), 4))
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    tracks += 1000 * (frames // random.integers(20, 60, len(kept)))  # ids change now and then
    invented = random.integers(0, dataset.frame_count, len(kept) // 10)
    corners = random.uniform(0, 300, (len(invented), 2))
    return DetectionTable(
        np.concatenate([frames, invented]),
        np.concatenate([labels, np.resize(labels, len(invented))]),
        np.ones(len(frames) + len(invented)),
        np.concatenate([boxes, np.concatenate([corners, corners + 60], axis=1)]),
        np.concatenate([tracks, 10**6 + np.arange(len(invented))]),
    )


@pytest.mark.skipif(not DEV.exists(), reason="/work/shared/data is not there")
@pytest.mark.parametrize("clip", ["pets09-s2l1-first300", "tud-campus"])
def test_real_tracks_score_as_trackevals_own_evaluator_says(clip: str, tmp_path: Path) -> None:
    whole = load_dataset("coco-video", DEV)
    dataset = select_videos(whole, [[video.name for video in whole.videos].index(clip)])
    tracks = wavering(dataset, 3)
    person = dataset.classes.index("person")

    def rows(frames: np.ndarray, ids: np.ndarray, boxes: np.ndarray) -> list[Row]:
        sides = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
        return [
            (frame + 1, number, *side, 1, 1, 1)
            for frame, number, side in zip(frames.tolist(), ids.tolist(), sides.tolist(), strict=True)
        ]

    truth = dataset.truth
    assert (truth.labels == person).all()
    write_sequence(
        tmp_path / "gt", clip, rows(truth.frames, truth.tracks, truth.boxes), dataset.frame_count, (768, 576)
    )
    write_rows(
        tmp_path / "found" / "mine" / "data" / f"{clip}.txt",
        rows(tracks.frames, tracks.track_ids, tracks.boxes),
    )
    expected = official_figures(tmp_path / "gt", tmp_path / "found", [clip], "MOT17")
    result = tracking_result(dataset, tracks)
    assert 0.2 < result.figures()["HOTA"] < 0.9
    assert result.figures()["IDSW"] > 5
    assert result.figures() == pytest.approx(expected["COMBINED_SEQ"], abs=1e-9)
    assert result.of_video(0) == pytest.approx(expected[clip], abs=1e-9)
    converted = load_dataset("mot-challenge", tmp_path / "gt")
    again = tracking_result(converted, replace(tracks, labels=np.zeros_like(tracks.labels)))
    assert again.figures() == pytest.approx(expected["COMBINED_SEQ"], abs=1e-9)


def street(seed: int, length: int, classes: Sequence[int] | None) -> list[Row]:
    """Return the truth of a sequence: classes as in MOT16, some without a flag, or none, as in MOT15."""
    random = np.random.default_rng(seed)
    rows: list[Row] = []
    for number in range(1, 25):
        kind = int(random.choice(classes)) if classes else -1
        corner, step = random.uniform(0, 300, 2), random.uniform(-4, 4, 2)
        width, height = random.uniform(20, 60, 2).round(2).tolist()
        flag = int(random.random() < (0.9 if kind in (-1, 1) else 0.2))
        first, last = sorted(random.integers(1, length + 1, 2).tolist())
        for frame in range(first, last + 1):
            left, top = (corner + step * frame).round(3).tolist()
            rest = (kind, random.uniform(0, 1)) if classes else (-1, -1, -1)
            rows.append((frame, number, left, top, width, height, flag, *rest))
    random.shuffle(rows)
    return rows


def seen(truth: list[Row], length: int, seed: int) -> list[Row]:
    """Return what a tracker sees of all of it, whatever its class: moved, lost, given other ids, and inventing."""
    random = np.random.default_rng(seed)
    rows: list[Row] = []
    for frame, number, left, top, width, height, *_ in truth:
        if random.random() < 0.85:
            x, y, w, h = (np.array([left, top, width, height]) + random.normal(0, 4, 4)).tolist()
            rows.append((frame, int(number + 100 * (frame // 17)), x, y, max(w, 1.0), max(h, 1.0), 1, -1, -1, -1))
    invented = [
        (int(random.integers(1, length + 1)), 9000 + n, *random.uniform(0, 300, 2), 40, 50) for n in range(20)
    ]
    return [*rows, *((*(float(x) if n > 1 else x for n, x in enumerate(row)), 1, -1, -1, -1) for row in invented)]


@pytest.mark.parametrize(
    ("benchmark", "classes"), [("MOT17", range(1, 13)), ("MOT20", (1, 1, 2, 6, 7, 13)), ("MOT15", None)]
)
def test_sequences_with_distractors_score_as_trackevals_own_evaluator_says(
    benchmark: str, classes: Sequence[int] | None, tmp_path: Path
) -> None:
    lengths = {f"{benchmark}-01": 60, f"{benchmark}-02": 45, f"{benchmark}-03": 30}
    tables: list[DetectionTable] = []
    start = 0
    for seed, (name, length) in enumerate(lengths.items()):
        truth = street(seed, length, classes)
        found = [] if name.endswith("3") else seen(truth, length, seed)
        write_sequence(tmp_path / "gt", name, truth, length, (400, 400))
        write_rows(tmp_path / "found" / "mine" / "data" / f"{name}.txt", found)
        rows = np.array([row[:7] for row in found]).reshape(-1, 7)
        boxes = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)
        frames, ids = (rows[:, column].astype(np.int64) for column in (0, 1))
        tables.append(DetectionTable(frames - 1 + start, np.zeros_like(ids), np.ones(len(ids)), boxes, ids))
        start += length
    expected = official_figures(tmp_path / "gt", tmp_path / "found", list(lengths), benchmark)
    result = tracking_result(load_dataset("mot-challenge", tmp_path / "gt"), DetectionTable.joined(tables))
    assert 0.1 < result.figures()["HOTA"] < 0.9
    assert result.figures() == pytest.approx(expected["COMBINED_SEQ"], abs=1e-9)
    for number, name in enumerate(lengths):
        assert result.of_video(number) == pytest.approx(expected[name], abs=1e-9)


def test_without_trackeval_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackeval", None)
    with pytest.raises(MissingPackageError, match="pip install --no-deps trackeval"):
        tracking_result(make_dataset([(0, 0, 1, BOX)], (1,)), table([]))


def test_the_figures_have_the_names_of_the_field() -> None:
    assert TRACKING_FIGURES == FIGURES


def test_the_truth_scores_whole() -> None:
    dataset = make_dataset([(row, 0, 7, BOX) for row in range(3)] + [(3, 1, 7, OTHER)], (3, 1))
    found = table([(row, 0, 1, BOX, 0) for row in range(3)] + [(3, 1, 1, OTHER, 0)])
    figures = tracking_result(dataset, found).figures()
    assert figures == pytest.approx(dict.fromkeys(TRACKING_FIGURES, 1.0) | {"IDSW": 0})


def test_an_identity_that_changes_halfway() -> None:
    dataset = make_dataset([(row, 0, 7, BOX) for row in range(4)], (4,))
    figures = tracking_result(dataset, table([(row, 0, 1, BOX, row // 2) for row in range(4)])).figures()
    assert (figures["DetA"], figures["AssA"]) == pytest.approx((1, 0.5))  # of 4 frames each half shares 2
    assert (figures["IDSW"], figures["MOTA"], figures["IDF1"]) == pytest.approx((1, 0.75, 0.5))


def test_only_what_is_shown_counts() -> None:
    dataset = make_dataset([(row, 0, 7, BOX) for row in range(2)], (2,))
    found = table([(0, 0, 0.9, BOX, 0), (1, 0, 0.3, BOX, 0), (0, 0, 0.2, FAR, -1), (1, 0, 0.1, FAR, 0)])
    result = tracking_result(dataset, found)
    assert (result.figures()["HOTA"], result.detections, result.left_out) == (1, 2, 2)
    assert tracking_result(dataset, found, 0.5).figures()["IDR"] == 0.5


def test_videos_and_classes_are_combined_by_their_boxes_and_classes_averaged_apart() -> None:
    objects = [(row, 0, 1, BOX) for row in range(6)] + [(row, 1, 2, OTHER) for row in range(6, 8)]
    dataset = make_dataset(objects, (3, 3, 2))
    found = table([(row, 0, 1, BOX, 1) for row in range(3)] + [(row, 1, 1, OTHER, 1) for row in range(6, 8)])
    result = tracking_result(dataset, found)
    assert result.of_class(0)["MOTA"] == pytest.approx(3 / 6)
    assert result.of_class(1)["MOTA"] == pytest.approx(1)
    assert isnan(result.of_class(2)["MOTA"])
    assert result.figures()["MOTA"] == pytest.approx(5 / 8)
    assert result.class_averaged()["MOTA"] == pytest.approx(0.75)
    assert [result.of_video(number)["MOTA"] for number in range(3)] == pytest.approx([1, 0, 1])
    assert result.figures(np.array([0, 2, 0]))["MOTA"] == 0
    assert result.figures(np.array([2, 1, 0]))["MOTA"] == pytest.approx(2 / 3)


def test_classes_are_scored_apart_and_only_where_their_video_is_annotated_for_them() -> None:
    dataset = make_dataset([(row, 0, 1, BOX) for row in range(2)], (2,), evaluated=[frozenset({0, 1})])
    found = [(row, 0, 1.0, BOX, 1) for row in range(2)]
    beside = [(0, 2, 1.0, FAR, 9), (1, 2, 1.0, FAR, -1)]
    assert tracking_result(dataset, table(found + beside)).figures()["MOTA"] == 1
    assert tracking_result(dataset, table([*found, (0, 1, 1.0, BOX, 2)])).figures()["MOTA"] == pytest.approx(0.5)


def test_what_lies_in_a_crowd_and_matches_nothing_is_left_out() -> None:
    inside, half = [210.0, 205, 230, 235], [220.0, 200, 260, 240]
    objects = [(0, 0, 1, BOX), (0, 0, -1, FAR), (0, 0, 3, inside)]
    dataset = make_dataset(objects, (1,), crowd=[False, True, False])
    found = [(0, 0, 1.0, BOX, 1), (0, 0, 1.0, inside, 2), (0, 0, 1.0, FAR, 3)]
    assert tracking_result(dataset, table(found)).figures()["MOTA"] == 1
    assert tracking_result(dataset, table([*found, (0, 0, 1.0, half, 4)])).figures()["MOTA"] == 0.5
    assert tracking_result(dataset, table([*found, (0, 1, 1.0, FAR, 4)])).figures()["MOTA"] == 0.5


def test_a_video_without_objects_has_no_figures() -> None:
    dataset = make_dataset([(0, 0, 1, BOX)], (1, 1))
    result = tracking_result(dataset, table([(0, 0, 1, BOX, 1), (1, 0, 1, BOX, 1)]))
    assert all(map(isnan, result.of_video(1).values()))
    assert result.figures()["MOTA"] == 0


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            [(0, 0, 0.9, BOX, -1)],
            "1 of 1 detections from score 0.3 on have no track id, the first in frame v0/000000",
        ),
        ([(1, 0, 0.9, BOX, 4), (1, 1, 0.9, FAR, 4)], "track id 4 stands twice in frame v0/000001"),
        ([(9, 0, 0.9, BOX, 4)], "frames of the detections hold 9"),
    ],
)
def test_tracks_that_are_none_are_refused(rows: list[tuple[int, int, float, list[float], int]], text: str) -> None:
    with pytest.raises(InvalidArrayError, match=text):
        tracking_result(make_dataset([(0, 0, 1, BOX)], (2,)), table(rows))


@pytest.mark.parametrize(
    ("objects", "text"),
    [
        ([], "no object is annotated"),
        (
            [(0, 0, 1, BOX), (1, 0, -1, BOX)],
            "1 of 2 annotated objects have no track id, the first in frame v0/000001",
        ),
        ([(0, 0, 1, BOX), (0, 0, 1, FAR)], "track 1 stands twice in frame v0/000000"),
    ],
)
def test_a_truth_without_identities_is_refused(
    objects: list[tuple[int, int, int, list[float]]], text: str
) -> None:
    with pytest.raises(DatasetError, match=f"tracking cannot be scored: {text}"):
        tracking_result(make_dataset(objects, (2,)), table([]))
