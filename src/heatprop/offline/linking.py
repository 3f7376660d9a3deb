"""What all linking over time rests on: pairs over gaps, the best first, each once, and the chains that follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop.boxes import pair_off
from heatprop.types import IntArray

DoubleArray: TypeAlias = NDArray[np.float64]
Ends: TypeAlias = tuple[IntArray, IntArray]
"""In which frame each track begins, or ends, and as what class; int64 ``(T,)`` each."""
Worth: TypeAlias = Callable[[IntArray, IntArray], DoubleArray]
"""Says how good pairs are, given the rows of the earlier and the later; -inf for those that never go together."""

_PAIRS_AT_ONCE = 1 << 17  # what a processor's cache holds


def link_over_gaps(
    ends: Ends, begins: Ends, worth: Worth, *, least_gap: int, most_gap: int
) -> tuple[IntArray, IntArray]:
    """Link ends of tracks to beginnings of later ones of their class, the best pairs first, each at most once.

    Args:
        ends: where each track ends.
        begins: where each begins.
        worth: of pairs.
        least_gap: frames that the later begins after the earlier ends, at least; from 1.
        most_gap: likewise, at most.

    Returns:
        The earlier and the later track of each link, int64 ``(M,)`` each, the best link first.

    Example:
        >>> tracks = (np.array([5, 9, 9]), np.zeros(3, np.int64)), (np.array([0, 7, 8]), np.zeros(3, np.int64))
        >>> link_over_gaps(*tracks, lambda earlier, later: 1.0 * later, least_gap=1, most_gap=4)
        (array([0]), array([2]))
    """
    found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for earlier, later in _following(ends, begins, least_gap, most_gap):
        value = worth(earlier, later)
        good = np.flatnonzero(value > -np.inf)
        found.append((earlier[good], later[good], value[good]))
    earlier, later, value = (np.concatenate(column) for column in zip(*found, strict=True))
    taken = best_first(earlier, later, value)
    return earlier[taken], later[taken]


def best_first(rows: IntArray, others: IntArray, worth: DoubleArray) -> IntArray:
    """Return which pairs (row, other) are taken, the best first, each row and each other once.

    Of equal ones the first row wins, then the first other.

    >>> best_first(np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([0.5, 0.9, 0.7])).tolist()
    [1]
    """
    order = np.lexsort((others, rows, -worth))
    taken: IntArray = order[pair_off(rows[order], others[order])]
    return taken


def chains(before: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Number the chains of rows, each of which names one before it, further up, or -1.

    Returns:
        The number of each row's chain, and the first and the last row of each chain.

    >>> chains(np.array([-1, -1, 0, 2]))
    (array([0, 1, 0, 0]), array([0, 1]), array([3, 1]))
    """
    numbers = np.empty(len(before), np.int64)
    first: list[int] = []
    last: list[int] = []
    for row, earlier in enumerate(before.tolist()):
        if earlier < 0:
            numbers[row] = len(first)
            first.append(row)
            last.append(row)
        else:
            numbers[row] = numbers[earlier]
            last[numbers[row]] = row
    return numbers, np.array(first, np.int64), np.array(last, np.int64)


def _following(ends: Ends, begins: Ends, least: int, most: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield the pairs (earlier, later) of a class, the later beginning `least` to `most` frames after an end."""
    (last, last_labels), (first, first_labels) = ends, begins
    if most < least or not len(last) or not len(first):
        return
    # Classes lie further apart than any gap, and are numbered anew so that their numbers stay small.
    classes = np.unique(np.concatenate([last_labels, first_labels]), return_inverse=True)[1]
    classes = classes * (max(int(last.max()), int(first.max())) + most + 1)
    place_of_end, place_of_begin = classes[: len(last)] + last, classes[len(last) :] + first
    order = np.argsort(place_of_begin, kind="stable")
    ascending = place_of_begin[order]
    low = np.searchsorted(ascending, place_of_end + least)
    counts = np.searchsorted(ascending, place_of_end + most, "right") - low
    reach = np.cumsum(counts)
    begin = 0
    while begin < len(reach):
        done = reach[begin - 1] if begin else 0
        stop = max(int(np.searchsorted(reach, done + _PAIRS_AT_ONCE, "right")), begin + 1)
        some = np.arange(begin, stop)
        earlier = np.repeat(some, counts[some])
        place = np.arange(done, reach[stop - 1]) - np.repeat((reach - counts - low)[some], counts[some])
        yield earlier, order[place]
        begin = stop
