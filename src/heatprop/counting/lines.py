"""How many objects crossed a line, each way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from heatprop.counting.geometry import Anchor, Point, anchors_of, check_anchor, check_line, distances_to, passes
from heatprop.counting.recent_ids import MOST_IDS, RecentIds
from heatprop.errors import check_count, check_range
from heatprop.types import Detections, IntArray

LEFT, RIGHT = -1, 1


class _Path(NamedTuple):
    """Where an object is, on its way over a line.

    Attributes:
        point: where it was seen last.
        side: on which side it was last seen clear of the line; 0 where it never was.
        passed: how often it passed the line from left to right since then, less how often from right to left.
    """

    point: Point
    side: int
    passed: int


class LineCounter:
    """Counts the objects that cross a line from `start` to `end`, by class, each way.

    An object is a point: where its box stands on the ground, or the centre of the box. It has crossed when it was
    seen clear of the line on one side, and then clear of it on the other, and went through the line in between
    rather than around an end. Clear of it is farther than `margin` times the object's size. So an object that
    lingers on the line, and whose box trembles, counts once. Between two frames it goes straight, also where it
    was hidden for a while. One that appears on the line does not count before it comes back.

    Left and right are those of someone who walks on the image from `start` to `end`.

    Args:
        start: x and y in pixels of the frame.
        end: likewise.
        anchor: which point stands for an object: the ``"bottom"`` of its box, in the middle, or its ``"centre"``.
        margin: in sizes of the object, the square root of the area of its box; at least 0.
        most_ids: how many ids are remembered, those seen last, about 300 bytes each. See `ObjectCounter`.

    Raises:
        InvalidConfigError: the ends are one point, or a number lies outside its range.

    Example:
        >>> door = LineCounter((0, 50), (100, 50))
        >>> for y in (20, 45, 52, 48, 80):  # trembles on the line
        ...     crossed = door.update(Detections([[40, y - 20, 60, y]], [0.9], [0], track_ids=[7]))
        >>> dict(door.left_to_right), dict(door.right_to_left), crossed
        ({0: 1}, {}, array([1]))
    """

    def __init__(
        self,
        start: Point,
        end: Point,
        *,
        anchor: Anchor = "bottom",
        margin: float = 0.1,
        most_ids: int = MOST_IDS,
    ) -> None:
        check_line(start, end)
        check_anchor(anchor)
        check_range("margin", margin, 0, 1e6)
        check_count("most_ids", most_ids, 1)
        self.start, self.end = (float(start[0]), float(start[1])), (float(end[0]), float(end[1]))
        self._anchor, self._margin = anchor, float(margin)
        self._paths = RecentIds[_Path](int(most_ids))
        self._counts: dict[int, Counter[int]] = {LEFT: Counter(), RIGHT: Counter()}

    @property
    def left_to_right(self) -> Mapping[int, int]:
        """How many crossed from left to right, by class number; classes without any are missing."""
        return MappingProxyType(self._counts[RIGHT])

    @property
    def right_to_left(self) -> Mapping[int, int]:
        """How many crossed from right to left, by class number; classes without any are missing."""
        return MappingProxyType(self._counts[LEFT])

    def update(self, detections: Detections) -> IntArray:
        """Take the next frame.

        Args:
            detections: of the frame, boxes in its pixels; those without an id (-1) are not looked at.

        Returns:
            int64 ``(N,)``: 1 for what has crossed from left to right by this frame, -1 for what has from right to
            left, 0 for all others.
        """
        points = anchors_of(detections.boxes, self._anchor)
        distances = distances_to(points, self.start, self.end).tolist()
        sides = np.maximum(detections.boxes[:, 2:] - detections.boxes[:, :2], 0).astype(np.float64)
        clear = (self._margin * np.sqrt(sides.prod(axis=1))).tolist()
        crossed = np.zeros(len(detections), np.int64)
        for row, number in enumerate(detections.track_ids.tolist()):
            if number >= 0:
                x, y = points[row].tolist()
                side = 0 if abs(distances[row]) <= clear[row] else RIGHT if distances[row] > 0 else LEFT
                crossed[row] = self._step(number, (x, y), side)
                if crossed[row]:
                    self._counts[side][int(detections.labels[row])] += 1
        return crossed

    def _step(self, number: int, point: Point, side: int) -> int:
        """Note where an object is and on which side it is clear of the line; return to which it has crossed."""
        before = self._paths.get(number) or _Path(point, 0, 0)
        passed = before.passed + passes(before.point, point, self.start, self.end)
        if not side:
            self._paths.put(number, _Path(point, before.side, passed))
            return 0
        self._paths.put(number, _Path(point, side, 0))
        return side if before.side == -side and passed * side > 0 else 0
