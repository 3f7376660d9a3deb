"""Kernels on heatmaps ``(C, H, W)``: local maxima, one per plateau, in time that grows with what is found.

A cell is named by its flat index ``(c * H + y) * W + x``, an int64.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from heatprop.errors import InvalidArrayError
from heatprop.types import FloatArray, IntArray

_STRIPS = 16  # of which the largest values, place by place, are compared first
_MANY = 0.1  # share of the cells from which on whole maps are cheaper than single cells
_SMALL = 5  # side of a window that is read at once after the nearest neighbours
_BITS_OF_ONE = int(np.float32(1.0).view(np.uint32))


def cells_above(heatmap: FloatArray, threshold: float) -> IntArray:
    """Find the cells of at least `threshold`, and check on the way that the heatmap holds probabilities.

    Args:
        heatmap: float32 ``(C, H, W)``.
        threshold: smallest value to take.

    Returns:
        Flat indices, int64 ``(N,)``, ascending.

    Raises:
        InvalidArrayError: a value is NaN or lies outside [0, 1]; the message names the first such cell.

    >>> cells_above(np.array([[[0.1, 0.9, 0.2, 0.6]]], np.float32), threshold=0.5).tolist()
    [1, 3]
    """
    whole, least = heatmap.reshape(-1), np.float32(max(threshold, 0.0) + 0.0)  # of -0.0, too
    # Read as unsigned integers, what is negative or NaN lies above all others: it is found, too.
    cells = _at_least(whole.view(np.uint32), least.view(np.uint32))
    if not hold_probabilities(whole[cells]):
        check_probabilities(heatmap)
        cells = cells[whole[cells] >= least]  # without any -0.0
    return cells


def _at_least(values: NDArray[np.uint32], least: np.uint32) -> IntArray:
    """Return where values ``(N,)`` are at least `least`, ascending, int64; fast where few are."""
    length = values.size // _STRIPS
    strips = values[: length * _STRIPS].reshape(_STRIPS, length)
    columns = (strips.max(axis=0) >= least).nonzero()[0]
    if len(columns) > length // 4:
        return (values >= least).nonzero()[0]
    found = (strips.take(columns, axis=1) >= least).reshape(-1).nonzero()[0]
    strip = found // max(len(columns), 1)
    cells = strip * length + columns[found - strip * len(columns)]
    rest = (values[strips.size :] >= least).nonzero()[0] + strips.size
    return np.concatenate([cells, rest])


def hold_probabilities(values: FloatArray) -> bool:
    """Say quickly whether all values lie in [0, 1]; True is always right, False may be wrong about a -0.0.

    Read as unsigned integers, floats in [0, 1] are those up to the bits of 1.0; negative ones and NaN lie above.
    """
    return int(values.view(np.uint32).max(initial=0)) <= _BITS_OF_ONE


def check_probabilities(heatmap: FloatArray) -> None:
    """Check that every value of `heatmap` lies in [0, 1].

    Raises:
        InvalidArrayError: one does not, or is NaN; the message names the first such cell.
    """
    bad = ~((heatmap >= 0) & (heatmap <= 1))
    if bad.any():
        cell = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), heatmap.shape))
        value = float(heatmap[cell])
        remedy = "the network's output is broken" if np.isnan(value) else "pass it through the sigmoid first"
        raise InvalidArrayError(
            f"heatmap is {value:g} at (class, row, column) {cell}, not within [0, 1]: {remedy}"
        )


def local_maxima(heatmap: FloatArray, cells: IntArray, window: int) -> IntArray:
    """Keep the cells that are not below any cell of their class around them.

    Args:
        heatmap: float32 ``(C, H, W)``.
        cells: flat indices of the cells to test, int64 ``(N,)``, ascending.
        window: odd side of the square, in cells, around a cell that is compared; the map's border cuts it.

    Returns:
        Flat indices, int64, ascending. On a plateau every cell is one: see `one_per_plateau`.

    Source: the peak extraction of CenterNet (max pooling and equality), on candidates only.

    >>> heatmap = np.array([[[0.1, 0.9, 0.2, 0.6, 0.6]]], np.float32)
    >>> local_maxima(heatmap, np.arange(5), window=3).tolist()
    [1, 3, 4]
    """
    if len(cells) > heatmap.size * _MANY:
        return maxima_among_many(heatmap, cells, window)
    return maxima_among_few(heatmap, cells, window)


def maxima_among_few(heatmap: FloatArray, cells: IntArray, window: int) -> IntArray:
    """Do what `local_maxima` does, in time that grows with the number of cells."""
    # The nearest neighbours first: they beat almost every cell that is no peak, so the rest of a large window is
    # read for few.
    return far_maxima(heatmap, near_maxima(heatmap, cells), window)


def near_maxima(heatmap: FloatArray, cells: IntArray) -> IntArray:
    """Keep the cells that are not below the four cells beside, above and below them, which few but peaks are."""
    return _not_below(heatmap, cells, _rings(3)[0])


def far_maxima(heatmap: FloatArray, cells: IntArray, window: int) -> IntArray:
    """Keep, of what `near_maxima` has left, the cells that are not below any of their window."""
    for steps in _rings(window)[1:]:
        cells = _not_below(heatmap, cells, steps)
    return cells


def _not_below(heatmap: FloatArray, cells: IntArray, steps: IntArray) -> IntArray:
    values = heatmap.reshape(-1)
    return cells[(values[neighbours_of(cells, steps, heatmap.shape)] <= values[cells]).all(axis=0)]


def maxima_among_many(heatmap: FloatArray, cells: IntArray, window: int) -> IntArray:
    """Do what `local_maxima` does by dilating the whole map: for the flat heatmaps of untrained networks."""
    kernel = np.ones((window, window), np.uint8)
    largest = np.stack([cv2.dilate(plane, kernel) for plane in heatmap]).reshape(-1)
    return cells[heatmap.reshape(-1)[cells] >= largest[cells]]


def one_per_plateau(
    cells: IntArray, heatmap: FloatArray, window: int, preference: Sequence[NDArray[np.number]] = ()
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
    order = values.argsort(kind="stable")
    repeats = (values[order[1:]] == values[order[:-1]]).nonzero()[0]
    if not len(repeats):
        return cells
    stays = np.ones(len(cells), np.bool_)
    stays[order[repeats]] = stays[order[repeats + 1]] = False
    tied = (~stays).nonzero()[0]
    tied_cells, tied_values = cells[tied], values[tied]
    rank = np.empty(len(tied), np.int64)
    rank[np.lexsort((tied_cells, *(key[tied] for key in reversed(preference))))] = np.arange(len(tied))
    beaten = np.zeros(len(tied), np.bool_)
    for steps in _rings(window):
        neighbours = neighbours_of(tied_cells, steps, heatmap.shape)
        place = np.minimum(np.searchsorted(tied_cells, neighbours), len(tied) - 1)
        better = (tied_cells[place] == neighbours) & (tied_values[place] == tied_values) & (rank[place] < rank)
        beaten |= better.any(axis=0)
    stays[tied] = ~beaten
    return cells[stays]


@cache
def square(radius: int) -> IntArray:
    """Return the (row, column) steps from the centre of a square to its cells, int64 ``(2, (2 radius + 1)^2)``."""
    return np.mgrid[-radius : radius + 1, -radius : radius + 1].reshape(2, -1)


def unravel(cells: IntArray, shape: tuple[int, ...]) -> tuple[IntArray, IntArray, IntArray]:
    """Return class, row and column, each int64 ``(N,)``, of flat indices into a map of ``(C, H, W)``."""
    planes = cells // shape[2]  # several times faster than divmod
    labels = planes // shape[1]
    columns, rows = cells - planes * shape[2], planes - labels * shape[1]
    return labels, rows, columns


@cache
def _rings(window: int) -> tuple[IntArray, ...]:
    """Return the (row, column) steps from a cell to the others of its window, ``(2, K)`` each, nearest first."""
    steps = square(window // 2)
    distance = np.abs(steps).sum(axis=0)
    rings = [steps[:, distance == 1]]
    near = 2
    if window <= _SMALL:
        return (*rings, steps[:, distance >= near])
    while near < window:
        rings.append(steps[:, (distance >= near) & (distance < 2 * near)])
        near *= 2
    return tuple(rings)


def neighbours_of(cells: IntArray, steps: NDArray[np.int64], shape: tuple[int, ...]) -> IntArray:
    """Return the flat indices ``(K, N)`` of the cells that are K steps away from N cells.

    At the border a step is cut short, which ends at another cell of the same window or at the cell itself.
    """
    height, width = shape[1:]
    dy, dx = steps[:, :, None]
    neighbours: IntArray = cells + (dy * width + dx)
    if not steps.size:
        return neighbours
    places = cells % (height * width)
    cut = _beside_border(int(np.abs(steps).max()), height, width)[places].nonzero()[0]
    if len(cut):
        rows, columns = divmod(places[cut], width)
        y = np.minimum(np.maximum(rows + dy, 0), height - 1)
        x = np.minimum(np.maximum(columns + dx, 0), width - 1)
        neighbours[:, cut] = cells[cut] + (y - rows) * width + (x - columns)
    return neighbours


@lru_cache(maxsize=64)
def _beside_border(reach: int, height: int, width: int) -> NDArray[np.bool_]:
    """Say of each cell of a map whether the border is within so many cells, ``(H * W,)``."""
    beside = np.ones((height, width), np.bool_)
    beside[reach : height - reach, reach : width - reach] = False
    return beside.reshape(-1)
