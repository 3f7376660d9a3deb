"""Kernels on heatmaps ``(C, H, W)``: local maxima, one per plateau, in time that grows with what is found.

A cell is named by its flat index ``(c * H + y) * W + x``, an int64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import InvalidArrayError
from heatprop.types import FloatArray, IntArray

_PIECE = 1 << 16
_BITS_OF_ONE = np.float32(1.0).view(np.uint32)


def check_probabilities(heatmap: FloatArray) -> None:
    """Check that every value of `heatmap`, float32, lies in [0, 1].

    Raises:
        InvalidArrayError: one does not, or is NaN; the message names the first such cell.
    """
    # Read as unsigned integers, floats in [0, 1] are exactly those up to the bits of 1.0: one pass, NaN included.
    if int(heatmap.view(np.uint32).max()) <= _BITS_OF_ONE:
        return
    bad = ~((heatmap >= 0) & (heatmap <= 1))  # only -0.0 gets here and is still right
    if bad.any():
        cell = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), heatmap.shape))
        value = float(heatmap[cell])
        remedy = "the network's output is broken" if np.isnan(value) else "pass it through the sigmoid first"
        raise InvalidArrayError(
            f"heatmap is {value:g} at (class, row, column) {cell}, not within [0, 1]: {remedy}"
        )


def local_maxima(heatmap: FloatArray, window: int, threshold: float) -> IntArray:
    """Find the cells that are at least `threshold` and not below any cell of their class around them.

    Args:
        heatmap: float32 ``(C, H, W)``.
        window: odd side of the square, in cells, around a cell that is compared; the map's border cuts it.
        threshold: smallest value to look at.

    Returns:
        Flat indices, int64 ``(N,)``, ascending. On a plateau every cell is one: see `one_per_plateau`.

    Source: the peak extraction of CenterNet (max pooling and equality), on candidates only.

    >>> local_maxima(np.array([[[0.1, 0.9, 0.2, 0.6, 0.6]]], np.float32), window=3, threshold=0.3).tolist()
    [1, 3, 4]
    """
    values = heatmap.reshape(-1)
    # In pieces, so that the mask stays in the processor's nearest cache.
    pieces = range(0, values.size, _PIECE)
    cells = np.concatenate([np.flatnonzero(values[i : i + _PIECE] >= np.float32(threshold)) + i for i in pieces])
    # The nearest neighbours first: they beat almost every cell that is no peak, so the rest of a large window is
    # read for few.
    for steps in _rings(window):
        neighbours = _neighbours(cells, steps, heatmap.shape)
        cells = cells[(values[neighbours] <= values[cells]).all(axis=0)]
    return cells


def one_per_plateau(
    cells: IntArray, heatmap: FloatArray, window: int, preference: Sequence[NDArray[np.floating]] = ()
) -> IntArray:
    """Keep, of local maxima that are equal and in one another's window, the preferred one.

    Args:
        cells: what `local_maxima` returned, ascending.
        heatmap: float32 ``(C, H, W)``, the same.
        window: the same.
        preference: arrays ``(N,)`` aligned with `cells`, most important first; the smaller value is preferred,
            and at last the lower flat index.

    Returns:
        Flat indices, int64, ascending.

    >>> plateau = np.full((1, 1, 3), 0.5, np.float32)
    >>> one_per_plateau(np.arange(3), plateau, 3, [np.array([1.0, 0.0, 1.0])]).tolist()
    [1]
    """
    values = heatmap.reshape(-1)[cells]
    in_order = np.sort(values)
    if not np.any(in_order[1:] == in_order[:-1]):
        return cells
    tied = np.flatnonzero(np.isin(values, in_order[1:][in_order[1:] == in_order[:-1]]))
    tied_cells, tied_values = cells[tied], values[tied]
    rank = np.empty(len(tied), np.int64)
    rank[np.lexsort((tied_cells, *(key[tied] for key in reversed(preference))))] = np.arange(len(tied))
    beaten = np.zeros(len(tied), np.bool_)
    for steps in _rings(window):
        neighbours = _neighbours(tied_cells, steps, heatmap.shape)
        place = np.minimum(np.searchsorted(tied_cells, neighbours), len(tied) - 1)
        better = (tied_cells[place] == neighbours) & (tied_values[place] == tied_values) & (rank[place] < rank)
        beaten |= better.any(axis=0)
    return np.delete(cells, tied[beaten])


def unravel(cells: IntArray, shape: tuple[int, ...]) -> tuple[IntArray, IntArray, IntArray]:
    """Return class, row and column, each int64 ``(N,)``, of flat indices into a map of ``(C, H, W)``."""
    planes, columns = np.divmod(cells, shape[2])
    labels, rows = np.divmod(planes, shape[1])
    return labels, rows, columns


def _rings(window: int) -> Iterator[NDArray[np.int64]]:
    """Yield the (row, column) steps from a cell to the others of its window, int64 ``(2, K)``, nearest first."""
    reach = window // 2
    steps = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    distance = np.abs(steps).sum(axis=0)
    near = 1
    while near <= 2 * reach:
        yield steps[:, (distance >= near) & (distance < 2 * near)]
        near *= 2


def _neighbours(cells: IntArray, steps: NDArray[np.int64], shape: tuple[int, ...]) -> IntArray:
    """Return the flat indices ``(K, N)`` of the cells that are K steps away from N cells.

    At the border a step is cut short, which ends at another cell of the same window or at the cell itself.
    """
    height, width = shape[1:]
    planes, columns = np.divmod(cells, width)
    first_rows = planes - planes % height
    dy, dx = steps[:, :, None]
    rows = np.clip(planes + dy, first_rows, first_rows + height - 1)
    neighbours: IntArray = rows * width + np.clip(columns + dx, 0, width - 1)
    return neighbours
