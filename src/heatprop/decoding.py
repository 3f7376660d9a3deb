"""From the network's output to boxes: equation 1 of the paper, with class-wise suppression after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heatprop.boxes import nms
from heatprop.errors import InvalidArrayError, check_count, check_range
from heatprop.heatmaps import unravel
from heatprop.peaks import find_peaks
from heatprop.types import Detections, FloatArray, HeadOutput, IntArray

MOST_DETECTIONS = 1000  # ten times the paper's: suppression compares all with all


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """How detections are taken from a heatmap.

    Attributes:
        score_threshold: detections below it are dropped; in [0, 1].
        max_detections: how many peaks a frame may give, over all classes, before suppression; from 1 to 1000.
        nms_iou: of two boxes of a class that overlap by more than this, the weaker goes; 1 keeps all.

    Raises:
        InvalidConfigError: a value lies outside its range.
    """

    score_threshold: float = 0.05
    max_detections: int = 100
    nms_iou: float = 0.3

    def __post_init__(self) -> None:
        check_range("score_threshold", self.score_threshold, 0, 1)
        check_range("nms_iou", self.nms_iou, 0, 1)
        check_count("max_detections", self.max_detections, 1, MOST_DETECTIONS)


def decode(
    output: HeadOutput,
    *,
    score_threshold: float = DecodingConfig.score_threshold,
    max_detections: int = DecodingConfig.max_detections,
    nms_iou: float = DecodingConfig.nms_iou,
) -> Detections:
    """Turn what the network says about one frame into detections, without looking at other frames.

    Peaks are cells not below their 8 neighbours of the same class; the best `max_detections` of at least
    `score_threshold` become boxes by equation 1, and the weaker of two boxes of a class that overlap by more
    than `nms_iou` goes. Equal scores: the lower flat index ``(class, row, column)`` comes first.

    Args:
        output: heatmap, sizes and offsets of one frame.
        score_threshold: see `DecodingConfig`.
        max_detections: see `DecodingConfig`.
        nms_iou: see `DecodingConfig`.

    Returns:
        Boxes in cells of the output grid, by falling score; every length is 1.

    Raises:
        InvalidArrayError: the heatmap leaves [0, 1] or holds NaN, or a size or offset at a peak is not finite.
        InvalidConfigError: a setting lies outside its range.

    Example:
        >>> heatmap, size = np.zeros((3, 8, 8)), np.full((2, 8, 8), 4.0)
        >>> heatmap[2, 5, 3] = 0.9
        >>> found = decode(HeadOutput(heatmap, size))
        >>> found.boxes.tolist(), found.labels.tolist()
        ([[1.0, 3.0, 5.0, 7.0]], [2])

    Source: equation 1 and section 4.1 of the paper; CenterNet's ``ctdet_decode``.
    """
    config = DecodingConfig(score_threshold=score_threshold, max_detections=max_detections, nms_iou=nms_iou)
    peaks = find_peaks(output.heatmap, config.score_threshold, 3)
    peaks = strongest(peaks, output.heatmap, config.max_detections)
    labels, rows, columns = unravel(peaks, output.heatmap.shape)
    boxes = boxes_at(rows, columns, sizes_at(output, rows, columns), output.offset)
    kept = nms(boxes, labels, config.nms_iou)
    return Detections(boxes[kept], output.heatmap.reshape(-1)[peaks[kept]], labels[kept])


def strongest(cells: IntArray, heatmap: FloatArray, count: int) -> IntArray:
    """Return the at most `count` cells of the highest values, best first; equal ones keep their order.

    >>> strongest(np.arange(4), np.array([0.1, 0.5, 0.9, 0.5], np.float32), 2).tolist()
    [2, 1]
    """
    values = heatmap.reshape(-1)[cells]
    if len(cells) > 4 * count:  # only what is as strong as the last of them needs to be put in order
        least = np.partition(values, len(values) - count)[len(values) - count]
        stronger = np.flatnonzero(values > least)
        as_strong = np.flatnonzero(values == least)[: count - len(stronger)]
        chosen = np.sort(np.concatenate([stronger, as_strong]))
        cells, values = cells[chosen], values[chosen]
    order = np.argsort(-values, kind="stable")
    return cells[order[:count]]


def sizes_at(output: HeadOutput, rows: IntArray, columns: IntArray) -> FloatArray:
    """Return the network's sizes ``(N, 2 or 4)`` in cells at the given cells.

    Raises:
        InvalidArrayError: one of them is not finite.
    """
    return _gather(output.size, "size", rows, columns)


def boxes_at(rows: IntArray, columns: IntArray, sizes: FloatArray, offset: FloatArray | None) -> FloatArray:
    """Place boxes around cells (equation 1).

    Args:
        rows: cells' rows, int64 ``(N,)``.
        columns: cells' columns, int64 ``(N,)``.
        sizes: ``(N, 2)`` as width and height, or ``(N, 4)`` as distances to the left, top, right and bottom
            sides, in cells.
        offset: ``(2, H, W)`` in cells, or None.

    Returns:
        float32 ``(N, 4)`` as (x1, y1, x2, y2) in cells.

    Raises:
        InvalidArrayError: an offset at one of the cells is not finite.
    """
    centers = np.stack([columns, rows], axis=1).astype(np.float32)
    if offset is not None:
        centers += _gather(offset, "offset", rows, columns)
    if sizes.shape[1] == 2:
        low = high = sizes * np.float32(0.5)
    else:
        low, high = sizes[:, :2], sizes[:, 2:]
    return np.concatenate([centers - low, centers + high], axis=1)


def _gather(head: FloatArray, name: str, rows: IntArray, columns: IntArray) -> FloatArray:
    """Read a head ``(K, H, W)`` at cells, as ``(N, K)``; only these values are checked."""
    values = np.ascontiguousarray(head[:, rows, columns].T)
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        first = int(np.argmin(finite))
        raise InvalidArrayError(
            f"{name} is not finite at (row, column) ({rows[first]}, {columns[first]}): "
            "the network's output is broken"
        )
    return values
