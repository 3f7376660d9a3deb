"""Which frames a report shows, chosen by rule: what propagation recovers and corrects, and what it spoils."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop.lab.datasets.annotations import GroundTruth, VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.matching import inclusive_iou, pairs
from heatprop.lab.evaluation.metrics.object_motion import same_object
from heatprop.lab.reproduction.tracks import OVERLAP, Seen

Kind: TypeAlias = Literal["recovered", "corrected", "ghost", "lost"]

RULES: Mapping[Kind, str] = {
    "recovered": (
        "Among objects that the network finds in the frame before and loses, with no detection of 0.05 or more "
        "that overlaps them by half, while propagation has them at {threshold:g} or more: the largest of each "
        "video, the largest first."
    ),
    "corrected": (
        "Among objects that both find at {threshold:g} or more, where the network's strongest box overlaps the "
        "object by less than half and propagation's by half or more: where the overlap grows most, one of a video."
    ),
    "ghost": (
        "Among detections of propagation of {threshold:g} or more that overlap no object of their class by 0.1, "
        "where the network has none of {threshold:g} that overlaps them by half: the strongest, one of a video."
    ),
    "lost": (
        "Among objects that the network finds at {threshold:g} or more and propagation puts below or off by half: "
        "where the score falls most, one of a video."
    ),
}
_NOTHING = 0.05
_TOUCH = 0.1


@dataclass(frozen=True, slots=True)
class Scene:
    """Frames to show.

    Attributes:
        kind: why.
        rows: of the dataset, one to three that follow each other.
        label: class of what it is about.
        box: of what it is about, in pixels, in the frame that matters.
    """

    kind: Kind
    rows: tuple[int, ...]
    label: int
    box: tuple[float, float, float, float]


def choose_scenes(
    dataset: VideoDataset,
    truth: GroundTruth,
    tables: Mapping[str, DetectionTable],
    seen: Mapping[str, Seen],
    *,
    threshold: float,
    of_each: int,
) -> list[Scene]:
    """Return up to `of_each` scenes of each kind; see `RULES`.

    Args:
        dataset: its images need not be there.
        truth: its objects that count.
        tables: detections of "network" and "propagation".
        seen: what they say about `truth`.
        threshold: scores from here on count as found.
        of_each: most scenes of a kind.
    """
    network, propagation = seen["network"], seen["propagation"]
    areas = np.prod(truth.boxes[:, 2:] - truth.boxes[:, :2] + 1, axis=1)
    before = same_object(dataset, truth, -1)
    had = (before >= 0) & (network.scores[before] >= threshold)
    candidates: dict[Kind, tuple[NDArray[np.bool_], NDArray[np.float64]]] = {
        "recovered": (had & (network.scores < _NOTHING) & (propagation.scores >= threshold), areas),
        "corrected": (
            (network.strongest >= 0)
            & (_strongest_scores(tables["network"], network) >= threshold)
            & (network.overlaps < OVERLAP)
            & (propagation.overlaps >= OVERLAP)
            & (_strongest_scores(tables["propagation"], propagation) >= threshold),
            propagation.overlaps - network.overlaps,
        ),
        "lost": (
            (network.scores >= threshold) & (propagation.scores < threshold),
            network.scores - propagation.scores,
        ),
    }
    videos = dataset.video_of_rows()
    scenes: list[Scene] = []
    for kind, (member, worth) in candidates.items():
        rows = np.flatnonzero(member)
        rows = rows[np.argsort(-worth[rows], kind="stable")]
        for row in _one_a_video(rows, videos[truth.frames])[:of_each]:
            frame = int(truth.frames[row])
            steps = _around(dataset, frame, int(videos[frame]))
            scenes.append(Scene(kind, steps, int(truth.labels[row]), _box(truth.boxes[row])))
    return scenes + _ghosts(dataset, truth, tables, threshold, of_each)


def _ghosts(
    dataset: VideoDataset,
    truth: GroundTruth,
    tables: Mapping[str, DetectionTable],
    threshold: float,
    of_each: int,
) -> list[Scene]:
    strong = {name: table.select(table.scores >= threshold) for name, table in tables.items()}
    ours, theirs = strong["propagation"], strong["network"]
    classes, videos = len(dataset.classes), dataset.video_of_rows()
    groups = ours.frames * classes + ours.labels
    is_ghost = np.ones(len(ours), np.bool_)
    for frames, labels, boxes, most in (
        (truth.frames, truth.labels, truth.boxes, _TOUCH),
        (theirs.frames, theirs.labels, theirs.boxes, OVERLAP),
    ):
        for detection, other in pairs(groups, frames * classes + labels):
            is_ghost[detection[inclusive_iou(ours.boxes[detection], boxes[other]) >= most]] = False
    rows = np.flatnonzero(is_ghost)
    rows = rows[np.argsort(-ours.scores[rows], kind="stable")]
    return [
        Scene("ghost", (int(ours.frames[row]),), int(ours.labels[row]), _box(ours.boxes[row]))
        for row in _one_a_video(rows, videos[ours.frames])[:of_each]
    ]


def _strongest_scores(table: DetectionTable, seen: Seen) -> NDArray[np.float64]:
    return np.where(seen.strongest >= 0, np.append(table.scores, 0.0)[seen.strongest], 0.0)


def _one_a_video(rows: NDArray[np.int64], videos: NDArray[np.int64]) -> list[int]:
    """Return the first row of each video, in order."""
    return [int(rows[place]) for place in np.sort(np.unique(videos[rows], return_index=True)[1])]


def _around(dataset: VideoDataset, frame: int, video: int) -> tuple[int, ...]:
    """Return a frame with the one before and the one after, where its video has them."""
    rows = dataset.videos[video].rows
    return tuple(row for row in (frame - 1, frame, frame + 1) if row in rows)


def _box(box: NDArray[np.float64]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box.tolist()
    return (x1, y1, x2, y2)
