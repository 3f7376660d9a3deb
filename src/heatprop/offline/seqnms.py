"""Seq-NMS: rescore the detections of a whole video along the paths of its objects, and drop their duplicates.

`seq_nms` takes `Detections` frame by frame, `rescore` the same as columns. Both work class by class on the graph
of boxes: two boxes of adjacent frames that overlap well are linked; the path of the largest sum of scores is an
object; it is taken out and the next is looked for. The sums are computed once for the whole video; after a path
is taken, only those that ran through its boxes are computed again.

Source: Han et al., *Seq-NMS for Video Object Detection*, as published with Flow-Guided Feature Aggregation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import InvalidArrayError, InvalidConfigError, check_range
from heatprop.types import Detections, IntArray

Rescoring: TypeAlias = Literal["mean", "max"]
_DoubleArray: TypeAlias = NDArray[np.float64]
_PAIRS_AT_ONCE = 1 << 17  # what a processor's cache holds


@dataclass(frozen=True, kw_only=True)
class SeqNmsConfig:
    """Settings of Seq-NMS; the defaults are the published ones.

    Attributes:
        link_iou: boxes of adjacent frames that overlap by at least this may be the same object; in [0, 1].
        suppress_iou: in each frame of a path, boxes that overlap its box by at least this go; in [0, 1].
        rescoring: what every box of a path gets: the "mean" or the "max" of its scores.
        min_path_score: paths of a smaller sum of scores are left alone; at least 0.

    Raises:
        InvalidConfigError: a value lies outside its range.
    """

    link_iou: float = 0.5
    suppress_iou: float = 0.3
    rescoring: Rescoring = "mean"
    min_path_score: float = 0.01

    def __post_init__(self) -> None:
        check_range("link_iou", self.link_iou, 0, 1)
        check_range("suppress_iou", self.suppress_iou, 0, 1)
        check_range("min_path_score", self.min_path_score, 0, np.inf)
        if self.rescoring not in get_args(Rescoring):
            raise InvalidConfigError(f"rescoring is {self.rescoring!r}; it must be 'mean' or 'max'")


def seq_nms(detections: Sequence[Detections], config: SeqNmsConfig = SeqNmsConfig()) -> list[Detections]:
    """Rescore all detections of one video.

    Args:
        detections: those of each frame in order, frames without any included; boxes in pixels of the frame.
        config: the settings.

    Returns:
        What is left of each frame, by falling new score; equal scores keep their order. Boxes, labels and tracklet
        lengths are those of the input.

    Raises:
        InvalidArrayError: a box is not finite, or a score is not finite or below 0.

    Example:
        A car that is nearly lost in the middle frame gets the mean of its path.

        >>> video = [Detections([[0, 0, 20, 10]], [score], [2]) for score in (0.9, 0.3, 0.9)]
        >>> [f"{frame.scores[0]:.3f}" for frame in seq_nms(video)]
        ['0.700', '0.700', '0.700']
    """
    if not detections:
        return []
    counts = [len(frame) for frame in detections]
    scores, kept = rescore(
        np.repeat(np.arange(len(counts)), counts),
        np.concatenate([frame.labels for frame in detections]),
        np.concatenate([frame.scores for frame in detections]).astype(np.float64),
        np.concatenate([frame.boxes for frame in detections]).astype(np.float64),
        config,
    )
    rescored = []
    for frame, (start, end) in zip(detections, pairwise(np.cumsum([0, *counts]).tolist()), strict=True):
        left = np.flatnonzero(kept[start:end])
        left = left[np.argsort(-scores[start:end][left], kind="stable")]
        new = scores[start:end][left].astype(np.float32)
        rescored.append(replace(frame.select(left), scores=new))
    return rescored


def rescore(
    frames: IntArray,
    labels: IntArray,
    scores: _DoubleArray,
    boxes: _DoubleArray,
    config: SeqNmsConfig = SeqNmsConfig(),
) -> tuple[_DoubleArray, NDArray[np.bool_]]:
    """Rescore all detections of one video, given as columns with one row a detection, in any order.

    Of equal paths the one that ends in the earliest frame wins, then in the first row; of equal ways to a box
    the first row.

    Args:
        frames: numbers of the frames, int64 ``(D,)``; n and n + 1 are adjacent.
        labels: class numbers, int64 ``(D,)``.
        scores: float64 ``(D,)``.
        boxes: float64 ``(D, 4)`` as (x1, y1, x2, y2) in pixels; a side is ``x2 - x1 + 1`` long.
        config: the settings.

    Returns:
        The new scores, float64 ``(D,)``, and which rows stay, bool ``(D,)``. What is in no path keeps its score.

    Raises:
        InvalidArrayError: a box is not finite, or a score is not finite or below 0.
    """
    _check_numbers(frames, scores, boxes)
    new, kept = scores.astype(np.float64), np.ones(len(scores), np.bool_)
    order = np.lexsort((frames, labels))  # stable: within class and frame the rows keep their order
    for rows in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        search = _PathSearch(frames[rows], scores[rows].tolist(), boxes[rows], config)
        for path, total in search.paths(config.min_path_score):
            taken = rows[path]
            new[taken] = total / len(path) if config.rescoring == "mean" else scores[taken].max()
        kept[rows[search.suppressed]] = False
    return new, kept


class _PathSearch:
    """The boxes of a class as a graph, and for each the best sum of a path that ends in it.

    Args:
        frames: of each box, ascending.
        scores: of each box.
        boxes: ``(D, 4)``.
        config: the settings.

    Attributes:
        suppressed: the boxes that gave way to one of a path.
    """

    def __init__(self, frames: IntArray, scores: list[float], boxes: _DoubleArray, config: SeqNmsConfig) -> None:
        count = len(scores)
        frame_end = np.searchsorted(frames, frames, "right")
        next_end = np.searchsorted(frames, frames + 1, "right")
        earlier, later = _overlapping(boxes, frame_end, next_end, config.link_iou)
        self._links = len(earlier)
        self.suppressed: list[int] = []
        if not self._links:
            return
        one, other = _overlapping(boxes, np.arange(1, count + 1), frame_end, config.suppress_iou)
        self._after = _neighbours(earlier, later, count)
        self._before = _neighbours(later, earlier, count)
        self._rivals = _neighbours(np.concatenate([one, other]), np.concatenate([other, one]), count)
        self._scores = scores
        self._sums, self._origins = scores.copy(), [-1] * count
        for box, linked in enumerate(self._before):  # those before a box come first: their sums are final
            if linked:
                self._sums[box], self._origins[box] = self._best(box)
        self._is_free = [True] * count

    def paths(self, min_path_score: float) -> Iterator[tuple[list[int], float]]:
        """Take the paths, best first, while there are links: each as boxes and sum of scores."""
        if not self._links:
            return
        sums = np.array(self._sums)
        ranking = np.argsort(-sums, kind="stable")[::-1]
        # The best is last. Sums only ever fall, so none ranks too low; one that fell is ranked again in its turn.
        ranked = list(zip((-sums[ranking]).tolist(), ranking.tolist(), strict=True))
        fallen: list[tuple[float, int]] = []
        while self._links:
            claimed, last = heappop(fallen) if fallen and not (ranked and ranked[-1] < fallen[0]) else ranked.pop()
            total = self._sums[last]
            if not self._is_free[last]:
                continue
            if claimed != -total:
                heappush(fallen, (-total, last))
                continue
            if total < min_path_score:
                return
            path = [last]
            while (last := self._origins[last]) >= 0:
                path.append(last)
            self._take(path)
            yield path, total

    def _take(self, path: list[int]) -> None:
        """Take the boxes of a path and their rivals out, with all their links."""
        rivals = [rival for box in path for rival in self._rivals[box] if self._is_free[rival]]
        self.suppressed += rivals
        for box in (*path, *rivals):
            self._is_free[box] = False
            self._sums[box] = 0.0
            for linked in (*self._before[box], *self._after[box]):
                self._links -= self._is_free[linked]
        self._sum_again([*path, *rivals])

    def _sum_again(self, changed: list[int]) -> None:
        """Compute the sums anew that ran through changed boxes, frame after frame, as far as they change."""
        pending: list[int] = []
        for box in changed:
            pending += [following for following in self._after[box] if self._origins[following] == box]
        pending = [box for box in pending if self._is_free[box]]
        heapify(pending)
        while pending:
            box = heappop(pending)
            before = self._sums[box]
            self._sums[box], self._origins[box] = self._best(box)
            if self._sums[box] != before:
                for following in self._after[box]:
                    if self._origins[following] == box and self._is_free[following]:
                        heappush(pending, following)

    def _best(self, box: int) -> tuple[float, int]:
        """Return the best sum of a path that ends in a box, and the box before it in that path, or -1."""
        score = best = self._scores[box]
        origin = -1
        for linked in self._before[box]:  # one that was taken has the sum 0 and so is never strictly better
            total = self._sums[linked] + score
            if total > best:
                best, origin = total, linked
        return best, origin


def _overlapping(
    boxes: _DoubleArray, first: IntArray, end: IntArray, threshold: float
) -> tuple[IntArray, IntArray]:
    """Return the pairs (i, j) of boxes with j from `first` to `end` of i and an IoU of at least `threshold`.

    A side is counted with the pixel at its end: ``x2 - x1 + 1``.
    """
    x1, y1, x2, y2 = (np.ascontiguousarray(boxes[:, i]) for i in range(4))
    areas = np.maximum(x2 - x1 + 1, 0.0) * np.maximum(y2 - y1 + 1, 0.0)
    reach = np.cumsum(end - first)
    found = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    begin = 0
    while begin < len(reach):
        done = reach[begin - 1] if begin else 0
        stop = max(int(np.searchsorted(reach, done + _PAIRS_AT_ONCE, "right")), begin + 1)
        some = np.arange(begin, stop)
        i = np.repeat(some, (end - first)[some])
        j = np.arange(done, reach[stop - 1]) - np.repeat(reach[some] - end[some], (end - first)[some])
        width = np.minimum(x2[i], x2[j]) - np.maximum(x1[i], x1[j]) + 1
        if threshold > 0:  # most pairs lie apart
            near = np.flatnonzero(width > 0)
            i, j, width = i[near], j[near], width[near]
        height = np.minimum(y2[i], y2[j]) - np.maximum(y1[i], y1[j]) + 1
        common = np.maximum(width, 0.0) * np.maximum(height, 0.0)
        union = areas[i] + areas[j] - common
        overlap = np.divide(common, union, out=np.zeros_like(union), where=union > 0) >= threshold
        found.append((i[overlap], j[overlap]))
        begin = stop
    lefts, rights = zip(*found, strict=True)
    return np.concatenate(lefts), np.concatenate(rights)


def _neighbours(boxes: IntArray, others: IntArray, count: int) -> list[Sequence[int]]:
    """Gather pairs (box, other) into a list of others for each of `count` boxes; it keeps their order."""
    order = np.argsort(boxes, kind="stable")
    boxes, ordered = boxes[order], others[order].tolist()
    starts = np.flatnonzero(np.diff(boxes, prepend=-1))
    lists: list[Sequence[int]] = [()] * count
    for box, (start, end) in zip(boxes[starts].tolist(), pairwise([*starts.tolist(), len(ordered)]), strict=True):
        lists[box] = ordered[start:end]
    return lists


def _check_numbers(frames: IntArray, scores: _DoubleArray, boxes: _DoubleArray) -> None:
    for name, good in (
        ("box", np.isfinite(boxes).all(axis=1)),
        ("score", np.isfinite(scores) & (scores >= 0)),
    ):
        if not good.all():
            row = int(np.argmin(good))
            value = boxes[row].tolist() if name == "box" else float(scores[row])
            wanted = "finite" if name == "box" else "a finite number of at least 0"
            raise InvalidArrayError(
                f"{name} of a detection in frame {frames[row]} is {value}; it must be {wanted}: remove it"
            )
