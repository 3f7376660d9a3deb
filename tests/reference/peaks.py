"""Peaks cell by cell: look at the whole window of every cell of the map."""

import numpy as np


def window_of(label, y, x, window, shape):
    """Yield the cells of a class in the window around a cell, except the cell itself."""
    reach = window // 2
    for v in range(max(y - reach, 0), min(y + reach, shape[1] - 1) + 1):
        for u in range(max(x - reach, 0), min(x + reach, shape[2] - 1) + 1):
            if (v, u) != (y, x):
                yield label, v, u


def peaks(heatmap, window, threshold, preference=lambda _: ()):
    """Return the cells (class, row, column) that are peaks, in index order.

    A peak is at least the threshold and not below any cell of its window. Of peaks that are equal and in one
    another's window only the preferred one stays: smallest `preference(cell)`, then lowest index.
    """
    maxima = [
        cell
        for cell in np.ndindex(heatmap.shape)
        if heatmap[cell] >= np.float32(threshold)
        and all(heatmap[cell] >= heatmap[other] for other in window_of(*cell, window, heatmap.shape))
    ]
    found = set(maxima)
    return [
        cell
        for cell in maxima
        if not any(
            other in found
            and heatmap[other] == heatmap[cell]
            and (*preference(other), other) < (*preference(cell), cell)
            for other in window_of(*cell, window, heatmap.shape)
        )
    ]
