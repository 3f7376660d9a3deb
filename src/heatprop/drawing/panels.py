"""Two images side by side, each with its caption."""

from __future__ import annotations

import cv2
import numpy as np

from heatprop.drawing.pen import FONT, PAPER, Pen, text_size
from heatprop.errors import InvalidArrayError
from heatprop.types import ImageArray, check_image


def side_by_side(
    left: ImageArray, right: ImageArray, captions: tuple[str, str] = ("", ""), *, shown_at: float = 1.0
) -> ImageArray:
    """Return two images of one height beside each other, each with its caption in the lower left corner.

    Args:
        left: uint8 ``(H, W, 3)`` RGB.
        right: uint8 ``(H, V, 3)`` RGB.
        captions: one for each image; empty for none.
        shown_at: as what share of its size the result will be shown; captions are so much larger.

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
            _draw_caption(both[:, start:stop], caption, shown_at)
    line = max(1, Pen.for_image(left.shape[0], left.shape[1], shown_at).line // 2)
    both[:, max(seam - line, 0) : seam + line] = PAPER
    return both


def _draw_caption(image: ImageArray, caption: str, shown_at: float) -> None:
    height, width = image.shape[:2]
    pen = Pen.for_image(height, width, shown_at)
    text_width, text_height = text_size(caption, pen)
    if text_width + 2 * pen.padding > width or text_height + 2 * pen.padding > height:
        return
    margin = 2 * pen.padding
    x1 = max(0, min(margin, width - text_width - 2 * pen.padding))
    y2 = max(height - margin, text_height + 2 * pen.padding)
    y1, x2 = y2 - text_height - 2 * pen.padding, x1 + text_width + 2 * pen.padding
    # Half see-through, so that a caption hides nothing for good.
    image[y1:y2, x1:x2] //= 3
    origin = (x1 + pen.padding, y2 - pen.padding - 1)
    cv2.putText(image, caption, origin, FONT, pen.font_scale, PAPER, pen.stroke, cv2.LINE_AA)
