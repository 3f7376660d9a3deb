"""What a network with a heatmap says of one frame: each cell of each class is a site."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatprop.boxes import boxes_around
from heatprop.errors import InvalidArrayError
from heatprop.heatmaps import Known, check_probabilities, find_peaks, hold_probabilities, square, unravel
from heatprop.propagation.evidence import Form, Near
from heatprop.types import FloatArray, HeadOutput, IntArray

_LARGE = 16  # cells from which on a square may be larger than the map


class GridEvidence:
    """A heatmap with sizes and offsets: each cell of each class is a site, by its flat index in ``(C, H, W)``.

    Args:
        output: the network's; sizes and offsets are checked where they are read.
        scores: where the heatmap is copied to, so that it stays as it is: float32 of its shape; None takes the
            heatmap itself.
    """

    def __init__(self, output: HeadOutput, scores: FloatArray | None = None) -> None:
        if scores is not None:
            np.copyto(scores, output.heatmap)
        self._heatmap = output.heatmap if scores is None else scores
        self._size, self._offset = output.size, output.offset
        self.scores = self._heatmap.reshape(-1)
        classes, height, width = self._heatmap.shape
        self.form = Form(classes, height, width, len(output.size))

    def read(self, sites: IntArray) -> FloatArray:
        """See `Evidence.read`."""
        scores = self.scores[sites]
        if not hold_probabilities(scores):
            check_probabilities(self._heatmap)
        return scores

    def places(self, sites: IntArray) -> tuple[IntArray, IntArray]:
        """Return class ``(N,)``, and column and row ``(N, 2)``, of cells."""
        labels, rows, columns = unravel(sites, self._heatmap.shape)
        return labels, np.stack([columns, rows], axis=1)

    def near(
        self, labels: IntArray, centres: NDArray[Any], radii: int | IntArray, _sizes: FloatArray | None = None, /
    ) -> Near:
        """See `Evidence.near`; the cells of a square, nearest first, equally near ones by row and column."""
        _, height, width, _ = self.form
        columns, rows = centres[:, 0], centres[:, 1]
        most = int(radii.max(initial=0)) if isinstance(radii, np.ndarray) else radii
        if most > _LARGE:
            most = min(most, _farthest(rows, columns, height, width))
        dy, dx, distances, reach = _nearest_first(most)
        sites = ((labels * height + rows) * width + columns)[:, None] + (dy * width + dx)
        within = reach <= radii[:, None] if isinstance(radii, np.ndarray) else np.ones(sites.shape, np.bool_)
        # Read as unsigned, what is below 0 lies above all: one comparison for both borders.
        inner = (rows - most).view(np.uint64) < max(height - 2 * most, 0)
        inner &= (columns - most).view(np.uint64) < max(width - 2 * most, 0)
        cut = (~inner).nonzero()[0]
        if len(cut):
            y, x = rows[cut, None] + dy, columns[cut, None] + dx
            inside = (y.view(np.uint64) < height) & (x.view(np.uint64) < width)
            within[cut] &= inside
            sites[cut] *= inside
        return Near(sites, within, np.broadcast_to(distances, sites.shape))

    def beside(self, sites: IntArray) -> Near:
        """See `Evidence.beside`: 3 x 3 cells."""
        return self.near(*self.places(sites), 1)

    def add_unseen(self, labels: IntArray, _: NDArray[Any], __: FloatArray) -> IntArray:
        """See `Evidence.add_unseen`."""
        return np.full(len(labels), -1)

    def sizes(self, sites: IntArray) -> FloatArray:
        """See `Evidence.sizes`; in cells."""
        return self._gather(self._size, "size", sites)

    def boxes(self, sites: IntArray, centres: NDArray[Any], sizes: FloatArray) -> FloatArray:
        """See `Evidence.boxes`; as (x1, y1, x2, y2) in cells."""
        places = centres.astype(np.float32)
        if self._offset is not None:
            places += self._gather(self._offset, "offset", sites)
        return boxes_around(places, sizes)

    def peaks(self, threshold: float, window: int, known: Known | None) -> IntArray:
        """See `Evidence.peaks`, and `find_peaks`."""
        return find_peaks(self._heatmap, threshold, window, known)

    def _gather(self, head: FloatArray, name: str, sites: IntArray) -> FloatArray:
        """Read a head ``(K, H, W)`` at cells, as ``(N, K)``; only these values are checked."""
        plane = sites % (self.form.height * self.form.width)
        values = np.ascontiguousarray(head.reshape(len(head), -1)[:, plane].T)
        if not np.isfinite(values).all():
            row, column = divmod(int(plane[np.argmin(np.isfinite(values).all(axis=1))]), self.form.width)
            raise InvalidArrayError(
                f"{name} is not finite at (row, column) ({row}, {column}): the network's output is broken"
            )
        return values


def _farthest(rows: IntArray, columns: IntArray, height: int, width: int) -> int:
    """Return how far, in rows or columns, a cell of the map can be from places, some of them outside.

    >>> _farthest(np.array([1]), np.array([-2]), 2, 3)
    4
    """
    sides = [(places, length - 1 - places) for places, length in ((rows, height), (columns, width))]
    return max(int(side.max(initial=0)) for pair in sides for side in pair)


@cache
def _nearest_first(radius: int) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return the cells of a square by distance from its centre: of equal cells the nearest is found first.

    As rows and columns from the centre, squared distances, and the larger of rows and columns; each ``(K,)``.
    """
    steps = square(radius)
    dy, dx = steps[:, np.argsort((steps * steps).sum(axis=0), kind="stable")]
    return dy, dx, dy * dy + dx * dx, np.maximum(np.abs(dy), np.abs(dx))
