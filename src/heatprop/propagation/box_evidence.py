"""What a detector that gives only boxes says of one frame: each box is a site."""

from __future__ import annotations

from math import ceil
from operator import index
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop.boxes import boxes_around, iou, touching_pairs
from heatprop.errors import InvalidArrayError, shortened
from heatprop.heatmaps import Known
from heatprop.propagation.evidence import Form, ImageArea, Near
from heatprop.types import Detections, FloatArray, IntArray

ImageSize: TypeAlias = tuple[int, int]
"""Height and width of a frame in pixels."""
CELLS = 128
"""Along the longer side of the frame, as on the paper's grid: lists have none, but settings count in them."""
REACH = 0.3
"""Intersection over union with the expected box from which on a box may be the object's."""
_FARTHEST = 1 << 24  # up to which float32 has every whole pixel


class BoxEvidence:
    """A list of boxes: each is a site, best first, and so is each place where an object is expected and not seen.

    Centres and sizes are in cells, `CELLS` along the longer side of the frame, and are not rounded; `boxes`
    gives pixels. A box whose size is its own comes back as it was given.

    Args:
        detections: boxes in pixels, any scores: low ones help an object on. Lengths and ids are of no account.
        image_size: height and width of the frame in pixels.

    Attributes:
        area: the frame, in cells.
        cell: the side of one in pixels.

    Raises:
        InvalidArrayError: these are no detections, a score is not within [0, 1], the sides of a box are crossed or
            beyond all frames, or the size is not of two whole numbers from 1.
    """

    def __init__(self, detections: Detections, image_size: ImageSize) -> None:
        height, width = require_image_size(image_size)
        check_detections(detections)
        best_first = np.argsort(-detections.scores, kind="stable")
        self.scores = detections.scores[best_first]
        self._labels, self._boxes = detections.labels[best_first], detections.boxes[best_first]
        self.cell = max(height, width) / CELLS
        corners = self._boxes.astype(np.float64)
        self._centres = (corners[:, :2] + corners[:, 2:]) / (2 * self.cell)
        self._sizes = ((corners[:, 2:] - corners[:, :2]) / self.cell).astype(np.float32)
        self._in_cells = boxes_around(self._centres.astype(np.float32), self._sizes)
        self.area: ImageArea = (0.0, 0.0, width / self.cell, height / self.cell)
        self.form = Form(0, ceil(height / self.cell), ceil(width / self.cell), 2)

    def read(self, sites: IntArray) -> FloatArray:
        """See `Evidence.read`; the scores were checked when they came."""
        return self.scores[sites]

    def places(self, sites: IntArray) -> tuple[IntArray, NDArray[np.float64]]:
        """See `Evidence.places`."""
        return self._labels[sites], self._centres[sites]

    def near(self, labels: IntArray, centres: NDArray[Any], _: int | IntArray, sizes: FloatArray, /) -> Near:
        """See `Evidence.near`; the boxes of the class that overlap the expected one by at least `REACH`.

        A box is the farther, the less it overlaps: one that does not at all is as far as a cell ten cells away.
        """
        expected = boxes_around(centres.astype(np.float32), sizes)
        rows, sites = touching_pairs(expected, labels, self._in_cells, self._labels[: len(self._in_cells)])
        overlaps = iou(expected[rows], self._in_cells[sites])
        is_near = (overlaps >= REACH).nonzero()[0]
        order = is_near[np.lexsort((-overlaps[is_near], rows[is_near]))]
        rows, counts = rows[order], np.bincount(rows[order], minlength=len(labels))
        columns = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        shape = len(labels), int(counts.max(initial=0))
        table, distances = np.zeros(shape, np.int64), np.zeros(shape)
        table[rows, columns], distances[rows, columns] = sites[order], 100.0 * (1.0 - overlaps[order])
        return Near(table, np.arange(shape[1]) < counts[:, None], distances)

    def beside(self, sites: IntArray) -> Near:
        """See `Evidence.beside`; each alone: of boxes that see the same, the detector has chosen one."""
        return Near(sites[:, None], np.ones((len(sites), 1), np.bool_), np.zeros((len(sites), 1)))

    def add_unseen(self, labels: IntArray, centres: NDArray[Any], sizes: FloatArray) -> IntArray:
        """See `Evidence.add_unseen`; one for each object that is expected in the frame."""
        _, _, right, bottom = self.area
        inside = np.all((centres >= 0) & (centres < (right, bottom)), axis=1)
        sites = np.where(inside, len(self.scores) - 1 + np.cumsum(inside), -1)
        labels, centres, sizes = labels[inside], centres[inside], sizes[inside]
        boxes = (boxes_around(centres, sizes) * self.cell).astype(np.float32)
        self.scores = np.append(self.scores, np.zeros(len(labels), np.float32))
        self._labels = np.append(self._labels, labels)
        self._centres = np.concatenate([self._centres, centres])
        self._sizes = np.concatenate([self._sizes, sizes])
        self._boxes = np.concatenate([self._boxes, boxes])
        return sites

    def sizes(self, sites: IntArray) -> FloatArray:
        """See `Evidence.sizes`; in cells."""
        return self._sizes[sites]

    def boxes(self, sites: IntArray, _: NDArray[Any], sizes: FloatArray) -> FloatArray:
        """See `Evidence.boxes`; as (x1, y1, x2, y2) in pixels."""
        grown = (sizes - self._sizes[sites]) * np.float32(self.cell / 2)
        boxes: FloatArray = self._boxes[sites] + np.concatenate([-grown, grown], axis=1)
        return boxes

    def peaks(self, threshold: float, _: int, known: Known | None) -> IntArray:
        """See `Evidence.peaks`; every box is one: the detector has chosen it, and suppression follows.

        Of equal ones an object that was carried comes before a new one.
        """
        sites = (self.scores >= np.float32(threshold)).nonzero()[0]
        if known is None:
            return sites
        is_new = np.ones(len(self.scores), np.bool_)
        is_new[known.cells] = False
        return sites[np.argsort(is_new[sites], kind="stable")]


def require_image_size(image_size: ImageSize) -> ImageSize:
    """Return the height and width of a frame as Python's whole numbers.

    Raises:
        InvalidArrayError: they are something else.
    """
    try:
        height, width = (index(side) for side in image_size)
    except (TypeError, ValueError):
        height = width = 0
    if min(height, width) < 1:
        said = shortened(" ".join(repr(image_size).split()))
        raise InvalidArrayError(
            f"image_size is {said}; it must be (height, width) in pixels, as in image.shape[:2]"
        )
    return height, width


def check_detections(detections: Detections) -> None:
    """Check what a detector gives.

    Raises:
        InvalidArrayError: these are no detections, or a number in them cannot be; see `BoxEvidence`.
    """
    if not isinstance(detections, Detections):
        kind = type(detections).__name__
        raise InvalidArrayError(f"detections are {kind}; give heatprop.Detections(boxes, scores, labels)")
    boxes, scores = detections.boxes, detections.scores
    is_probability = (scores >= 0) & (scores <= 1)  # of NaN neither holds
    if not is_probability.all():
        row = int(np.argmin(is_probability))
        raise InvalidArrayError(f"scores[{row}] is {scores[row]}; scores must lie in [0, 1]")
    is_within = (np.abs(boxes) <= _FARTHEST).all(axis=1)
    if not is_within.all():
        row = int(np.argmin(is_within))
        raise InvalidArrayError(
            f"boxes[{row}] is {boxes[row].tolist()}; no side may lie beyond {_FARTHEST} pixels"
        )
    is_box = (boxes[:, :2] <= boxes[:, 2:]).all(axis=1)
    if not is_box.all():
        row = int(np.argmin(is_box))
        raise InvalidArrayError(
            f"boxes[{row}] is {boxes[row].tolist()}, its sides are crossed; give (x1, y1, x2, y2), x1 <= x2 and "
            "y1 <= y2"
        )
