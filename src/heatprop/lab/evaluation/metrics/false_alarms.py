"""To which objects a detection that found none belongs: how motion subsets share out false positives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heatprop.lab.evaluation.metrics.matching import Matching, inclusive_iou, pairs


def best_overlaps(matching: Matching, subsets: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how much each detection overlaps each subset of the objects of its frame, of any class.

    Args:
        matching: ``D`` detections and ``M`` objects.
        subsets: the objects of each of ``S`` subsets, bool ``(S, M)``.

    Returns:
        The largest intersection over union, sides counted as ``x2 - x1 + 1``, float64 ``(S, D)``; -1 where the
        frame has no object of the subset, and for detections that found an object.
    """
    truth, detections = matching.truth, matching.detections
    best = np.full((len(subsets), len(detections)), -1.0)
    unmatched = np.flatnonzero(matching.objects < 0)
    for number, thing in pairs(detections.frames[unmatched], truth.frames):
        detection = unmatched[number]
        overlap = inclusive_iou(detections.boxes[detection], truth.boxes[thing])
        starts = np.flatnonzero(np.diff(detection, prepend=-1))
        for subset, row in zip(subsets, best, strict=True):
            row[detection[starts]] = np.maximum.reduceat(np.where(subset[thing], overlap, -1.0), starts)
    return best


def frame_shares(matching: Matching, subsets: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of each subset in the objects of each frame, float64 ``(S, F)``; NaN for a frame without.

    `subsets` is bool ``(S, M)``.
    """
    frames, count = matching.truth.frames, matching.dataset.frame_count
    objects = np.bincount(frames, minlength=count)
    members = np.stack([np.bincount(frames[subset], minlength=count) for subset in subsets])
    shares: NDArray[np.float64] = np.divide(
        members, objects, out=np.full(members.shape, np.nan), where=objects > 0
    )
    return shares
