"""Seq-Bbox Matching: link the boxes of an object from frame to frame, and give them the mean of their scores.

`SeqBboxMatcher` does it online, frame after frame: a box gets the mean of its object's scores so far. `seq_bbox`
does it when the whole video is there: it also links over frames in which an object was missed, gives every box
of an object the same mean, and puts boxes where some were missed.

Source: Belhassen, Zhang, Fresse and Bourennane, *Improving Video Object Detection by Seq-Bbox Matching*, VISAPP
2019. There a box has a score for each class, and two boxes are ``1 / (IoU * V_i . V_j)`` apart. A box of heatprop
has one class and one score: the product of the vectors is the product of the scores where the classes agree, and
0 elsewhere. So boxes of different classes are infinitely far apart, and no box changes its class.
`docs/method.md` says what else is settled here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatprop.boxes import iou
from heatprop.errors import InvalidArrayError, check_count, check_range
from heatprop.offline.linking import DoubleArray, best_first, chains, link_over_gaps
from heatprop.types import Detections, IntArray

_MAX_GAP = 10_000  # minutes of video


@dataclass(frozen=True, kw_only=True)
class SeqBboxConfig:
    """Settings of Seq-Bbox Matching.

    Attributes:
        min_iou: boxes that overlap less are not matched, however close their scores bring them; in [0, 1]. 0 asks
            that they touch at all.
        max_gap: frames in a row in which an object may be missed and still be linked and put in; from 0, which
            links nothing, to 10000. Only `seq_bbox` has use for it.

    Raises:
        InvalidConfigError: a value lies outside its range.
    """

    min_iou: float = 0.3
    max_gap: int = 5

    def __post_init__(self) -> None:
        check_range("min_iou", self.min_iou, 0, 1)
        check_count("max_gap", self.max_gap, 0, _MAX_GAP)


def match_boxes(first: Detections, second: Detections, min_iou: float) -> IntArray:
    """Match the boxes of two frames, the closest two first, each box at most once.

    The distance of two boxes of a class is ``1 / (IoU * score * score)``. Of equal distances the first row of the
    first frame wins, then that of the second.

    Args:
        first: the detections of a frame.
        second: those of the other.
        min_iou: see `SeqBboxConfig`.

    Returns:
        Rows of both, int64 ``(M, 2)``, the closest two first.

    Example:
        >>> first = Detections([[0, 0, 4, 4], [9, 0, 13, 4]], [0.9, 0.8], [2, 2])
        >>> second = Detections([[8, 0, 12, 4], [0, 1, 4, 5]], [0.9, 0.2], [2, 2])
        >>> match_boxes(first, second, 0.3).tolist()
        [[1, 0], [0, 1]]
    """
    rows, others = np.nonzero(first.labels[:, None] == second.labels)
    boxes = first.boxes.astype(np.float64), second.boxes.astype(np.float64)
    scores = first.scores.astype(np.float64), second.scores.astype(np.float64)
    nearness = _nearness(rows, others, boxes, scores, min_iou)
    near = np.flatnonzero(nearness > 0)
    taken = near[best_first(rows[near], others[near], nearness[near])]
    return np.stack([rows[taken], others[taken]], axis=1)


class SeqBboxMatcher:
    """Seq-Bbox Matching as frames come in: each box gets the mean of its object's scores up to this frame.

    Nothing is lost and no box moves. An object that is missed in a frame starts anew. Distances are those of the
    scores that come in, not of the means that go out. Call `reset` before another video.

    Example:
        >>> matcher = SeqBboxMatcher()
        >>> for score in (0.9, 0.5, 0.1):
        ...     detections = matcher.update(Detections([[0, 0, 20, 10]], [score], [2]))
        >>> detections.scores.round(3), detections.lengths
        (array([0.5], dtype=float32), array([3]))
    """

    def __init__(self, config: SeqBboxConfig = SeqBboxConfig()) -> None:
        self.config = config
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame is the first of a video."""
        self._last = Detections.empty()
        self._sums = np.empty(0)
        self._counts = np.empty(0, np.int64)

    def update(self, detections: Detections) -> Detections:
        """Give the detections of the next frame their new scores.

        Args:
            detections: boxes on any grid, the same in all frames.

        Returns:
            The same boxes and labels by falling new score, equal scores in their order; lengths are in how many
            frames up to this one the object was matched.

        Raises:
            InvalidArrayError: a box is not finite, or a score is not finite or below 0. The state stays as it was.
        """
        _check_numbers(detections)
        sums, counts = detections.scores.astype(np.float64), np.ones(len(detections), np.int64)
        before, now = match_boxes(self._last, detections, self.config.min_iou).T
        sums[now] += self._sums[before]
        counts[now] += self._counts[before]
        self._last, self._sums, self._counts = detections, sums, counts
        return _by_falling_score(detections.boxes, sums / counts, detections.labels, counts)


def seq_bbox(detections: Sequence[Detections], config: SeqBboxConfig = SeqBboxConfig()) -> list[Detections]:
    """Rescore all detections of one video, and put boxes where objects were missed.

    Boxes of adjacent frames are matched as in `match_boxes`: a row of matches is a tubelet. The last box of one
    and the first of a later one are matched likewise, with the means of their scores, when at most `max_gap`
    frames lie between: again the closest first. All boxes of what is linked get the mean of its scores; in the
    frames between, each side of a box is interpolated.

    Args:
        detections: those of each frame in order, frames without any included; boxes in pixels of the frame.
        config: the settings.

    Returns:
        The boxes of each frame by falling new score; of equal scores those of the input come first, in their
        order. No box of the input is lost. Lengths count the frames since the object was first seen.

    Raises:
        InvalidArrayError: a box is not finite, or a score is not finite or below 0.

    Example:
        A car that was missed in the middle frame is put there.

        >>> car = lambda x, score: Detections([[x, 0, x + 20, 10]], [score], [2])
        >>> middle = seq_bbox([car(0, 0.75), Detections.empty(), car(4, 0.25)])[1]
        >>> middle.boxes.tolist(), middle.scores.tolist()
        ([[2.0, 0.0, 22.0, 10.0]], [0.5])
    """
    if not detections:
        return []
    for frame in detections:
        _check_numbers(frame)
    starts = np.cumsum([0, *map(len, detections)])
    frames = np.repeat(np.arange(len(detections)), np.diff(starts))
    labels = np.concatenate([frame.labels for frame in detections])
    scores = np.concatenate([frame.scores for frame in detections]).astype(np.float64)
    boxes = np.concatenate([frame.boxes for frame in detections]).astype(np.float64)

    before = np.full(len(frames), -1)
    for place, (first, second) in enumerate(pairwise(detections)):
        rows, others = match_boxes(first, second, config.min_iou).T
        before[starts[place + 1] + others] = starts[place] + rows
    tubelets, firsts, lasts = chains(before)
    means = np.bincount(tubelets, scores) / np.bincount(tubelets)
    labels_of = labels[firsts]
    earlier, later = link_over_gaps(
        (frames[lasts], labels_of),
        (frames[firsts], labels_of),
        lambda one, other: _nearness(one, other, (boxes[lasts], boxes[firsts]), (means, means), config.min_iou),
        least_gap=2,
        most_gap=config.max_gap + 1,
    )
    linked_to = np.full(len(firsts), -1)
    linked_to[later] = earlier
    numbers, first_of_chain, _ = chains(linked_to)  # tubelets come in the order in which they begin
    objects = first_of_chain[numbers]  # of each tubelet: the first tubelet that it is linked to

    of_rows = objects[tubelets]
    totals = np.bincount(of_rows, scores, len(objects))
    new = totals / np.maximum(np.bincount(of_rows, minlength=len(objects)), 1)
    born = frames[firsts]
    missed = list(_interpolated(frames, boxes, lasts[earlier], firsts[later]))
    of_rows = np.concatenate([of_rows, np.repeat(objects[earlier], [len(when) for when, _ in missed])])
    labels = labels_of[of_rows]
    frames = np.concatenate([frames, *(when for when, _ in missed)])
    boxes = np.concatenate([boxes, *(where for _, where in missed)])
    order = np.argsort(frames, kind="stable")
    return [
        _by_falling_score(boxes[rows], new[of_rows[rows]], labels[rows], frames[rows] - born[of_rows[rows]] + 1)
        for rows in np.split(order, np.searchsorted(frames[order], np.arange(1, len(detections))))
    ]


def _nearness(
    rows: IntArray,
    others: IntArray,
    boxes: tuple[DoubleArray, DoubleArray],
    scores: tuple[DoubleArray, DoubleArray],
    min_iou: float,
) -> DoubleArray:
    """Return one over the distance of pairs of boxes of a class; -inf where they may not be matched."""
    ones, twos = boxes
    nearness = np.full(len(rows), -np.inf)
    # most pairs lie apart
    touch = np.flatnonzero((ones[rows, 0] < twos[others, 2]) & (twos[others, 0] < ones[rows, 2]))
    rows, others = rows[touch], others[touch]
    overlap = iou(ones[rows], twos[others])
    near = overlap * (scores[0][rows] * scores[1][others])
    nearness[touch] = np.where((overlap >= min_iou) & (near > 0), near, -np.inf)
    return nearness


def _interpolated(
    frames: IntArray, boxes: DoubleArray, lasts: IntArray, firsts: IntArray
) -> Iterator[tuple[IntArray, DoubleArray]]:
    """Yield the frames between two rows each, and the boxes there."""
    for last, first in zip(lasts.tolist(), firsts.tolist(), strict=True):
        between = np.arange(frames[last] + 1, frames[first])
        share = ((between - frames[last]) / (frames[first] - frames[last]))[:, None]
        yield between, boxes[last] + share * (boxes[first] - boxes[last])


def _by_falling_score(boxes: NDArray[Any], scores: DoubleArray, labels: IntArray, lengths: IntArray) -> Detections:
    order = np.argsort(-scores, kind="stable")
    return Detections(
        boxes[order].astype(np.float32), scores[order].astype(np.float32), labels[order], lengths[order]
    )


def _check_numbers(detections: Detections) -> None:
    if not np.isfinite(detections.boxes).all():
        raise InvalidArrayError("a box of the detections is not finite; remove such detections")
    if not (np.isfinite(detections.scores) & (detections.scores >= 0)).all():
        raise InvalidArrayError(
            "a score of the detections is not a finite number of at least 0; remove such detections"
        )
