"""Where propagation that adapts looks for each carried object, and which cell it takes."""

from __future__ import annotations

from functools import cache
from math import inf
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop.adaptation import AdaptationConfig, Followed, expected_places, search_radii
from heatprop.boxes import iou
from heatprop.decoding import boxes_at, sizes_at
from heatprop.heatmaps import square
from heatprop.propagation_heatmap import PropagationHeatmap
from heatprop.types import HeadOutput, IntArray

_DoubleArray: TypeAlias = NDArray[np.float64]
_AT_ONCE = 1 << 18  # cells in the neighbourhoods that are looked at together


def place_objects(
    followed: Followed, output: HeadOutput, adaptation: AdaptationConfig, radius: int, score_threshold: float
) -> PropagationHeatmap:
    """Find the one cell that each carried object lifts.

    It is the best in its neighbourhood, distance counted, that is not another object's: where the network sees a
    box of its own, that must overlap the expected one; and of two objects of a class that want the same cell the
    one of the higher score has it, the other the best that is left. An object for which none is left is forgotten.

    Args:
        followed: the objects, by falling score.
        output: what the network says of the frame.
        adaptation: the settings.
        radius: P, the largest neighbourhood.
        score_threshold: from which on what the network sees counts as a box of its own.

    Returns:
        The cells, ascending; distances are from the expected places.

    Raises:
        InvalidArrayError: a size that is compared is not finite.
    """
    if adaptation.max_length == 0:
        none = np.empty(0, np.int64)
        return PropagationHeatmap(none, none, none, followed)
    shape = output.heatmap.shape
    _, rows, columns = expected_places(followed, shape)
    radii = search_radii(followed.surprises, adaptation.least_radius, radius)
    steps = _nearest_first(min(int(radii.max(initial=0)), _farthest(rows, columns, shape)))
    taken, objects, squared = (np.empty(0, np.int64) for _ in range(3))
    for start in range(0, len(radii), max(_AT_ONCE // steps.shape[1], 1)):  # large squares a few at a time
        some = np.arange(start, min(start + max(_AT_ONCE // steps.shape[1], 1), len(radii)))
        cells, worth = _candidates(
            followed.select(some),
            output,
            adaptation,
            radii=radii[some],
            steps=steps,
            score_threshold=score_threshold,
        )
        if start:
            worth[np.isin(cells, taken)] = -inf
        chosen, which = _a_cell_for_each(worth, cells)
        taken = np.concatenate([taken, cells[chosen, which]])
        objects = np.concatenate([objects, some[chosen]])
        squared = np.concatenate([squared, (steps * steps).sum(axis=0)[which]])
    order = np.argsort(taken)
    return PropagationHeatmap(taken[order], objects[order], squared[order], followed)


def _candidates(
    followed: Followed,
    output: HeadOutput,
    adaptation: AdaptationConfig,
    *,
    radii: IntArray,
    steps: IntArray,
    score_threshold: float,
) -> tuple[IntArray, _DoubleArray]:
    """Return the cells where objects are looked for, int64 ``(N, K)``, and what each is worth, -inf for none."""
    shape, heatmap = output.heatmap.shape, output.heatmap.reshape(-1)
    (labels, rows, columns), (dy, dx) = expected_places(followed, shape), steps
    y, x = rows[:, None] + dy, columns[:, None] + dx
    open_to = (y >= 0) & (y < shape[1]) & (x >= 0) & (x < shape[2])
    open_to &= np.maximum(np.abs(dy), np.abs(dx)) <= radii[:, None]
    cells = np.where(open_to, (labels[:, None] * shape[1] + y) * shape[2] + x, 0)
    squared = dy * dy + dx * dx
    worth = heatmap[cells] - adaptation.nearness * followed.scores[:, None].astype(np.float64) * squared
    open_to &= followed.scores[:, None] > 0
    if adaptation.min_iou > 0:
        seen, step = np.nonzero(open_to & (heatmap[cells] >= np.float32(score_threshold)))
        seen_rows, seen_columns = y[seen, step], x[seen, step]
        own = boxes_at(seen_rows, seen_columns, sizes_at(output, seen_rows, seen_columns), None)
        awaited = boxes_at(rows, columns, followed.sizes, None)
        open_to[seen, step] = iou(own, awaited[seen]) >= adaptation.min_iou
    return cells, np.where(open_to, worth, -inf)


def _a_cell_for_each(worth: _DoubleArray, cells: IntArray) -> tuple[IntArray, IntArray]:
    """Let each object, row after row, take the best of its cells that is still free; a worth of -inf is none.

    Returns:
        The rows that have a cell, and which of their cells it is.
    """
    rows = np.arange(len(worth))
    best = worth.argmax(axis=1)
    has = np.isfinite(worth[rows, best])
    wanted = cells[rows[has], best[has]]
    if len(np.unique(wanted)) == len(wanted):
        return rows[has], best[has]
    taken: set[int] = set()
    for row in rows[has].tolist():
        has[row] = False
        for step in np.argsort(-worth[row], kind="stable").tolist():
            cell = int(cells[row, step])
            if worth[row, step] == -inf:
                break
            if cell not in taken:
                taken.add(cell)
                best[row], has[row] = step, True
                break
    return rows[has], best[has]


def _farthest(rows: IntArray, columns: IntArray, shape: tuple[int, int, int]) -> int:
    """Return how far, in rows or columns, a cell of the map can be from the expected places, some of them outside.

    >>> _farthest(np.array([1]), np.array([-2]), (1, 2, 3))
    4
    """
    sides = [(places, length - 1 - places) for places, length in ((rows, shape[1]), (columns, shape[2]))]
    return max(int(side.max(initial=0)) for pair in sides for side in pair)


@cache
def _nearest_first(radius: int) -> IntArray:
    """Return the steps of a square by distance from its centre: of equal cells the nearest is found first."""
    steps = square(radius)
    return steps[:, np.argsort((steps * steps).sum(axis=0), kind="stable")]
