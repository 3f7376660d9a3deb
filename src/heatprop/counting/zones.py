"""How many objects are in a zone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from heatprop.counting.geometry import Anchor, Point, anchors_of, check_anchor, check_polygon, lie_in
from heatprop.counting.objects import LEAST_FRAMES, ObjectCounter
from heatprop.counting.recent_ids import MOST_IDS
from heatprop.types import Detections


class ZoneCounter:
    """Counts the objects in a zone, by class: now, at most and on average, and how many different ones there were.

    Args:
        points: x and y of its corners in pixels of the frame, in order around it; three or more. Its border
            belongs to it.
        anchor: which point of a box must lie in it: the ``"bottom"``, in the middle, or the ``"centre"``.
        least_frames: in how many frames an object is in it that counts among the different ones.
        most_ids: see `ObjectCounter`.

    Attributes:
        points: as they were given.
        objects: the different objects that were in it. Detections without an id (-1) are not among them, though
            they count in all other numbers.
        most: how many were in it at once, at most.
        seen: the class numbers that were ever in it.

    Raises:
        InvalidConfigError: the corners are fewer than three, or the zone crosses itself.

    Example:
        >>> hall = ZoneCounter([(0, 0), (100, 0), (100, 50), (0, 50)], least_frames=1)
        >>> for x in (80, 120):
        ...     inside = hall.update(Detections([[x - 5, 10, x + 5, 30]], [0.9], [0], track_ids=[7]))
        >>> dict(hall.inside), hall.most, hall.mean, hall.objects.total, inside
        ({}, 1, 0.5, 1, array([False]))
    """

    def __init__(
        self,
        points: Sequence[Point],
        *,
        anchor: Anchor = "bottom",
        least_frames: int = LEAST_FRAMES,
        most_ids: int = MOST_IDS,
    ) -> None:
        check_polygon(points)
        check_anchor(anchor)
        self.points = tuple((float(x), float(y)) for x, y in points)
        self.objects = ObjectCounter(least_frames, most_ids=most_ids)
        self.most = 0
        self.seen: set[int] = set()
        self._anchor: Anchor = anchor
        self._polygon = np.array(self.points)
        self._inside: Counter[int] = Counter()
        self._sum = self._frames = 0

    @property
    def inside(self) -> Mapping[int, int]:
        """How many are in it in the last frame, by class number; classes without any are missing."""
        return MappingProxyType(self._inside)

    @property
    def mean(self) -> float:
        """How many were in it in a frame, on average over all frames; 0 before the first."""
        return self._sum / self._frames if self._frames else 0.0

    def update(self, detections: Detections) -> NDArray[np.bool_]:
        """Take the next frame.

        Args:
            detections: of the frame, boxes in its pixels.

        Returns:
            bool ``(N,)``: which of them are in the zone.
        """
        inside = lie_in(anchors_of(detections.boxes, self._anchor), self._polygon)
        self.objects.update(detections, among=inside)
        self._inside = Counter(detections.labels[inside].tolist())
        self.seen |= set(self._inside)
        count = self._inside.total()
        self.most = max(self.most, count)
        self._sum, self._frames = self._sum + count, self._frames + 1
        return inside
