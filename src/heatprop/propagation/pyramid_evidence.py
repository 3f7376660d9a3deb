"""What a dense head of several strides says of one frame, before any suppression: cells are sites."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatprop.boxes import boxes_around, iou
from heatprop.errors import InvalidArrayError
from heatprop.heatmaps import Known, cells_above, strongest
from heatprop.propagation.box_evidence import BoxEvidence
from heatprop.propagation.evidence import Near
from heatprop.types import Detections, FloatArray, IntArray, PyramidOutput

FLOOR = 0.05
"""Score below which a cell is no site: lower ones changed nothing that was measured."""
MOST_SITES = 1000
"""The best cells, over all strides and classes, that are sites."""
SAME = 0.6
"""Intersection over union from which on the boxes of two neighbouring cells show the same object."""
_STEPS = np.array([[0, 1], [1, -1], [1, 0], [1, 1]])  # to half of the eight cells around; the others step here


class PyramidEvidence(BoxEvidence):
    """Cells of several strides: one object answers in several of them, and is one peak.

    Two cells are neighbours where they touch, or where they lie one on the other in two strides that follow each
    other. Neighbours of a class whose boxes overlap by at least `SAME` see the same object. In a crowd neighbours
    see several: there each is a peak of its own. All else is as in `BoxEvidence`; how far two sites are apart is
    said by the overlap of boxes, which means the same in all strides.

    Args:
        output: the head's; it stays as it is.
        floor: score below which a cell is no site; not above the score threshold of the detections.
        most: how many sites there are at most, the best ones.

    Raises:
        InvalidArrayError: a score is not within [0, 1], or a size or offset that is read is not finite.
    """

    def __init__(self, output: PyramidOutput, floor: float = FLOOR, most: int = MOST_SITES) -> None:
        cells, scores = _best_cells(output, floor, most)
        levels = _Levels(output, cells)
        boxes = levels.boxes()
        first, second = levels.neighbours()
        shared = iou(boxes[first], boxes[second]) >= SAME
        first, second = first[shared], second[shared]

        has_area: NDArray[np.bool_] = np.all(boxes[:, :2] < boxes[:, 2:], axis=1)  # none overlaps one without
        order = np.argsort(-scores, kind="stable")
        order = order[has_area[order]]
        super().__init__(Detections(boxes[order], scores[order], levels.labels[order]), output.input_size)
        site_of = np.empty(len(cells), np.int64)
        site_of[order] = np.arange(len(order))
        one, other = site_of[first], site_of[second]
        by_site = np.argsort(np.concatenate([one, other]), kind="stable")
        self._first = np.concatenate([one, other])[by_site]
        self._second = np.concatenate([other, one])[by_site]

    def beside(self, sites: IntArray) -> Near:
        """See `Evidence.beside`: the neighbours that see the same object."""
        begins = np.searchsorted(self._first, sites)
        counts = np.searchsorted(self._first, sites, side="right") - begins
        steps = np.arange(int(counts.max(initial=0)))
        within = steps < counts[:, None]
        table = np.repeat(sites[:, None], len(steps) + 1, axis=1)
        table[:, 1:][within] = self._second[(begins[:, None] + steps)[within]]
        within = np.concatenate([np.ones((len(sites), 1), np.bool_), within], axis=1)
        return Near(table, within, np.zeros(table.shape))

    def peaks(self, threshold: float, window: int, known: Known | None) -> IntArray:
        """See `Evidence.peaks`; no neighbour that sees the same is above one.

        Of equal neighbours one stays: where the network's own score is highest, then the nearest to its tracklet.
        """
        sites = super().peaks(threshold, window, known)
        one, other = self._first, self._second
        value, around = self.scores[one], self.scores[other]
        is_below = np.zeros(len(self.scores), np.bool_)
        is_below[one[value < around]] = True
        tied = value == around
        if tied.any():
            rank = self._ranks(known)
            is_below[one[tied & (rank[one] > rank[other])]] = True
        return sites[~is_below[sites]]

    def _ranks(self, known: Known | None) -> IntArray:
        """Return the place of each site in the order in which equal ones win."""
        network, distances = self.scores.copy(), np.zeros(len(self.scores))
        if known is not None:
            network[known.cells], distances[known.cells] = known.network, known.distances
        ranks = np.empty(len(network), np.int64)
        ranks[np.lexsort((distances, -network))] = np.arange(len(network))
        return ranks


def _best_cells(output: PyramidOutput, floor: float, most: int) -> tuple[IntArray, FloatArray]:
    """Return the best cells of at least `floor`, ascending, and their scores.

    A cell is named by its flat index in its level, behind all cells of the levels before.
    """
    cells, scores, start = [], [], 0
    for level in output.levels:
        found = cells_above(level.heatmap, floor)
        cells.append(found + start)
        scores.append(level.heatmap.reshape(-1)[found])
        start += level.heatmap.size
    every, values = np.concatenate(cells), np.concatenate(scores)
    if len(every) > most:
        best = np.sort(strongest(np.arange(len(every)), values, most))
        every, values = every[best], values[best]
    return every, values


class _Levels:
    """Where cells of a pyramid lie.

    Attributes:
        labels: their classes, int64 ``(N,)``.
    """

    def __init__(self, output: PyramidOutput, cells: IntArray) -> None:
        shapes = np.array([level.heatmap.shape for level in output.levels])
        ends = np.cumsum(shapes.prod(axis=1))
        self._cells, self._output = cells, output
        self._starts, self._shapes = np.append(0, ends[:-1]), shapes
        self._counts = np.diff(np.searchsorted(cells, ends), prepend=0)
        level = np.repeat(np.arange(len(shapes)), self._counts)
        _, self._height, self._width = shapes[level].T
        planes, self._columns = np.divmod(cells - self._starts[level], self._width)
        self.labels, self._rows = np.divmod(planes, self._height)
        self._level = level

    def boxes(self) -> FloatArray:
        """Return what each cell sees, as (x1, y1, x2, y2) in pixels, float32 ``(N, 4)``.

        Raises:
            InvalidArrayError: one is not finite.
        """
        centres = np.stack([self._columns, self._rows], axis=1).astype(np.float32)
        ends = np.cumsum(self._counts).tolist()
        boxes = np.empty((len(centres), 4), np.float32)
        for level, stride, start, end in zip(
            self._output.levels, self._output.strides, [0, *ends[:-1]], ends, strict=True
        ):
            of_level = slice(start, end)
            y, x = self._rows[of_level], self._columns[of_level]
            if level.offset is not None:
                centres[of_level] += level.offset[:, y, x].T
            boxes[of_level] = boxes_around(centres[of_level], level.size[:, y, x].T) * np.float32(stride)
        is_finite = np.isfinite(boxes).all(axis=1)
        if not is_finite.all():
            cell = int(np.argmin(is_finite))
            raise InvalidArrayError(
                f"size or offset of stride {self._output.strides[self._level[cell]]} is not finite at "
                f"(row, column) ({self._rows[cell]}, {self._columns[cell]}): the network's output is broken"
            )
        return boxes

    def neighbours(self) -> tuple[IntArray, IntArray]:
        """Return the pairs of neighbouring cells of a class, each once, as indices."""
        down, aside = _STEPS.T[:, :, None]
        columns = self._columns + aside
        inside = (columns >= 0) & (columns < self._width) & (self._rows + down < self._height)
        beside = np.where(inside, self._cells + down * self._width + aside, -1)
        wanted = np.concatenate([beside, self._in_next_level()[None]])
        place = np.minimum(np.searchsorted(self._cells, wanted), max(len(self._cells) - 1, 0))
        _, first = found = np.nonzero(self._cells[place] == wanted) if len(self._cells) else wanted.nonzero()
        return first, place[found]

    def _in_next_level(self) -> NDArray[Any]:
        """Return the cell of the next level that each lies in, -1 for none."""
        strides = np.array(self._output.strides)
        ratio = np.append(strides[1:] // strides[:-1], 1)[self._level]
        after = np.minimum(self._level + 1, len(strides) - 1)
        _, height, width = self._shapes[after].T
        rows, columns = self._rows // ratio, self._columns // ratio
        cells = self._starts[after] + (self.labels * height + rows) * width + columns
        exists = (after > self._level) & (rows < height) & (columns < width)
        return np.where(exists, cells, -1)
