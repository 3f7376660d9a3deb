"""Lines and zones the slow way: whole paths at once, in fractions."""

from fractions import Fraction
from itertools import pairwise


def side_of(point, start, end):
    """Below 0 left of the line, above 0 right of it."""
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])


def is_within(point, start, end):
    """Whether a point of the endless line lies between two others."""
    return all(min(a, b) <= c <= max(a, b) for a, b, c in zip(start, end, point, strict=True))


def passings(path, start, end):
    """The directions in which a path passes a segment, 1 from left to right."""
    found = []
    for before, now in pairwise(path):
        first, second = side_of(before, start, end), side_of(now, start, end)
        if (first < 0) == (second < 0):
            continue
        share = Fraction(first, first - second)
        meeting = [a + share * (b - a) for a, b in zip(before, now, strict=True)]
        if is_within(meeting, start, end):
            found.append(1 if first < 0 else -1)
    return found


def crossings(path, start, end, clear):
    """The directions in which a path of whole numbers crosses a segment: farther than `clear` before and after."""
    length = (end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2
    settled = [
        (place, 1 if side_of(point, start, end) > 0 else -1)
        for place, point in enumerate(path)
        if side_of(point, start, end) ** 2 > clear**2 * length
    ]
    found = []
    for (place, side), (later, other) in pairwise(settled):
        if side != other and sum(passings(path[place : later + 1], start, end)) * other > 0:
            found.append(other)
    return found
