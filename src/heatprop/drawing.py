"""Detections onto an image: boxes, tags, and two images side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from heatprop.errors import InvalidArrayError
from heatprop.types import Detections, ImageArray, IntArray, check_image

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
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK: Colour = (16, 18, 22)
_PAPER: Colour = (250, 250, 250)
_NEW_LENGTH = 3


@dataclass(frozen=True, slots=True)
class _Pen:
    """Sizes of everything drawn, in pixels, fitted to the image."""

    line: int
    edge: int
    font_scale: float
    stroke: int
    padding: int

    @classmethod
    def for_image(cls, height: int, width: int) -> _Pen:
        side = float(np.sqrt(height * width))
        scale = float(np.clip(0.25 + 0.00038 * side, 0.3, 2.5))
        return cls(
            line=1 + 2 * round(side / 800),
            edge=1 if side >= 250 else 0,
            font_scale=scale,
            stroke=max(1, round(scale)),
            padding=max(2, int(8.5 * scale)),
        )


def class_colour(label: int) -> Colour:
    """Return the steady colour of class number `label` as RGB, 0 to 255."""
    return PALETTE[label % len(PALETTE)]


def draw(
    image: ImageArray, detections: Detections, classes: Sequence[str], *, mark_new: bool = False
) -> ImageArray:
    """Return a copy of `image` with a box and a tag (class name and score in percent) for each object.

    Lines and letters grow with the image. Tags stay inside the image and, where there is room, off each
    other; stronger objects lie on top.

    Args:
        image: uint8 ``(H, W, 3)`` RGB; not changed.
        detections: boxes in pixels of `image`; what lies outside is cut off.
        classes: a name for each class number.
        mark_new: draw objects seen for fewer than 3 frames (`detections.lengths`) with a thin line.

    Returns:
        uint8 ``(H, W, 3)`` RGB, a new array.

    Raises:
        InvalidArrayError: `image` is no RGB image, or a label has no name.

    Example:
        >>> cat = Detections([[20, 30, 90, 80]], [0.9], [0])
        >>> image = draw(np.zeros((90, 160, 3), np.uint8), cat, ["cat"])
        >>> image.shape, int(image[55, 20].max()), int(image[10, 150].max())
        ((90, 160, 3), 255, 0)
    """
    check_image(image)
    _check_labels(detections.labels, len(classes))
    canvas = image.copy()
    height, width = image.shape[:2]
    pen = _Pen.for_image(height, width)
    boxes = np.clip(np.rint(detections.boxes), (-1, -1, -1, -1), (width, height, width, height))
    visible = (boxes[:, 2] >= 0) & (boxes[:, 3] >= 0) & (boxes[:, 0] < width) & (boxes[:, 1] < height)
    rows = [row for row in np.argsort(-detections.scores, kind="stable").tolist() if visible[row]]
    corners = np.clip(boxes, 0, (width - 1, height - 1, width - 1, height - 1)).astype(int).tolist()
    labels, scores = detections.labels.tolist(), detections.scores.tolist()
    lengths = detections.lengths.tolist()

    for row in reversed(rows):
        thin = mark_new and lengths[row] < _NEW_LENGTH
        line = max(1, pen.line - 2) if thin else pen.line
        _draw_box(canvas, corners[row], class_colour(labels[row]), line, pen.edge)

    tags: list[tuple[Rectangle, str, Colour]] = []
    taken: list[Rectangle] = []
    for row in rows:
        text, text_width, text_height = _fit_text(classes[labels[row]], scores[row], width, pen)
        size = (text_width + 2 * pen.padding, text_height + 2 * pen.padding)
        place = _place_tag(corners[row], size, (width, height), pen.line, taken)
        taken.append(place)
        tags.append((place, text, class_colour(labels[row])))
    for place, text, colour in reversed(tags):
        _draw_tag(canvas, place, text, colour, pen)
    return canvas


def side_by_side(left: ImageArray, right: ImageArray, captions: tuple[str, str] = ("", "")) -> ImageArray:
    """Return two images of one height beside each other, each with its caption in the lower left corner.

    Args:
        left: uint8 ``(H, W, 3)`` RGB.
        right: uint8 ``(H, V, 3)`` RGB.
        captions: one for each image; empty for none.

    Returns:
        uint8 ``(H, W + V, 3)`` RGB, a new array.

    Raises:
        InvalidArrayError: an image is not RGB, or their heights differ.
    """
    check_image(left)
    check_image(right)
    if left.shape[0] != right.shape[0]:
        raise InvalidArrayError(
            f"images have heights {left.shape[0]} and {right.shape[0]}; make them equal to join them"
        )
    both = np.concatenate([left, right], axis=1)
    seam = left.shape[1]
    for start, stop, caption in ((0, seam, captions[0]), (seam, both.shape[1], captions[1])):
        if caption:
            _draw_caption(both[:, start:stop], caption)
    line = max(1, _Pen.for_image(*left.shape[:2]).line // 2)
    both[:, max(seam - line, 0) : seam + line] = _PAPER
    return both


def _check_labels(labels: IntArray, class_count: int) -> None:
    wrong = labels[(labels < 0) | (labels >= class_count)]
    if wrong.size:
        raise InvalidArrayError(
            f"label {int(wrong[0])} has no name among {class_count} classes; pass the classes of the model"
        )


def _draw_box(canvas: ImageArray, corners: Sequence[int], colour: Colour, line: int, edge: int) -> None:
    """Draw four bands, `line` (odd) pixels wide, with a dark edge so that light colours show on white."""
    # Filled bands: the width of a line that cv2 draws differs between its versions.
    x1, y1, x2, y2 = corners
    for half, ink in ((line // 2 + edge, _INK), (line // 2, colour)) if edge else ((line // 2, colour),):
        for left, top, right, bottom in (
            (x1, y1, x2, y1),
            (x1, y2, x2, y2),
            (x1, y1, x1, y2),
            (x2, y1, x2, y2),
        ):
            start, stop = (left - half, top - half), (right + half, bottom + half)
            cv2.rectangle(canvas, start, stop, ink, cv2.FILLED)


def _text_size(text: str, pen: _Pen) -> tuple[int, int]:
    (width, height), _ = cv2.getTextSize(text, _FONT, pen.font_scale, pen.stroke)
    return int(width), int(height)


def _fit_text(name: str, score: float, width: int, pen: _Pen) -> tuple[str, int, int]:
    """Return the tag's text with its width and height; without the score if the image is too narrow."""
    text = f"{name} {score:.0%}"
    text_width, text_height = _text_size(text, pen)
    if text_width + 2 * pen.padding > width:
        text = name
        text_width, text_height = _text_size(text, pen)
    return text, text_width, text_height


def _place_tag(
    corners: Sequence[int],
    size: tuple[int, int],
    image: tuple[int, int],
    line: int,
    taken: Sequence[Rectangle],
) -> Rectangle:
    """Return where a tag goes: above its box, else inside, below or at the right, where it hides no other."""
    x1, y1, x2, y2 = corners
    half = line // 2 + 1
    left, right = x1 - half, x2 + half - size[0]
    above, inside, below = y1 - half - size[1] + 1, y1, y2 + half
    first: Rectangle | None = None
    for x, y in ((left, above), (left, inside), (right, above), (left, below), (right, inside)):
        x_inside = max(0, min(x, image[0] - size[0]))
        if (y < 0 or y + size[1] > image[1]) and y != inside:
            continue
        y_inside = max(0, min(y, image[1] - size[1]))
        place = (x_inside, y_inside, x_inside + size[0], y_inside + size[1])
        first = first or place
        if not any(_overlap(place, other) for other in taken):
            return place
    assert first is not None
    return first


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _draw_tag(canvas: ImageArray, place: Rectangle, text: str, colour: Colour, pen: _Pen) -> None:
    x1, y1, x2, y2 = place
    cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), colour, cv2.FILLED)
    baseline = (x1 + pen.padding, y2 - pen.padding - 1)
    cv2.putText(canvas, text, baseline, _FONT, pen.font_scale, _INK, pen.stroke, cv2.LINE_AA)


def _draw_caption(image: ImageArray, caption: str) -> None:
    height, width = image.shape[:2]
    pen = _Pen.for_image(height, width)
    text_width, text_height = _text_size(caption, pen)
    if text_width + 2 * pen.padding > width or text_height + 2 * pen.padding > height:
        return
    margin = 2 * pen.padding
    x1 = max(0, min(margin, width - text_width - 2 * pen.padding))
    y2 = max(height - margin, text_height + 2 * pen.padding)
    y1, x2 = y2 - text_height - 2 * pen.padding, x1 + text_width + 2 * pen.padding
    # Half see-through, so that a caption hides nothing for good.
    image[y1:y2, x1:x2] //= 3
    origin = (x1 + pen.padding, y2 - pen.padding - 1)
    cv2.putText(image, caption, origin, _FONT, pen.font_scale, _PAPER, pen.stroke, cv2.LINE_AA)
