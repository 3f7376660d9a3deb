"""Boxes for the frames between two key frames, from both (offline)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from heatprop.boxes import iou, pair_off
from heatprop.types import Detections, FloatArray, IntArray

MIN_OVERLAP = 0.3

Following = Sequence[FloatArray]


def fill_between(
    first: Detections,
    forward: Following,
    last: Detections,
    follow_back: Callable[[FloatArray], Following],
    *,
    min_score: float = 0.0,
) -> list[Detections]:
    """Return the detections of the frames between two key frames.

    An object of both key frames goes where its motion led from the first, corrected step by step so that it
    arrives where the last one has it; its score changes evenly from one to the other. An object of one alone
    goes where its motion leads, and its score falls evenly to 0 at the other.

    Args:
        first: of the first key frame, ``N`` objects.
        forward: its boxes in each frame after it, up to that of the last key frame; ``K`` arrays ``(N, 4)``.
        last: of the last key frame; boxes on the same grid.
        follow_back: follows boxes ``(M, 4)`` from the last key frame backwards through the ``K - 1`` frames before
            it, the nearest first.
        min_score: objects of one key frame alone with less are skipped, since their score only falls.

    Returns:
        ``K - 1`` frames, each by falling score.

    Example:
        >>> first = Detections([[0, 0, 4, 4]], [0.8], [0])
        >>> last = Detections([[2, 0, 6, 4]], [0.6], [0])
        >>> still = [first.boxes, first.boxes]
        >>> (middle,) = fill_between(first, still, last, lambda boxes: [boxes])
        >>> middle.boxes.tolist(), middle.scores.round(2)
        ([[1.0, 0.0, 5.0, 4.0]], array([0.7], dtype=float32))
    """
    steps = len(forward)
    if steps < 2:
        return []
    ours, theirs = _matched(replace(first, boxes=forward[-1]), last)
    gone = np.setdiff1d(np.flatnonzero(first.scores >= min_score), ours)
    new = np.setdiff1d(np.flatnonzero(last.scores >= min_score), theirs)
    backward = follow_back(last.boxes[new])[::-1] if len(new) else [last.boxes[new]] * (steps - 1)
    error = last.boxes[theirs] - forward[-1][ours]
    labels = np.concatenate([first.labels[ours], first.labels[gone], last.labels[new]])
    lengths = np.concatenate([first.lengths[ours], first.lengths[gone], last.lengths[new]])
    ids = np.concatenate([first.track_ids[ours], first.track_ids[gone], last.track_ids[new]])
    frames = []
    for step in range(1, steps):
        share = step / steps
        boxes = [forward[step - 1][ours] + share * error, forward[step - 1][gone], backward[step - 1]]
        scores = [
            (1 - share) * first.scores[ours] + share * last.scores[theirs],
            (1 - share) * first.scores[gone],
            share * last.scores[new],
        ]
        detections = Detections(np.concatenate(boxes), np.concatenate(scores), labels, lengths, ids)
        frames.append(detections.select(np.argsort(-detections.scores, kind="stable")))
    return frames


def _matched(first: Detections, last: Detections) -> tuple[IntArray, IntArray]:
    """Pair the same tracklets, then boxes of the same class, the best overlaps first; rows of both."""
    is_same = (first.track_ids[:, None] == last.track_ids) & (last.track_ids >= 0)
    overlaps = np.where(first.labels[:, None] == last.labels, iou(first.boxes[:, None], last.boxes[None]), 0.0)
    worth = np.where(is_same, 2.0, overlaps)
    rows, columns = np.nonzero(worth >= MIN_OVERLAP)
    order = np.argsort(-worth[rows, columns], kind="stable")
    taken = order[pair_off(rows[order], columns[order])]
    return rows[taken], columns[taken]
