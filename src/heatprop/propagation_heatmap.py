"""The propagation heatmap (equations 2 to 4): what a frame hands to the next, and where it lies there."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from heatprop.heatmaps import square, unravel
from heatprop.types import FloatArray, IntArray

MOST_RADIUS = 128  # the side of the paper's grid: further nothing can go there
_MANY = 1 << 18  # cells in all squares from which on they are painted one after the other


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """What one frame hands to the next: its detections as peaks on the grid, by falling balanced score.

    Attributes:
        cells: flat indices of their peaks in the heatmap ``(C, H, W)``, int64 ``(N,)``.
        scores: their scores, balanced or the network's (`PropagationConfig.carries`), float32 ``(N,)``.
        sizes: their sizes in cells, mixed or the network's, float32 ``(N, 2)`` or ``(N, 4)``.
        lengths: their tracklet lengths, int64 ``(N,)``, each at least 1.
    """

    cells: IntArray
    scores: FloatArray
    sizes: FloatArray
    lengths: IntArray

    def select(self, rows: NDArray[np.bool_] | IntArray) -> Self:
        """Return the chosen rows, as a mask or as indices."""
        return type(self)(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})


@dataclass(frozen=True, slots=True, eq=False)
class PropagationHeatmap:
    """The propagation heatmap of equations 2 to 4, sparse: only cells with a carried object are listed.

    Elsewhere the carried score, length and size are 0.

    Attributes:
        cells: flat indices into ``(C, H, W)``, int64 ``(M,)``, ascending, each once.
        sources: for each cell the row in `carried` of the object that won it, int64 ``(M,)``.
        distances: for each cell the squared distance in cells to that object's peak, int64 ``(M,)``.
        carried: the objects.
    """

    cells: IntArray
    sources: IntArray
    distances: IntArray
    carried: Carried

    def at(self, cells: IntArray) -> tuple[NDArray[np.bool_], IntArray]:
        """Look cells ``(N,)`` up: which of them are covered, and for those the row ``(K,)`` in this map."""
        if not len(self.cells):
            return np.zeros(len(cells), np.bool_), np.empty(0, np.int64)
        place = np.minimum(np.searchsorted(self.cells, cells), len(self.cells) - 1)
        covered = self.cells[place] == cells
        return covered, place[covered]


def propagate(carried: Carried, shape: tuple[int, int, int], radius: int) -> PropagationHeatmap:
    """Dilate each carried peak to a square and overlay the squares (equations 2, 3 and 4).

    Where squares of a class overlap the highest score wins, and of equal scores the lower row; length and size
    come with it. The squares end at the border of the map.

    Args:
        carried: the last frame's detections.
        shape: ``(C, H, W)`` of the heatmap.
        radius: P, at most `MOST_RADIUS`; a square has the side ``2 P + 1``.
    """
    positive = np.flatnonzero(carried.scores > 0)  # a score of 0 carries nothing: h = 0 means l = 0 and s = 0
    order = positive[np.argsort(-carried.scores[positive], kind="stable")]
    if len(order) * (2 * radius + 1) ** 2 > _MANY:
        return _painted(carried, order, shape, radius)
    labels, rows, columns = unravel(carried.cells[order], shape)
    dy, dx = square(radius)
    y, x = rows[:, None] + dy, columns[:, None] + dx
    inside = (y >= 0) & (y < shape[1]) & (x >= 0) & (x < shape[2])
    cells = ((labels[:, None] * shape[1]) + y) * shape[2] + x
    # Sorted by cell and, within a cell, by rank: the first of each cell is the winner's.
    bits = cells.size.bit_length()
    keys = np.sort(((cells << bits) | np.arange(cells.size).reshape(cells.shape))[inside])
    cells, ranks = keys >> bits, keys & ((1 << bits) - 1)
    is_first = np.diff(cells, prepend=-1) > 0
    cells, (rank, step) = cells[is_first], np.divmod(ranks[is_first], len(dy))
    return PropagationHeatmap(cells, order[rank], (dy * dy + dx * dx)[step], carried)


def _painted(carried: Carried, order: IntArray, shape: tuple[int, int, int], radius: int) -> PropagationHeatmap:
    """Do the rest of `propagate` for large squares, in the memory of one class: the winner is painted last."""
    labels, rows, columns = unravel(carried.cells[order], shape)
    found: list[tuple[IntArray, IntArray, IntArray]] = []
    for label in np.unique(labels).tolist():
        winners = np.full(shape[1:], -1, np.int32)
        for rank in np.flatnonzero(labels == label)[::-1].tolist():
            top, left = (max(int(place[rank]) - radius, 0) for place in (rows, columns))
            winners[top : rows[rank] + radius + 1, left : columns[rank] + radius + 1] = rank
        y, x = np.nonzero(winners >= 0)
        ranks = winners[y, x]
        cells = (label * shape[1] + y) * shape[2] + x
        found.append((cells, order[ranks], (y - rows[ranks]) ** 2 + (x - columns[ranks]) ** 2))
    cells, sources, distances = (np.concatenate(each) for each in zip(*found, strict=True))
    return PropagationHeatmap(cells, sources, distances, carried)
