"""Where objects went: the last seconds of each, by its id."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from heatprop.drawing.pen import INK, Colour
from heatprop.errors import check_range
from heatprop.types import Detections, ImageArray

_MAX_POINTS = 1000


class Trails:
    """Where the objects of one video were, as far as it shows: the middle of the lower side of each box.

    Only objects that have an id are followed. Behind a cut all ids are new, so that no trail leads across one.
    Memory does not grow with the length of the video.

    Args:
        seconds: how much of the past is kept, from 0.

    Attributes:
        seconds: as given.

    Raises:
        InvalidConfigError: `seconds` lies outside of its range.

    Example:
        >>> trails = Trails(seconds=2)
        >>> for time, x in enumerate([0, 10, 20, 30]):
        ...     trails.update(time, Detections([[x, 0, x + 10, 40]], [0.9], [0], track_ids=[7]))
        >>> trails.points(7)
        [(15, 40), (25, 40), (35, 40)]
    """

    def __init__(self, seconds: float) -> None:
        check_range("seconds", seconds, 0, 1e6)
        self.seconds = seconds
        self._past: dict[int, deque[tuple[float, tuple[int, int]]]] = {}

    def update(self, time: float, detections: Detections) -> None:
        """Take over where the objects of the next frame are.

        Args:
            time: of the frame, in seconds.
            detections: its objects.
        """
        boxes, ids = np.rint(detections.boxes), detections.track_ids.tolist()
        for (x1, _, x2, y2), number in zip(boxes.tolist(), ids, strict=True):
            if number >= 0:
                past = self._past.setdefault(number, deque(maxlen=_MAX_POINTS))
                past.append((time, (int(x1 + x2) // 2, int(y2))))
        for number, past in list(self._past.items()):
            while past and past[0][0] < time - self.seconds:
                past.popleft()
            if not past:
                del self._past[number]

    def points(self, number: int) -> Sequence[tuple[int, int]]:
        """Return where the object with this id was, in pixels, the oldest first; nothing where it is not known."""
        return [point for _, point in self._past.get(number, ())]


def draw_trails(
    canvas: ImageArray, trails: Trails, colours: Mapping[int, Colour], line: int, *, has_edge: bool
) -> None:
    """Draw the trails of some objects onto an image; each grows from a hair to the full line.

    Args:
        canvas: uint8 ``(H, W, 3)``; is drawn on.
        trails: of the video.
        colours: by id, of the objects that are shown.
        line: width of the newest part, in pixels.
        has_edge: whether a dark edge goes around, so that light colours show on white.
    """
    for number, colour in colours.items():
        points = np.array(trails.points(number), np.int32).reshape(-1, 1, 2)
        if len(points) < 2:
            continue
        widths = np.linspace(1, line, len(points) - 1).round().astype(int)
        pieces = [
            (points[np.append(at := np.flatnonzero(widths == width), at[-1] + 1)], int(width))
            for width in np.unique(widths)
        ]
        for extra, ink in ((2, INK), (0, colour)) if has_edge else ((0, colour),):
            for piece, width in pieces:
                cv2.polylines(canvas, [piece], False, ink, width + extra, cv2.LINE_AA)
