"""Peaks of a heatmap, one a plateau, in about the same time whatever the heatmap holds.

Few cells above the threshold are tested one by one (`heatprop.heatmaps`); where they are many, as on a map that
is flat, quantised or of an untrained network, whole classes are filtered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from heatprop.heatmaps import (
    cells_above,
    check_probabilities,
    far_maxima,
    hold_probabilities,
    local_maxima,
    near_maxima,
    one_per_plateau,
)
from heatprop.types import FloatArray, IntArray

_PIECE = 1 << 16  # cells that stay in the processor's cache
_LARGE = 1 << 20  # cells up to which a map is tested as a whole first
_SOME = 0.2  # of the cells: up to so many it is worth while to ask the nearest neighbours first
_MANY = 0.5  # of the cells: from so many cells, times those of a window, on whole classes are cheaper
_EXACT = 1 << 24  # up to which float32 has every whole number


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
