"""Kernels on boxes: areas, intersection over union, greedy non-maximum suppression.

Boxes are ``(N, 4)`` as (x1, y1, x2, y2) on any grid; a side is ``x2 - x1``, without the "+1" of some devkits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heatprop.types import FloatArray, IntArray


def areas(boxes: FloatArray) -> NDArray[np.float64]:
    """Return the area ``(N,)`` of each box; 0 for one whose sides are crossed.

    >>> areas(np.array([[0, 0, 2, 3], [5, 5, 4, 9]], np.float32)).tolist()
    [6.0, 0.0]
    """
    sides = boxes[:, 2:].astype(np.float64) - boxes[:, :2]
    area: NDArray[np.float64] = np.prod(np.maximum(sides, 0.0), axis=1)
    return area


def iou(boxes: FloatArray, others: FloatArray) -> NDArray[np.float64]:
    """Return the intersection over union ``(N, M)`` of each box with each other; 0 where both are empty.

    >>> iou(np.array([[0, 0, 2, 2]], np.float32), np.array([[1, 0, 3, 2], [0, 0, 0, 0]], np.float32)).round(3)
    array([[0.333, 0.   ]])
    """
    a, b = boxes.astype(np.float64), others.astype(np.float64)
    width = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0])
    height = np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1])
    intersection = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    union = areas(boxes)[:, None] + areas(others)[None, :] - intersection
    ratio: NDArray[np.float64] = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    return ratio


def nms(boxes: FloatArray, labels: IntArray, iou_threshold: float) -> IntArray:
    """Return which boxes ``(N, 4)`` survive greedy, class-wise non-maximum suppression, as indices.

    The boxes come in the order in which they win, best first; one is dropped when its intersection over union
    with a kept one of its class is larger than `iou_threshold`. Memory grows with the square of N.

    >>> boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 5], [0, 0, 4, 4]], np.float32)
    >>> nms(boxes, np.array([7, 7, 8]), 0.3).tolist()
    [0, 2]
    """
    count = len(boxes)
    if count < 2 or iou_threshold >= 1.0:
        return np.arange(count)
    clashes = np.triu(iou(boxes, boxes) > iou_threshold, k=1) & (labels[:, None] == labels[None, :])
    kept = np.ones(count, np.bool_)
    for winner in np.flatnonzero(clashes.any(axis=1)):
        if kept[winner]:
            kept &= ~clashes[winner]
    return np.flatnonzero(kept)
