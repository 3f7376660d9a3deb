"""Datasets and detections made in memory, by hand and by hypothesis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from heatprop.lab.datasets.annotations import GroundTruth, Video, VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.matching import Matching

CLASSES = 3
Object = tuple[int, int, int, Sequence[float]]
Detection = tuple[int, int, float, Sequence[float]]


def make_truth(objects: Iterable[Object], crowd: Sequence[bool] | None = None) -> GroundTruth:
    """Return the ground truth of objects given as (row, label, track, box), rows ascending."""
    objects = list(objects)
    nothing = np.zeros(len(objects), np.bool_)
    return GroundTruth(
        frames=np.array([each[0] for each in objects], np.int64),
        boxes=np.array([each[3] for each in objects], np.float64).reshape(-1, 4),
        labels=np.array([each[1] for each in objects], np.int64),
        tracks=np.array([each[2] for each in objects], np.int64),
        occluded=nothing,
        generated=nothing,
        crowd=nothing if crowd is None else np.array(crowd),
    )


def make_dataset(
    objects: Iterable[Object],
    lengths: Sequence[int] = (3,),
    *,
    classes: int = CLASSES,
    evaluated: Sequence[frozenset[int] | None] | None = None,
    crowd: Sequence[bool] | None = None,
    size: tuple[int, int] = (512, 512),
) -> VideoDataset:
    """Return a dataset of videos of the given lengths; official numbers are 11, 12, ... and 101, 102, ..."""
    starts = np.concatenate([[0], np.cumsum(lengths)]).tolist()
    frames = starts[-1]
    evaluated = evaluated or [None] * len(lengths)
    return VideoDataset(
        layout="coco-video",
        root=Path("nowhere"),
        classes=tuple(f"class-{label}" for label in range(classes)),
        class_ids=tuple(range(11, 11 + classes)),
        videos=tuple(
            Video(f"v{number}", start, length, scored)
            for number, (start, length, scored) in enumerate(zip(starts[:-1], lengths, evaluated, strict=True))
        ),
        frame_names=[f"v{number}/{row:06d}" for number, n in enumerate(lengths) for row in range(n)],
        frame_ids=np.arange(101, 101 + frames),
        image_paths=[],
        image_sizes=np.tile(np.array(size), (frames, 1)),
        truth=make_truth(objects, crowd),
    )


def make_detections(detections: Iterable[Detection]) -> DetectionTable:
    """Return the table of detections given as (row, label, score, box)."""
    rows = list(detections)
    return DetectionTable(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64),
        np.array([row[3] for row in rows], np.float64).reshape(-1, 4),
    )


def _boxes() -> st.SearchStrategy[list[float]]:
    """Boxes of quarters of a pixel, often equal, often overlapping, some of no size: sums are exact."""
    corner = st.integers(0, 10).map(float) | st.just(400.0)
    side = st.sampled_from([0.0, 0.25, 1.0, 4.0, 9.0, 9.5, 30.0])
    return st.tuples(corner, corner, side, side).map(
        lambda box: [box[0], box[1], box[0] + box[2], box[1] + box[3]]
    )


@st.composite
def scored_datasets(draw: st.DrawFn) -> tuple[VideoDataset, DetectionTable]:
    """Draw a dataset and detections on it: ties, empty frames, classes without objects, unscored classes."""
    lengths = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    row, label = st.integers(0, sum(lengths) - 1), st.integers(0, CLASSES - 1)
    boxes = draw(st.lists(_boxes(), min_size=1, max_size=5))
    box = st.sampled_from(boxes)
    objects: list[Any] = draw(st.lists(st.tuples(row, label, st.integers(-1, 3), box), max_size=14))
    score = st.sampled_from([0.0, 0.25, 0.5, 0.5, 0.75, 1.0])
    detections: list[Any] = draw(st.lists(st.tuples(row, label, score, box), max_size=20))
    scored = st.none() | st.frozensets(label)
    evaluated = draw(st.lists(scored, min_size=len(lengths), max_size=len(lengths)))
    objects.sort(key=lambda each: each[0])
    return make_dataset(objects, lengths, evaluated=evaluated), make_detections(detections)


def plain(matching: Matching) -> tuple[list[Object], list[Detection], list[int]]:
    """Return objects and detections that count as plain tuples, and the video of each row."""
    truth, found = matching.truth, matching.detections
    return (
        [
            *zip(
                truth.frames.tolist(),
                truth.labels.tolist(),
                truth.tracks.tolist(),
                truth.boxes.tolist(),
                strict=True,
            )
        ],
        [
            *zip(
                found.frames.tolist(),
                found.labels.tolist(),
                found.scores.tolist(),
                found.boxes.tolist(),
                strict=True,
            )
        ],
        matching.dataset.video_of_rows().tolist(),
    )
