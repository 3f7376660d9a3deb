"""Points, lines and polygons in an image: where boxes stand, what passes a line, what lies in a zone.

Coordinates are x and y in pixels, y downwards. Left and right are those of someone who walks on the image, seen as
a map, from the start of a line to its end: of a line drawn from the left edge to the right one, left is above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import hypot, isfinite
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import InvalidConfigError

Anchor: TypeAlias = Literal["bottom", "centre"]
Point: TypeAlias = tuple[float, float]
Points: TypeAlias = NDArray[np.float64]


def anchors_of(boxes: NDArray[np.floating[Any]], anchor: Anchor) -> Points:
    """Return the point that stands for each box: the middle of its lower side, or its centre.

    Args:
        boxes: ``(N, 4)`` as (x1, y1, x2, y2).
        anchor: which point.

    Returns:
        float64 ``(N, 2)``.

    Example:
        >>> anchors_of(np.float32([[0, 0, 4, 10]]), "bottom"), anchors_of(np.float32([[0, 0, 4, 10]]), "centre")
        (array([[ 2., 10.]]), array([[2., 5.]]))
    """
    corners = boxes.astype(np.float64)
    x, y = (corners[:, 0] + corners[:, 2]) / 2, (corners[:, 1] + corners[:, 3]) / 2
    return np.stack([x, y if anchor == "centre" else corners[:, 3]], axis=1)


def distances_to(points: Points, start: Point, end: Point) -> NDArray[np.float64]:
    """Return how far points ``(N, 2)`` lie from the endless line through two others: below 0 left of it.

    Example:
        >>> distances_to(np.array([[5.0, -3.0], [5.0, 2.0]]), (0, 0), (10, 0)).tolist()
        [-3.0, 2.0]
    """
    along = np.subtract(end, start)
    from_start = points - np.asarray(start)
    distances: NDArray[np.float64] = (along[0] * from_start[:, 1] - along[1] * from_start[:, 0]) / hypot(*along)
    return distances


def passes(before: Point, now: Point, start: Point, end: Point) -> int:
    """Return 1 where a straight step passes a segment from left to right, -1 from right to left, else 0.

    A point on the line counts as right of it; the ends of the segment belong to it.

    Example:
        >>> passes((5, -3), (5, 3), (0, 0), (10, 0)), passes((12, 3), (12, -3), (0, 0), (10, 0))
        (1, 0)
    """
    is_left, was_left = _turn(start, end, now) < 0, _turn(start, end, before) < 0
    if is_left == was_left or _turn(before, now, start) * _turn(before, now, end) > 0:
        return 0
    return 1 if was_left else -1


def lie_in(points: Points, polygon: Points) -> NDArray[np.bool_]:
    """Return which points ``(N, 2)`` lie in a polygon ``(P, 2)``; its border belongs to it.

    Example:
        >>> square = np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]])
        >>> lie_in(np.array([[1.0, 1], [4, 2], [5, 2]]), square).tolist()
        [True, True, False]
    """
    x, y = points[:, :1], points[:, 1:]
    (x1, y1), (x2, y2) = polygon.T, np.roll(polygon, -1, axis=0).T
    turn = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
    # A ray to the right meets an edge that it has the point on the left of, seen upwards.
    rises, falls = (y1 <= y) & (y < y2), (y2 <= y) & (y < y1)
    meets = (rises & (turn < 0)) | (falls & (turn > 0))
    within = (np.minimum(x1, x2) <= x) & (x <= np.maximum(x1, x2))
    within &= (np.minimum(y1, y2) <= y) & (y <= np.maximum(y1, y2))
    is_on_border = (within & (turn == 0)).any(axis=1)
    inside: NDArray[np.bool_] = (meets.sum(axis=1) % 2 == 1) | is_on_border
    return inside


def check_anchor(anchor: object) -> None:
    """Check that an anchor is one.

    Raises:
        InvalidConfigError: it is not.
    """
    if anchor not in get_args(Anchor):
        raise InvalidConfigError(f"anchor is {anchor!r}; it must be 'bottom' or 'centre'")


def check_line(start: Point, end: Point) -> None:
    """Check that a line has a direction.

    Raises:
        InvalidConfigError: its ends are no two numbers each, or the same point.
    """
    first, second = _checked("line", [start, end])
    if first == second:
        raise InvalidConfigError(f"the line begins and ends at {_said(first)}; give two points")


def check_polygon(points: Sequence[Point]) -> None:
    """Check that points are the corners of a zone.

    Raises:
        InvalidConfigError: they are fewer than three or not finite, or its sides cross or touch one another.
    """
    corners = _checked("zone", points)
    if len(corners) < 3:
        raise InvalidConfigError(f"the zone has {len(corners)} points; give three or more")
    sides = [(corners[place - 1], corner) for place, corner in enumerate(corners)]
    for (place, one), (later, other) in combinations(enumerate(sides), 2):
        if one[0] == one[1] or other[0] == other[1]:
            twice = one[0] if one[0] == one[1] else other[0]
            raise InvalidConfigError(f"the zone has the point {_said(twice)} twice in a row; give it once")
        is_before, is_last = later == place + 1, place == 0 and later == len(sides) - 1
        if is_before:
            clash = _folds_back(one[0], one[1], other[1])
        elif is_last:
            clash = _folds_back(other[0], other[1], one[1])
        else:
            clash = _touch(one, other)
        if clash:
            said = f"{_said(one[0])} to {_said(one[1])}, and {_said(other[0])} to {_said(other[1])}"
            raise InvalidConfigError(f"the zone crosses itself: {said}; give its corners in order around it")


def _checked(what: str, points: Sequence[Point]) -> list[Point]:
    checked = []
    for point in points:
        try:
            x, y = (float(value) for value in point)
        except (TypeError, ValueError):
            raise InvalidConfigError(f"the {what} has the point {point!r}; give x and y, in pixels") from None
        if not (isfinite(x) and isfinite(y)):
            raise InvalidConfigError(f"the {what} has the point {_said((x, y))}; give finite numbers")
        checked.append((x, y))
    return checked


def _said(point: Point) -> str:
    return f"{point[0]:g},{point[1]:g}"


def _turn(one: Point, two: Point, three: Point) -> float:
    return (two[0] - one[0]) * (three[1] - one[1]) - (two[1] - one[1]) * (three[0] - one[0])


def _folds_back(one: Point, two: Point, three: Point) -> bool:
    """Return whether the way from one by two to three goes back on itself."""
    ahead = (two[0] - one[0]) * (three[0] - two[0]) + (two[1] - one[1]) * (three[1] - two[1])
    return _turn(one, two, three) == 0 and ahead < 0


def _touch(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    """Return whether two segments have a point in common."""
    turns = [_turn(*one, point) for point in other] + [_turn(*other, point) for point in one]
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    ends = [(*one, point) for point in other] + [(*other, point) for point in one]
    return any(turn == 0 and _is_between(*end) for turn, end in zip(turns, ends, strict=True))


def _is_between(one: Point, two: Point, point: Point) -> bool:
    return all(min(a, b) <= c <= max(a, b) for a, b, c in zip(one, two, point, strict=True))
