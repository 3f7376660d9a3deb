"""Kernels on heatmaps ``(C, H, W)``: their peaks, one a plateau, in about the same time whatever they hold.

A cell is named by its flat index ``(c * H + y) * W + x``, an int64. Few cells above the threshold are tested one
by one; where they are many, as on a map that is flat, quantised or of an untrained network, whole classes are
filtered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from heatprop.errors import InvalidArrayError
from heatprop.types import FloatArray, IntArray

_PIECE = 1 << 16  # cells that stay in the processor's cache
_LARGE = 1 << 20  # cells up to which a map is tested as a whole first
_SOME = 0.2  # of the cells: up to so many it is worth while to ask the nearest neighbours first
_MANY = 0.5  # of the cells: from so many cells, times those of a window, on whole classes are cheaper
_DENSE = 0.1  # of the cells: from so many on whole maps are cheaper than single cells
_EXACT = 1 << 24  # up to which float32 has every whole number
_STRIPS = 16  # of which the largest values, place by place, are compared first
_SMALL = 5  # side of a window that is read at once after the nearest neighbours
_BITS_OF_ONE = int(np.float32(1.0).view(np.uint32))


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Cells of which more is known than their value, by which equal peaks are ordered.

    Attributes:
        cells: flat indices, int64 ``(M,)``, ascending.
        network: the network's own score there; of equal peaks the one of the higher score stays. Float32 ``(M,)``.
        distances: then the one where this is smaller, int64 or float ``(M,)``, each at least 0.

    Of other cells these are the value itself and 0.
    """

    cells: IntArray
    network: FloatArray
    distances: NDArray[Any]

    def within(self, start: int, end: int) -> Known:
        """Return what is known of the cells from `start` on and before `end`, counted from `start`."""
        low, high = np.searchsorted(self.cells, (start, end))
        return Known(self.cells[low:high] - start, self.network[low:high], self.distances[low:high])


def find_peaks(heatmap: FloatArray, threshold: float, window: int, known: Known | None = None) -> IntArray:
    """Find the cells of at least `threshold` that are not below any cell of their class around them.

    Of equal ones in one another's window one stays: that with the higher score of the network, then the one of the
    smaller distance, then that of the lower flat index.

    Args:
        heatmap: float32 ``(C, H, W)``.
        threshold: smallest value to take.
        window: odd side of the square, in cells, around a cell that is compared; the map's border cuts it.
        known: of which cells the network's value and a distance are given.

    Returns:
        Flat indices, int64 ``(N,)``, ascending.

    Raises:
        InvalidArrayError: a value is NaN or lies outside [0, 1]; the message names the first such cell.

    >>> find_peaks(np.array([[[0.1, 0.9, 0.2, 0.6, 0.6]]], np.float32), threshold=0.05, window=3).tolist()
    [1, 3]
    """
    plane = heatmap.shape[1] * heatmap.shape[2]
    threshold = max(threshold, 0.0)
    whole, least = heatmap.reshape(-1), np.float32(threshold)
    if _PIECE < whole.size <= _LARGE:
        cells = cells_above(heatmap, threshold)
        if len(cells) <= _SOME * whole.size:
            cells = near_maxima(heatmap, cells)
            if len(cells) <= _MANY * whole.size / window**2:
                return _one_each(heatmap, far_maxima(heatmap, cells, window), window, known)
    piece = max(_PIECE // plane, 1) * plane  # whole classes
    most = _MANY * max(piece, _PIECE) / window**2
    few: list[IntArray] = []
    many: list[IntArray] = []
    for start in range(0, whole.size, piece):
        values = whole[start : start + piece]
        if not hold_probabilities(values):
            check_probabilities(heatmap)
        above = values >= least
        # After a piece that was full the next may be, too: then count first, before all are listed.
        listed = None if many and np.count_nonzero(above) > most else np.flatnonzero(above)
        if listed is not None and len(listed) <= most:
            few.append(listed + start)
        else:
            planes = values.reshape(-1, *heatmap.shape[1:])
            inside = None if known is None else known.within(start, start + values.size)
            many.append(peaks_of_classes(planes, above.reshape(planes.shape), window, inside) + start)
    if few:
        many.append(_one_each(heatmap, local_maxima(heatmap, np.concatenate(few), window), window, known))
    return np.sort(np.concatenate(many)) if few and len(many) > 1 else np.concatenate(many)


def _one_each(heatmap: FloatArray, peaks: IntArray, window: int, known: Known | None) -> IntArray:
    """Keep one of equal peaks in one another's window."""
    if known is None:
        return one_per_plateau(peaks, heatmap, window)
    said, distances = -heatmap.reshape(-1)[peaks], np.zeros(len(peaks), known.distances.dtype)
    if len(known.cells):
        place = np.minimum(np.searchsorted(known.cells, peaks), len(known.cells) - 1)
        is_known = known.cells[place] == peaks
        said[is_known] = -known.network[place[is_known]]
        distances[is_known] = known.distances[place[is_known]]
    return one_per_plateau(peaks, heatmap, window, (said, distances))


def peaks_of_classes(planes: FloatArray, above: NDArray[np.bool_], window: int, known: Known | None) -> IntArray:
    """Do what `find_peaks` does by filtering whole classes: a peak is the largest of its window, and the first.

    Peaks in one another's window are equal, so their order, written into a map, is filtered as their values are.

    Args:
        planes: some classes, float32 ``(G, H, W)``.
        above: which cells reach the threshold.
        window: see `find_peaks`.
        known: see `find_peaks`; None for nothing.

    Returns:
        Flat indices into `planes`, ascending.
    """
    count, height, width = planes.shape
    down, aside = min(window // 2, height - 1), min(window // 2, width - 1)
    kernel = np.ones((2 * down + 1, 2 * aside + 1), np.uint8)
    if count == 1:
        is_peak = above & (planes >= cv2.dilate(planes[0], kernel))
    else:
        # All classes side by side, which filters small ones fastest, and so far apart that no window reaches the
        # next.
        apart = np.empty((height, count, width + aside), np.float32)
        apart[:, :, :width], apart[:, :, width:] = planes.transpose(1, 0, 2), 0
        largest = cv2.dilate(apart.reshape(height, -1), kernel).reshape(apart.shape)
        is_peak = above & (planes >= largest[:, :, :width].transpose(1, 0, 2))
    peaks = np.flatnonzero(is_peak)
    if len(peaks) <= _MANY * max(planes.size, _PIECE) / window**2:
        return _one_each(planes, peaks, window, known)

    size = height * width
    last = size + (0 if known is None else len(known.cells))
    form = np.float32 if last < _EXACT else np.float64
    places = np.where(is_peak, np.arange(size, dtype=form).reshape(height, width), form(last))
    if known is not None and len(known.cells):
        _order_known(places.reshape(-1), planes, is_peak, known)
    order: NDArray[np.float32 | np.float64] = np.empty((height, count, width + aside), form)
    order[:, :, :width], order[:, :, width:] = places.transpose(1, 0, 2), last
    first = cv2.erode(order.reshape(height, -1), kernel).reshape(order.shape)
    return np.flatnonzero(is_peak & (places == first[:, :, :width].transpose(1, 0, 2)))


def _order_known(
    places: NDArray[np.float32 | np.float64], planes: FloatArray, is_peak: NDArray[np.bool_], known: Known
) -> None:
    """Order known peaks, in place: before others where the network's score is higher, after where lower."""
    here = np.flatnonzero(is_peak.reshape(-1)[known.cells])
    cells, network, distances = known.cells[here], known.network[here], known.distances[here]
    values = planes.reshape(-1)[cells]
    before = network > values
    after = (network < values) | ((network == values) & (distances > 0))
    ranks = np.empty(len(cells), np.int64)
    ranks[np.lexsort((cells, distances, -network))] = np.arange(len(cells))
    placed = np.where(before, ranks - len(cells), planes.shape[1] * planes.shape[2] + ranks)
    moved = before | after
    places[cells[moved]] = placed[moved]


def strongest(sites: IntArray, scores: FloatArray, count: int) -> IntArray:
    """Return the at most `count` sites of the highest scores, best first; equal ones keep their order.

    >>> strongest(np.arange(4), np.array([0.1, 0.5, 0.9, 0.5], np.float32), 2).tolist()
    [2, 1]
    """
    values = scores[sites]
    if len(sites) > 4 * count:  # only what is as strong as the last of them needs to be put in order
        least = np.partition(values, len(values) - count)[len(values) - count]
        stronger = np.flatnonzero(values > least)
        as_strong = np.flatnonzero(values == least)[: count - len(stronger)]
        chosen = np.sort(np.concatenate([stronger, as_strong]))
        sites, values = sites[chosen], values[chosen]
    order = np.argsort(-values, kind="stable")
    return sites[order[:count]]


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
    if len(cells) > heatmap.size * _DENSE:
        kernel = np.ones((window, window), np.uint8)
        largest = np.stack([cv2.dilate(plane, kernel) for plane in heatmap]).reshape(-1)
        return cells[heatmap.reshape(-1)[cells] >= largest[cells]]
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
