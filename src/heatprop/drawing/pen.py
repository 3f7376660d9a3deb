"""What all drawing shares: sizes fitted to the image, colours that are far apart, and text on a ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from heatprop.types import ImageArray

Colour: TypeAlias = tuple[int, int, int]
Rectangle: TypeAlias = tuple[int, int, int, int]

# The seven colours of Okabe and Ito, which people with any kind of colour vision tell apart, in an order that
# keeps COCO's street classes (person, bicycle, car, motorcycle, bus, truck) far from each other; then five
# more of other lightness for later classes.
PALETTE: tuple[Colour, ...] = (
    (255, 176, 0),
    (86, 180, 233),
    (0, 190, 140),
    (240, 228, 66),
    (220, 130, 180),
    (230, 100, 20),
    (110, 145, 255),
    (190, 230, 110),
    (255, 150, 130),
    (120, 225, 225),
    (200, 160, 255),
    (205, 170, 110),
)
FONT = cv2.FONT_HERSHEY_SIMPLEX
INK: Colour = (16, 18, 22)
PAPER: Colour = (250, 250, 250)


@dataclass(frozen=True, slots=True)
class Pen:
    """Sizes of everything drawn, in pixels, fitted to the image."""

    line: int
    edge: int
    font_scale: float
    stroke: int
    padding: int

    @classmethod
    def for_image(cls, height: int, width: int, shown_at: float = 1.0) -> Pen:
        """Return the sizes for an image, which will be shown at a share of its size."""
        if shown_at != 1:
            pen = cls.for_image(max(1, round(height * shown_at)), max(1, round(width * shown_at)))
            return cls(
                line=max(1, round(pen.line / shown_at)),
                edge=round(pen.edge / shown_at),
                font_scale=pen.font_scale / shown_at,
                stroke=max(1, round(pen.stroke / shown_at)),
                padding=max(2, round(pen.padding / shown_at)),
            )
        side = float(np.sqrt(height * width))
        scale = float(np.clip(0.25 + 0.00038 * side, 0.3, 2.5))
        return cls(
            line=1 + 2 * round(side / 800),
            edge=1 if side >= 250 else 0,
            font_scale=scale,
            stroke=max(1, round(scale)),
            padding=max(2, int(8.5 * scale)),
        )


def colour_of(number: int) -> Colour:
    """Return the steady colour of class or track id `number` as RGB, 0 to 255; twelve in a row all differ."""
    return PALETTE[number % len(PALETTE)]


def text_size(text: str, pen: Pen) -> tuple[int, int]:
    """Return width and height in pixels of a text."""
    (width, height), _ = cv2.getTextSize(text, FONT, pen.font_scale, pen.stroke)
    return int(width), int(height)


def draw_tag(canvas: ImageArray, place: Rectangle, text: str, colour: Colour, pen: Pen) -> None:
    """Write a text on a ground of the colour; the place has the padding around it."""
    x1, y1, x2, y2 = place
    cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), colour, cv2.FILLED)
    baseline = (x1 + pen.padding, y2 - pen.padding - 1)
    cv2.putText(canvas, text, baseline, FONT, pen.font_scale, INK, pen.stroke, cv2.LINE_AA)


def overlap(one: Rectangle, other: Rectangle) -> bool:
    """Return whether two rectangles have a pixel in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
