"""How an image is changed before it is learned from: mirrored, scaled, moved, recoloured.

Points are in pixels counted from the image's edge, so the middle of the first pixel lies at 0.5: the same
geometry as `heatprop.letterbox`, in which the network will see images later.

Source: xingyizhou/CenterNet, whose scales are eight steps and not continuous.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from heatprop.lab.training.config import AugmentationConfig
from heatprop.types import ImageArray

_BORDER = 128
_MARGIN = 0.15  # of the side
# Main axes of the colours of ImageNet, red first, and how far they spread; Krizhevsky et al. (2012).
_COLOUR_SPREAD = np.array([0.2175, 0.0188, 0.0045])
_COLOUR_AXES = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
_GREY = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an image lies in the network's input: ``(x * scale_x + left, y * scale + top)``.

    Attributes:
        scale_x: pixels of the input for one of the image; negative: mirrored.
        scale: the same along y.
        left: where the image's left edge lies, in pixels of the input.
        top: where its upper edge lies.
    """

    scale_x: float
    scale: float
    left: float
    top: float


def draw_placement(
    width: int, height: int, side: int, config: AugmentationConfig, random: np.random.Generator
) -> Placement:
    """Draw where an image of `width` x `height` pixels lies in a square input of `side` pixels."""
    extent = max(width, height) * random.uniform(*config.scale)
    share = random.uniform(size=2)
    x, y = width / 2, height / 2
    if config.shift:
        x, y = (
            border + part * (length - 2 * border)
            for part, length, border in zip(share, (width, height), (_border(width), _border(height)), strict=True)
        )
    return _with_point_at((x, y), (side / 2, side / 2), side / extent, config.flip, random)


def draw_cut_out(
    width: int,
    height: int,
    box: NDArray[np.float64],
    *,
    side: int,
    whole_side: int,
    config: AugmentationConfig,
    random: np.random.Generator,
) -> Placement:
    """Draw where an image lies in a small square input that shows one object of it.

    The image has the size that it would have in an input of `whole_side` pixels. The middle of the object lies
    anywhere in the input except for a margin.

    Args:
        width: of the image in pixels.
        height: of the image in pixels.
        box: of the object, (x1, y1, x2, y2) in pixels of the image.
        side: of the input in pixels.
        whole_side: side in pixels of the input that whole images go into.
        config: how images are changed.
        random: what is drawn from.
    """
    scale = whole_side / (max(width, height) * random.uniform(*config.scale))
    middle = ((box[:2] + box[2:]) / 2).tolist()
    goal = (side * random.uniform(_MARGIN, 1 - _MARGIN, 2)).tolist()
    return _with_point_at(middle, goal, scale, config.flip, random)


def place_image(image: ImageArray, placement: Placement, side: int) -> ImageArray:
    """Draw an image into a black square of `side` pixels, uint8 ``(side, side, 3)``.

    Like `heatprop.letterbox.letterbox` it halves the image first where it becomes less than half as large.
    """
    height, width = image.shape[:2]
    while placement.scale * height < image.shape[0] / 2 and min(image.shape[:2]) > 1:
        half = ((image.shape[1] + 1) // 2, (image.shape[0] + 1) // 2)
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_LINEAR), np.uint8)
    a, d = placement.scale_x * width / image.shape[1], placement.scale * height / image.shape[0]
    # OpenCV counts from the middle of the first pixel.
    matrix = np.array([[a, 0, placement.left + a / 2 - 0.5], [0, d, placement.top + d / 2 - 0.5]], np.float64)
    return np.asarray(cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR), np.uint8)


def place_boxes(boxes: NDArray[np.float64], placement: Placement) -> NDArray[np.float64]:
    """Carry boxes ``(N, 4)`` xyxy from pixels of the image to pixels of the input; not clipped."""
    x = boxes[:, 0::2] * placement.scale_x + placement.left
    y = boxes[:, 1::2] * placement.scale + placement.top
    return np.stack([x.min(axis=1), y[:, 0], x.max(axis=1), y[:, 1]], axis=1)


def visible_shares(boxes: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Return which share of each box, ``(N, 4)`` xyxy, lies inside a square input of `side` pixels, ``(N,)``."""
    areas, seen = (np.prod(each[:, 2:] - each[:, :2], axis=1) for each in (boxes, np.clip(boxes, 0, side)))
    shares: NDArray[np.float64] = np.divide(seen, areas, out=np.zeros_like(areas), where=areas > 0)
    return shares


def recolour(image: ImageArray, config: AugmentationConfig, random: np.random.Generator) -> ImageArray:
    """Change brightness, contrast and saturation, in random order, and the light; uint8 RGB ``(H, W, 3)``.

    All of these are affine in the colour of a pixel, so they are one matrix.
    """
    order = random.permutation(3)
    factors = 1 + random.uniform(-config.colour, config.colour, 3)
    light = random.normal(0, config.lighting, 3)
    if config.colour == 0 and config.lighting == 0:
        return image
    matrix, shift = np.eye(3), np.zeros(3)
    mean_grey = float(_GREY @ np.array(cv2.mean(image)[:3]))
    for kind, factor in zip(order.tolist(), factors.tolist(), strict=True):
        if kind == 0:  # brightness
            step, move = factor * np.eye(3), np.zeros(3)
        elif kind == 1:  # contrast, around the image's mean grey
            step, move = factor * np.eye(3), np.full(3, (1 - factor) * mean_grey)
        else:  # saturation
            step, move = factor * np.eye(3) + (1 - factor) * np.tile(_GREY, (3, 1)), np.zeros(3)
        matrix, shift = step @ matrix, step @ shift + move
        mean_grey = float(_GREY @ (step @ np.full(3, mean_grey) + move))
    shift = shift + 255 * _COLOUR_AXES @ (_COLOUR_SPREAD * light)
    return np.asarray(cv2.transform(image, np.column_stack([matrix, shift])), np.uint8)


def _with_point_at(
    point: Sequence[float], goal: Sequence[float], scale: float, flip: float, random: np.random.Generator
) -> Placement:
    """Return the placement that brings a point of the image to a place in the input, mirrored now and then."""
    across = -scale if random.uniform() < flip else scale
    return Placement(across, scale, goal[0] - across * point[0], goal[1] - scale * point[1])


def _border(length: int) -> int:
    """Return how far from the edge the middle of the input stays, in pixels: 128, halved until it fits."""
    border = _BORDER
    while length - border <= border and border > 1:
        border //= 2
    return border if length > 2 * border else length // 2
