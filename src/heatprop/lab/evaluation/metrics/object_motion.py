"""How fast each annotated object moves, in the two ways that papers measure it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from heatprop.lab.datasets.annotations import GroundTruth, VideoDataset
from heatprop.lab.evaluation.metrics.matching import inclusive_iou
from heatprop.types import IntArray

MOTION_IOU_WINDOW = 10
"""Frames before and after that motion IoU takes, as in FGFA."""

GRID_LONGEST_SIDE, GRID_STRIDE = 512, 4
"""The output grid of the paper: images scaled to 512 px on their longer side, a cell for every 4 px."""


def motion_iou(dataset: VideoDataset, truth: GroundTruth) -> NDArray[np.float64]:
    """Return how much each object overlaps itself in the 10 frames before and after, float64 ``(M,)``.

    The mean intersection over union, sides counted as ``x2 - x1 + 1``, of its box with its boxes in those of the
    20 frames of its video in which it is. NaN where it is in none of them, and where no track is said.
    Defined by FGFA (msracver/Flow-Guided-Feature-Aggregation).
    """
    total, count = np.zeros(len(truth)), np.zeros(len(truth))
    for step in range(-MOTION_IOU_WINDOW, MOTION_IOU_WINDOW + 1):
        if step:
            there = same_object(dataset, truth, step)
            here = np.flatnonzero(there >= 0)
            total[here] += inclusive_iou(truth.boxes[here], truth.boxes[there[here]])
            count[here] += 1
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(len(truth), np.nan), where=count > 0)
    return mean


def displacement(dataset: VideoDataset, truth: GroundTruth) -> NDArray[np.float64]:
    """Return how far each object's centre moved since the frame before, in cells of the output grid, ``(M,)``.

    The larger of the ways along x and y (section 5.3 of the paper); a cell is 4 px of an image scaled to 512 px
    on its longer side. NaN where the object is not in the frame before, and where no track is said: such an
    object is no pair.
    """
    before = same_object(dataset, truth, -1)
    here = np.flatnonzero(before >= 0)
    centres = (truth.boxes[:, :2] + truth.boxes[:, 2:]) / 2
    cells_per_px = GRID_LONGEST_SIDE / GRID_STRIDE / dataset.image_sizes[truth.frames[here]].max(axis=1)
    moved = np.full(len(truth), np.nan)
    moved[here] = np.abs(centres[here] - centres[before[here]]).max(axis=1) * cells_per_px
    return moved


def uncovered_pairs(moved: NDArray[np.float64], radii: Sequence[int]) -> list[float]:
    """Return, for each radius P in cells, the share of pairs that moved farther (table 2 of the paper).

    `moved` is what `displacement` returns. NaN where there are no pairs.

    >>> uncovered_pairs(np.array([np.nan, 0.0, 0.5, 2.0, 7.0]), [0, 1, 2])
    [0.75, 0.5, 0.25]
    """
    pairs = moved[~np.isnan(moved)]
    return [float(np.mean(pairs > radius)) if len(pairs) else float("nan") for radius in radii]


def same_object(dataset: VideoDataset, truth: GroundTruth, step: int) -> IntArray:
    """Return where each object is `step` frames later in its video, as an index ``(M,)``; -1 where it is not.

    Where a track is twice in a frame, its first box counts.
    """
    if not len(truth):
        return np.empty(0, np.int64)
    # A number for each frame of each track, with room so that no step leads to another track.
    room = dataset.frame_count + 2 * abs(step) + 1
    videos = dataset.video_of_rows()[truth.frames]
    _, tracks = np.unique(np.column_stack([videos, truth.tracks]), axis=0, return_inverse=True)
    places = tracks.reshape(-1) * room + truth.frames
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    wanted = places + step
    at = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    there: IntArray = np.where((ordered[at] == wanted) & (truth.tracks >= 0), order[at], -1)
    return there
