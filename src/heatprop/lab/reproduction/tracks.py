"""What two methods say about each annotated object, frame by frame: where images and curves are chosen from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heatprop.lab.datasets.annotations import GroundTruth, VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.matching import inclusive_iou, pairs

OVERLAP = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a method says about each object of a dataset.

    Attributes:
        scores: best score of its class that overlaps it by half or more, float64 ``(M,)``; 0 for none.
        overlaps: of the strongest detection of its class that touches it, float64 ``(M,)``; 0 for none.
        strongest: row of that detection in its table, int64 ``(M,)``; -1 for none.
    """

    scores: NDArray[np.float64]
    overlaps: NDArray[np.float64]
    strongest: NDArray[np.int64]


def what_is_seen(dataset: VideoDataset, truth: GroundTruth, table: DetectionTable) -> Seen:
    """Return what detections say about each of the objects `truth` of a dataset."""
    classes = len(dataset.classes)
    scores, overlaps = np.zeros(len(truth)), np.zeros(len(truth))
    strongest = np.full(len(truth), -1, np.int64)
    best = np.zeros(len(truth))
    for detection, thing in pairs(table.frames * classes + table.labels, truth.frames * classes + truth.labels):
        overlap = inclusive_iou(table.boxes[detection], truth.boxes[thing])
        score = table.scores[detection]
        np.maximum.at(scores, thing[overlap >= OVERLAP], score[overlap >= OVERLAP])
        touching = np.flatnonzero(overlap > 0.1)
        touching = touching[np.argsort(score[touching], kind="stable")]  # the strongest is written last
        stronger = touching[score[touching] > best[thing[touching]]]
        best[thing[stronger]] = score[stronger]
        overlaps[thing[stronger]] = overlap[stronger]
        strongest[thing[stronger]] = detection[stronger]
    return Seen(scores, overlaps, strongest)


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One object over its frames.

    Attributes:
        video: number of its video.
        label: its class.
        rows: rows of the dataset in which it is annotated, ascending, int64 ``(T,)``.
        scores: of each method, float64 ``(T,)``; 0 where it says nothing.
    """

    video: int
    label: int
    rows: NDArray[np.int64]
    scores: Mapping[str, NDArray[np.float64]]


def best_track(
    dataset: VideoDataset, truth: GroundTruth, seen: Mapping[str, Seen], *, threshold: float
) -> Track | None:
    """Return the object on which propagation bridges most frames that the network loses; None where there is none.

    A frame counts where "propagation" has the object at `threshold` or more and "network" has not; objects that
    the network never finds, and tracks that are not numbered, are skipped.
    """
    bridged = (seen["propagation"].scores >= threshold) & (seen["network"].scores < threshold)
    videos = dataset.video_of_rows()[truth.frames]
    keys = np.column_stack([videos, truth.tracks])
    known = truth.tracks >= 0
    if not (bridged & known).any():
        return None
    names, number = np.unique(keys, axis=0, return_inverse=True)
    number = number.reshape(-1)
    found = np.bincount(number[seen["network"].scores >= threshold], minlength=len(names)) > 0
    count = np.bincount(number[bridged & known], minlength=len(names)) * found
    if not count.any():
        return None
    chosen = np.flatnonzero(number == int(np.argmax(count)))
    chosen = chosen[np.unique(truth.frames[chosen], return_index=True)[1]]
    return Track(
        int(videos[chosen[0]]),
        int(truth.labels[chosen[0]]),
        truth.frames[chosen],
        {name: each.scores[chosen] for name, each in seen.items()},
    )
