"""Detections onto an image: boxes and their tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import cv2
import numpy as np

from heatprop.drawing.pen import INK, Colour, Pen, Rectangle, colour_of, draw_tag, overlap, text_size
from heatprop.drawing.trails import Trails, draw_trails
from heatprop.errors import InvalidArrayError, InvalidConfigError, check_count
from heatprop.types import Detections, ImageArray, IntArray, check_image

ColourBy: TypeAlias = Literal["class", "id"]
LabelPart: TypeAlias = Literal["name", "id", "score", "length"]
LABEL_PARTS: tuple[LabelPart, ...] = ("name", "score")
"""What a tag says if nothing else is asked for."""
WIDEST_LINE = 100
_ALL_PARTS = ("name", "id", "score", "length")
_NEW_LENGTH = 3


def draw(
    image: ImageArray,
    detections: Detections,
    classes: Sequence[str],
    *,
    mark_new: bool = False,
    draw_ids: bool = False,
    colour_by: ColourBy = "class",
    line_width: int | None = None,
    label_parts: Sequence[LabelPart] = LABEL_PARTS,
    trails: Trails | None = None,
    shown_at: float = 1.0,
) -> ImageArray:
    """Return a copy of `image` with a box and a tag (class name and score in percent) for each object.

    Lines and letters grow with the image. Tags stay inside the image and, where there is room, off each
    other; stronger objects lie on top.

    Args:
        image: uint8 ``(H, W, 3)`` RGB; not changed.
        detections: boxes in pixels of `image`; what lies outside is cut off.
        classes: a name for each class number.
        mark_new: draw objects seen for fewer than 3 frames (`detections.lengths`) with a thin line.
        draw_ids: write track ids into the tags, as ``person #12 87%``; an object without one has none.
        colour_by: ``"class"``, or ``"id"``: twelve ids in a row have colours that are far apart, and an id keeps
            its own. An object without one has the colour of its class.
        line_width: of the boxes, in pixels, 1 to 100; None for one that fits the image.
        label_parts: what tags say, in this order: ``"name"``, ``"id"`` (``#12``), ``"score"`` (``87%``) and
            ``"length"``, the frames that the object was followed for (``34f``). Empty for no tags.
        trails: of this video, whose `Trails.update` was given the detections of each frame; drawn for the objects
            of this one.
        shown_at: as what share of its size the image will be shown; letters and lines are so much larger.

    Returns:
        uint8 ``(H, W, 3)`` RGB, a new array.

    Raises:
        InvalidArrayError: `image` is no RGB image, or a label has no name.
        InvalidConfigError: another argument lies outside of its range.

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
    pen = Pen.for_image(height, width, shown_at)
    if line_width is not None:
        check_count("line_width", line_width, 1, WIDEST_LINE)
        pen = replace(pen, line=line_width)
    boxes = np.clip(np.rint(detections.boxes), (-1, -1, -1, -1), (width, height, width, height))
    visible = (boxes[:, 2] >= 0) & (boxes[:, 3] >= 0) & (boxes[:, 0] < width) & (boxes[:, 1] < height)
    rows = [row for row in np.argsort(-detections.scores, kind="stable").tolist() if visible[row]]
    corners = np.clip(boxes, 0, (width - 1, height - 1, width - 1, height - 1)).astype(int).tolist()
    labels, scores = detections.labels.tolist(), detections.scores.tolist()
    lengths, ids = detections.lengths.tolist(), detections.track_ids.tolist()
    parts = _with_ids(label_parts) if draw_ids else _checked(label_parts)
    by_id = colour_by == "id"
    colours = [
        colour_of(number if by_id and number >= 0 else label) for number, label in zip(ids, labels, strict=True)
    ]

    if trails is not None:
        shown = {ids[row]: colours[row] for row in reversed(rows) if ids[row] >= 0}
        draw_trails(canvas, trails, shown, pen.line, has_edge=bool(pen.edge))
    for row in reversed(rows):
        thin = mark_new and lengths[row] < _NEW_LENGTH
        line = max(1, pen.line - 2) if thin else pen.line
        _draw_box(canvas, corners[row], colours[row], line, pen.edge)

    tags: list[tuple[Rectangle, str, Colour]] = []
    taken: list[Rectangle] = []
    for row in rows:
        words = {
            "name": classes[labels[row]],
            "id": f"#{ids[row]}" if ids[row] >= 0 else "",
            "score": f"{scores[row]:.0%}",
            "length": f"{lengths[row]}f",
        }
        text, text_width, text_height = _fit_text({part: words[part] for part in parts}, width, pen)
        if not text:
            continue
        size = (text_width + 2 * pen.padding, text_height + 2 * pen.padding)
        place = _place_tag(corners[row], size, (width, height), pen.line, taken)
        taken.append(place)
        tags.append((place, text, colours[row]))
    for place, text, colour in reversed(tags):
        draw_tag(canvas, place, text, colour, pen)
    return canvas


def _check_labels(labels: IntArray, class_count: int) -> None:
    wrong = labels[(labels < 0) | (labels >= class_count)]
    if wrong.size:
        raise InvalidArrayError(
            f"label {int(wrong[0])} has no name among {class_count} classes; pass the classes of the model"
        )


def _checked(parts: Sequence[LabelPart]) -> Sequence[LabelPart]:
    for part in parts:
        if part not in _ALL_PARTS:
            raise InvalidConfigError(f"{part!r} is no part of a tag; those are {', '.join(_ALL_PARTS)}")
    return parts


def _with_ids(parts: Sequence[LabelPart]) -> Sequence[LabelPart]:
    """Return parts with the id among them, behind the name."""
    if "id" in _checked(parts):
        return parts
    place = parts.index("name") + 1 if "name" in parts else 0
    return (*parts[:place], "id", *parts[place:])


def _draw_box(canvas: ImageArray, corners: Sequence[int], colour: Colour, line: int, edge: int) -> None:
    """Draw four bands, `line` pixels wide, with a dark edge so that light colours show on white."""
    # Filled bands: the width of a line that cv2 draws differs between its versions.
    x1, y1, x2, y2 = corners
    for around, ink in ((edge, INK), (0, colour)) if edge else ((0, colour),):
        before, after = (line - 1) // 2 + around, line // 2 + around
        for left, top, right, bottom in (
            (x1, y1, x2, y1),
            (x1, y2, x2, y2),
            (x1, y1, x1, y2),
            (x2, y1, x2, y2),
        ):
            start, stop = (left - before, top - before), (right + after, bottom + after)
            cv2.rectangle(canvas, start, stop, ink, cv2.FILLED)


def _fit_text(words: Mapping[str, str], width: int, pen: Pen) -> tuple[str, int, int]:
    """Return the tag's text with its width and height; if the image is too narrow, without numbers but the id."""
    for parts in (words, [part for part in words if part in ("name", "id")] or words):
        text = " ".join(filter(None, (words[part] for part in parts)))
        text_width, text_height = text_size(text, pen)
        if text_width + 2 * pen.padding <= width:
            break
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
        if not any(overlap(place, other) for other in taken):
            return place
    assert first is not None
    return first
