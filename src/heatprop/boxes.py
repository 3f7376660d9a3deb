"""Kernels on boxes: placing, areas, intersection over union, greedy matching and non-maximum suppression.

Boxes are ``(N, 4)`` as (x1, y1, x2, y2) on any grid; a side is ``x2 - x1``, without the "+1" of some devkits.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop.types import FloatArray, IntArray

AnyFloatArray: TypeAlias = NDArray[np.floating[Any]]


def boxes_around(centres: FloatArray, sizes: FloatArray) -> FloatArray:
    """Place boxes around centres (equation 1 of the paper).

    Args:
        centres: x and y, float32 ``(N, 2)``.
        sizes: float32 ``(N, 2)`` as width and height, or ``(N, 4)`` as distances to the left, top, right and
            bottom sides.

    Returns:
        float32 ``(N, 4)``.

    >>> boxes_around(np.float32([[3, 4]]), np.float32([[2, 6]])).tolist()
    [[2.0, 1.0, 4.0, 7.0]]
    """
    if sizes.shape[1] == 2:
        low = high = sizes * np.float32(0.5)
    else:
        low, high = sizes[:, :2], sizes[:, 2:]
    return np.concatenate([centres - low, centres + high], axis=1)


def areas(boxes: AnyFloatArray) -> NDArray[np.float64]:
    """Return the area of each box ``(..., 4)``, as ``(...)``; 0 for one whose sides are crossed.

    >>> areas(np.array([[0, 0, 2, 3], [5, 5, 4, 9]], np.float32)).tolist()
    [6.0, 0.0]
    """
    return _area(*_sides(boxes))


def iou(boxes: AnyFloatArray, others: AnyFloatArray) -> NDArray[np.float64]:
    """Return the intersection over union of boxes ``(..., 4)`` with others, broadcast; 0 where both are empty.

    >>> a, b = np.float32([[0, 0, 2, 2]]), np.float32([[1, 0, 3, 2], [0, 0, 0, 0]])
    >>> iou(a[:, None], b[None]).round(3)
    array([[0.333, 0.   ]])
    """
    (x1, y1, x2, y2), (u1, v1, u2, v2) = first, second = _sides(boxes), _sides(others)
    both = np.maximum(x1, u1), np.maximum(y1, v1), np.minimum(x2, u2), np.minimum(y2, v2)
    intersection = _area(*both)
    union = _area(*first) + _area(*second) - intersection
    ratio: NDArray[np.float64] = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    return ratio


def pair_off(rows: IntArray, columns: IntArray) -> IntArray:
    """Return which pairs a greedy one-to-one matching takes, as indices, ascending.

    Args:
        rows: of each pair, from 0, int64 ``(N,)``; the pairs come in the order in which they win, best first.
        columns: likewise. A pair is taken when its row and its column are in none that was taken before.

    >>> rows, columns = np.array([[0, 1], [0, 0], [1, 1], [1, 0]]).T
    >>> pair_off(rows, columns).tolist()
    [0, 3]
    """
    is_row_free = [True] * (int(rows.max(initial=-1)) + 1)
    is_column_free = [True] * (int(columns.max(initial=-1)) + 1)
    taken = []
    for pair, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        if is_row_free[row] and is_column_free[column]:
            is_row_free[row] = is_column_free[column] = False
            taken.append(pair)
    return np.array(taken, np.int64)


def touching_pairs(
    boxes: AnyFloatArray, labels: IntArray, others: AnyFloatArray, other_labels: IntArray
) -> tuple[IntArray, IntArray]:
    """Return the pairs of a box ``(N, 4)`` and another ``(M, 4)`` of its class that overlap, by row of the box.

    >>> boxes, others = np.float32([[0, 0, 4, 4], [9, 0, 12, 4]]), np.float32([[2, 2, 6, 6], [0, 0, 20, 9]])
    >>> rows, columns = touching_pairs(boxes, np.array([7, 7]), others, np.array([7, 8]))
    >>> rows.tolist(), columns.tolist()
    ([0], [0])
    """
    x1, y1, x2, y2 = np.ascontiguousarray(others.T)
    meets = labels[:, None] == other_labels
    for low, high in ((boxes[:, 0], x2), (boxes[:, 1], y2)):
        meets &= low[:, None] < high
    for high, low in ((boxes[:, 2], x1), (boxes[:, 3], y1)):
        meets &= high[:, None] > low
    pairs = meets.reshape(-1).nonzero()[0]
    rows = pairs // max(len(others), 1)
    return rows, pairs - rows * len(others)


def nms(boxes: FloatArray, labels: IntArray, iou_threshold: float) -> IntArray:
    """Return which boxes ``(N, 4)`` survive greedy, class-wise non-maximum suppression, as indices.

    The boxes come in the order in which they win, best first; one is dropped when its intersection over union
    with a kept one of its class is larger than `iou_threshold`.

    >>> boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 5], [0, 0, 4, 4]], np.float32)
    >>> nms(boxes, np.array([7, 7, 8]), 0.3).tolist()
    [0, 2]
    """
    kept = np.ones(len(boxes), np.bool_)
    if iou_threshold < 1.0 and len(boxes) > 1:
        winners, losers = (_touching if len(boxes) <= _MANY else _touching_of_many)(boxes, labels)
        clash = iou(boxes[winners], boxes[losers]) > iou_threshold
        pairs = zip(winners[clash].tolist(), losers[clash].tolist(), strict=True)
        for winner, loser in pairs:  # by falling rank of the winner
            if kept[winner]:
                kept[loser] = False
    return np.flatnonzero(kept)


def nms_across_classes(boxes: FloatArray, scores: FloatArray, iou_threshold: float) -> IntArray:
    """Return which boxes ``(N, 4)`` survive greedy suppression whatever their class, as ascending indices.

    Args:
        boxes: of any order.
        scores: the larger wins, of equal ones the first; ``(N,)``.
        iou_threshold: intersection over union above which two boxes show the same thing.

    >>> boxes = np.array([[0, 0, 4, 4], [9, 0, 12, 4], [0, 0, 4, 4]], np.float32)
    >>> nms_across_classes(boxes, np.float32([0.5, 0.4, 0.6]), 0.8).tolist()
    [1, 2]
    """
    order = np.argsort(-scores, kind="stable")
    return np.sort(order[nms(boxes[order], np.zeros(len(boxes), np.int64), iou_threshold)])


_MANY = 120  # boxes from which on comparing all with all takes longer than sorting them


def _touching(boxes: FloatArray, labels: IntArray) -> tuple[IntArray, IntArray]:
    """Return the pairs of boxes of a class that overlap, by row of the first, then of the second."""
    x1, y1, x2, y2 = np.ascontiguousarray(boxes.T)
    begins = labels[:, None] == labels  # before the other ends
    begins &= x1[:, None] < x2
    begins &= y1[:, None] < y2
    pairs = begins.reshape(-1).nonzero()[0]
    first = pairs // len(boxes)
    second = pairs - first * len(boxes)
    both = (first < second) & begins[second, first]
    return first[both], second[both]


def _touching_of_many(boxes: FloatArray, labels: IntArray) -> tuple[IntArray, IntArray]:
    """Return what `_touching` does, with memory and time that grow with the pairs that meet along x."""
    count = len(boxes)
    order = np.lexsort((boxes[:, 0], labels))
    x1, y1, x2, y2 = np.ascontiguousarray(boxes[order].T)
    # Ranks stand for the sides, so that a class after the other can be one line of numbers without rounding.
    ranks = np.unique(np.concatenate([x1, x2]), return_inverse=True)[1]
    line = np.unique(labels[order], return_inverse=True)[1] * (2 * count)
    ends = np.searchsorted(line + ranks[:count], line + ranks[count:])
    rows = np.arange(count)
    meeting = np.maximum(ends - rows - 1, 0)  # of those that begin no earlier, how many begin before it ends
    one = np.repeat(rows, meeting)
    other = np.arange(len(one)) - np.repeat(np.cumsum(meeting) - meeting - rows - 1, meeting)
    both = (y1[one] < y2[other]) & (y1[other] < y2[one]) & (x1[one] < x2[other])
    one, other = order[one[both]], order[other[both]]
    first, second = np.minimum(one, other), np.maximum(one, other)
    by_first = np.lexsort((second, first))
    return first[by_first], second[by_first]


def _area(
    x1: NDArray[np.float64], y1: NDArray[np.float64], x2: NDArray[np.float64], y2: NDArray[np.float64]
) -> NDArray[np.float64]:
    area: NDArray[np.float64] = np.maximum(x2 - x1, 0.0) * np.maximum(y2 - y1, 0.0)
    return area


def _sides(boxes: AnyFloatArray) -> tuple[NDArray[np.float64], ...]:
    """Return x1, y1, x2 and y2, each float64 ``(...)``, contiguous: several times faster than rows of four."""
    return tuple(np.ascontiguousarray(boxes[..., i], np.float64) for i in range(4))
