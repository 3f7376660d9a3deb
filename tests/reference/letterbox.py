"""The letterbox as one would explain it, point by point and in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np

from heatprop.letterbox import InputFormat


def geometry(frame_width: int, frame_height: int, input_format: InputFormat) -> dict[str, int]:
    """Sizes of the scaled image, the padding and the input."""
    longest, multiple = input_format.longest_side, input_format.multiple
    height, width = input_format.fixed_size or (longest, longest)
    sides = {"width": frame_width, "height": frame_height}
    if input_format.fit == "stretch":
        images = {"width": width, "height": height}
    else:
        ratio = min(Fraction(width, frame_width), Fraction(height, frame_height))
        images = {name: max(1, round(float(side * ratio))) for name, side in sides.items()}
    if input_format.fit == "stretch" or input_format.fixed_size:
        inputs = {"width": width, "height": height}
    else:
        inputs = {name: ceil(Fraction(side, multiple)) * multiple for name, side in images.items()}
    part = {"centre": 2, "top-left": 10**9}[input_format.place]
    return {
        "image_width": images["width"],
        "image_height": images["height"],
        "input_width": inputs["width"],
        "input_height": inputs["height"],
        "pad_left": (inputs["width"] - images["width"]) // part,
        "pad_top": (inputs["height"] - images["height"]) // part,
    }


def box_to_frame(
    box: tuple[float, float, float, float], frame: tuple[int, int], input_format: InputFormat, stride: int
) -> tuple[float, ...]:
    """One box from cells to pixels of the frame, clipped."""
    width, height = frame
    laid = geometry(width, height, input_format)
    corners = []
    for x, y in (box[:2], box[2:]):
        image_x = Fraction(x) * stride - laid["pad_left"]
        image_y = Fraction(y) * stride - laid["pad_top"]
        frame_x = image_x * width / laid["image_width"]
        frame_y = image_y * height / laid["image_height"]
        corners += [frame_x, frame_y]
    for low, high in ((0, 2), (1, 3)):
        if corners[low] > corners[high]:  # a size below zero: no box, but a place
            corners[low] = corners[high] = (corners[low] + corners[high]) / 2
    clipped = zip(corners, (width, height) * 2, strict=True)
    return tuple(float(min(max(value, 0), limit)) for value, limit in clipped)


def normalise(canvas: np.ndarray, input_format: InputFormat) -> np.ndarray:
    """Channel order and normalisation, pixel by pixel: ``(H, W, 3)`` RGB to ``(3, H, W)``."""
    height, width, _ = canvas.shape
    planes = np.zeros((3, height, width))
    for y in range(height):
        for x in range(width):
            red, green, blue = (float(value) for value in canvas[y, x])
            colours = (red, green, blue) if input_format.channel_order == "RGB" else (blue, green, red)
            for channel, colour in enumerate(colours):
                scaled = colour * input_format.scale
                planes[channel, y, x] = (scaled - input_format.mean[channel]) / input_format.std[channel]
    return planes
