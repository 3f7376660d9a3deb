"""Lines and zones with their numbers, onto an image."""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot

import cv2
import numpy as np

from heatprop.counting import LineCounter, ZoneCounter
from heatprop.counting.geometry import Point
from heatprop.drawing.pen import INK, PAPER, Pen, draw_tag, text_size
from heatprop.types import ImageArray, check_image


def draw_counts(
    image: ImageArray,
    lines: Mapping[str, LineCounter],
    zones: Mapping[str, ZoneCounter],
    *,
    shown_at: float = 1.0,
) -> ImageArray:
    """Return a copy of `image` with lines and zones, by name, and their running numbers.

    A line has two arrows: at the head of each stands how many went that way, and its name with those from left to
    right. A zone has its name, and how many are in it, inside of its topmost corner. Letters that are not ASCII
    are drawn as question marks.

    Args:
        image: uint8 ``(H, W, 3)`` RGB; not changed.
        lines: counters of lines in pixels of `image`.
        zones: counters of zones in pixels of `image`.
        shown_at: as what share of its size the image will be shown; letters and lines are so much larger.

    Returns:
        uint8 ``(H, W, 3)`` RGB, a new array.

    Raises:
        InvalidArrayError: `image` is no RGB image.

    Example:
        >>> image = draw_counts(np.zeros((90, 160, 3), np.uint8), {"door": LineCounter((0, 45), (160, 45))}, {})
        >>> image.shape, bool(image[45, 10].max() > 200)
        ((90, 160, 3), True)
    """
    check_image(image)
    canvas = image.copy()
    pen = Pen.for_image(image.shape[0], image.shape[1], shown_at)
    for zone in zones.values():
        _draw_path(canvas, [*zone.points, zone.points[0]], pen)
    for line in lines.values():
        _draw_path(canvas, [line.start, line.end], pen)
    for name, zone in zones.items():
        corner = min(zone.points, key=lambda point: (point[1], point[0]))
        inwards = np.mean(zone.points, axis=0) - corner
        way = tuple((inwards / max(hypot(*inwards), 1e-9)).tolist())
        _draw_number(canvas, f"{name}: {sum(zone.inside.values())}", corner, way, pen)
    for name, line in lines.items():
        middle = (line.start[0] + line.end[0]) / 2, (line.start[1] + line.end[1]) / 2
        length = hypot(line.end[0] - line.start[0], line.end[1] - line.start[1])
        right = (line.start[1] - line.end[1]) / length, (line.end[0] - line.start[0]) / length
        rightwards, leftwards = (sum(each.values()) for each in (line.left_to_right, line.right_to_left))
        for way, text in ((right, f"{name}: {rightwards}"), ((-right[0], -right[1]), str(leftwards))):
            head = _draw_arrow(canvas, middle, way, pen)
            _draw_number(canvas, text, head, way, pen)
    return canvas


def _draw_path(canvas: ImageArray, points: list[Point], pen: Pen) -> None:
    corners = np.rint(points).astype(np.int32).reshape(-1, 1, 2)
    for thickness, ink in ((pen.line + 2, INK), (pen.line, PAPER)):
        cv2.polylines(canvas, [corners], False, ink, thickness, cv2.LINE_AA)


def _draw_arrow(canvas: ImageArray, start: Point, way: Point, pen: Pen) -> Point:
    """Draw an arrow, and return where its head is."""
    length = 12 + 8 * pen.line
    head = start[0] + way[0] * length, start[1] + way[1] * length
    first, last = ((round(x), round(y)) for x, y in (start, head))
    for thickness, ink in ((pen.line + 2, INK), (pen.line, PAPER)):
        cv2.arrowedLine(canvas, first, last, ink, thickness, cv2.LINE_AA, tipLength=0.4)
    return head


def _draw_number(canvas: ImageArray, text: str, beside: Point, way: Point, pen: Pen) -> None:
    """Write a text beside a point, on the side that `way` leads to, inside of the image."""
    text = text.encode("ascii", "replace").decode()
    width, height = (side + 2 * pen.padding for side in text_size(text, pen))
    distance = pen.line + 3
    centre = [at + to * (distance + side / 2) for at, to, side in zip(beside, way, (width, height), strict=True)]
    left, top = (
        max(0, min(round(at - side / 2), whole - side))
        for at, side, whole in zip(centre, (width, height), canvas.shape[1::-1], strict=True)
    )
    draw_tag(canvas, (left, top, left + width, top + height), text, PAPER, pen)
