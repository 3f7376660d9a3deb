"""What is around objects: backgrounds, and things of the foreground that they pass behind.

Backgrounds are gradients, clouds of noise, shapes, and litter cut from objects that must not be taken for them.
Poles, bushes and fences have outlines made by comparisons of whole numbers: the same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heatprop.lab.synthesis.sprites import Sprite
from heatprop.types import ImageArray

MARGIN = 0.35
"""Of each side, how far the background reaches beyond the image; farther out it is mirrored."""


def make_background(
    rng: Generator, width: int, height: int, sprites: Sequence[Sprite], clutter: int
) -> ImageArray:
    """Return a background for images of `width` x `height`, uint8 RGB, larger by `MARGIN` on each side.

    Args:
        rng: decides everything.
        width: of the images.
        height: of the images.
        sprites: of which the litter is cut.
        clutter: how many pieces of litter.
    """
    wide, tall = round(width * (1 + 2 * MARGIN)), round(height * (1 + 2 * MARGIN))
    canvas = _gradient(rng, wide, tall)
    canvas += _clouds(rng, wide, tall)
    image = np.clip(canvas, 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(0, 22))):
        _draw_shape(rng, image)
    for _ in range(clutter):
        _paste(rng, image, _scrambled(rng, sprites[int(rng.integers(len(sprites)))]), width)
    softness = rng.uniform(0, 1.6)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), softness) if softness > 0.3 else image, np.uint8)


def _gradient(rng: Generator, wide: int, tall: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    above, below, ground = (rng.integers(0, 256, 3).astype(np.float32) for _ in range(3))
    down = np.linspace(0, 1, tall, dtype=np.float32)[:, None]
    column = above * (1 - down) + below * down
    horizon = int(rng.integers(tall // 3, tall * 6 // 5))
    column[horizon:] = 0.7 * ground + 0.3 * column[horizon:]
    return np.repeat(column[:, None], wide, axis=1)


def _clouds(rng: Generator, wide: int, tall: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return noise of several wavelengths, float32 ``(tall, wide, 3)`` around 0."""
    small = (wide // 2, tall // 2)
    clouds = np.zeros((small[1], small[0], 3), np.float32)
    colour = rng.uniform(0.6, 1.4, 3).astype(np.float32)
    for cells, most in ((4, 60.0), (12, 45.0), (40, 35.0), (110, 25.0)):
        strength = rng.uniform(0, most)
        grid = rng.standard_normal((cells * tall // wide + 2, cells + 2)).astype(np.float32)
        layer = np.asarray(cv2.resize(grid, small, interpolation=cv2.INTER_CUBIC), np.float32)
        clouds += strength * layer[..., None] * colour
    return np.asarray(cv2.resize(clouds, (wide, tall), interpolation=cv2.INTER_LINEAR), np.float32)


def _draw_shape(rng: Generator, image: ImageArray) -> None:
    tall, wide = image.shape[:2]
    colour = rng.integers(0, 256, 3).tolist()
    x, y = int(rng.integers(0, wide)), int(rng.integers(0, tall))
    reach = int(rng.integers(4, wide // 4))
    kind = int(rng.integers(4))
    if kind == 0:
        cv2.rectangle(image, (x, y), (x + reach, y + int(rng.integers(3, tall // 3))), colour, -1)
    elif kind == 1:
        axes = (reach // 2 + 1, int(rng.integers(2, tall // 6)))
        cv2.ellipse(image, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
    elif kind == 2:
        corners = np.array([x, y]) + rng.integers(-reach, reach + 1, (int(rng.integers(3, 7)), 2))
        cv2.fillPoly(image, [corners.astype(np.int32)], colour, cv2.LINE_AA)
    else:
        end = (x + int(rng.integers(-wide, wide)), y + int(rng.integers(-tall, tall)))
        cv2.line(image, (x, y), end, colour, int(rng.integers(1, 7)), cv2.LINE_AA)


def _scrambled(rng: Generator, sprite: Sprite) -> ImageArray:
    """Cut a sprite into tiles and put them together wrongly: its colours and textures, but no object."""
    side, tiles = 96, int(rng.integers(3, 6))
    square = np.asarray(cv2.resize(sprite.pixels, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    step = side // tiles
    pieces = [
        np.rot90(square[row * step : (row + 1) * step, column * step : (column + 1) * step], int(turn))
        for (row, column), turn in zip(np.ndindex(tiles, tiles), rng.integers(0, 4, tiles * tiles), strict=True)
    ]
    order = rng.permutation(len(pieces))
    lines = [np.concatenate([pieces[i] for i in order[row * tiles :][:tiles]], axis=1) for row in range(tiles)]
    return np.ascontiguousarray(np.concatenate(lines))


def _paste(rng: Generator, image: ImageArray, piece: ImageArray, width: int) -> None:
    side = int(np.clip(width * rng.lognormal(np.log(0.14), 0.5), 8, width // 2))
    piece = np.asarray(cv2.resize(piece, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    tall, wide = image.shape[:2]
    x, y = int(rng.integers(0, wide - side)), int(rng.integers(0, max(1, tall - side)))
    window = image[y : y + side, x : x + side]
    piece = piece[: window.shape[0], : window.shape[1]]
    alpha = piece[..., 3:].astype(np.float32) * np.float32(rng.uniform(0.6, 1.0) / 255)
    window[:] = (piece[..., :3] * alpha + window * (1 - alpha)).astype(np.uint8)


def make_prop(rng: Generator, width: int, height: int) -> ImageArray:
    """Return a thing of the foreground, uint8 ``(h, w, 4)`` RGBA, for images of `width` x `height`."""
    kind = int(rng.integers(3))
    mask = (_pole, _bush, _fence)[kind](rng, width, height)
    dark = rng.integers(15, 150, 3)
    grain = rng.integers(-18, 19, (*mask.shape, 1))
    stripes = (18 * ((np.arange(mask.shape[1]) // 3) % 2))[None, :, None]
    pixels = np.zeros((*mask.shape, 4), np.uint8)
    pixels[..., :3] = np.clip(dark + grain + stripes, 0, 255)
    pixels[..., 3] = 255 * mask
    return pixels


def _pole(rng: Generator, width: int, height: int) -> NDArray[np.bool_]:
    tall = int(rng.integers(height * 6 // 10, height * 13 // 10))
    return np.ones((tall, int(rng.integers(width // 28 + 2, width // 8 + 3))), np.bool_)


def _bush(rng: Generator, width: int, height: int) -> NDArray[np.bool_]:
    wide = int(rng.integers(width // 6, width // 2))
    tall = int(rng.integers(height // 5, height // 2))
    x, y = np.arange(wide)[None], np.arange(tall)[:, None]
    mask = np.zeros((tall, wide), np.bool_)
    for _ in range(int(rng.integers(5, 12))):
        radius = int(rng.integers(tall // 5 + 1, tall // 2 + 2))
        middle_x, middle_y = int(rng.integers(0, wide)), int(rng.integers(radius // 2, tall))
        mask |= (x - middle_x) ** 2 + (y - middle_y) ** 2 <= radius**2
    mask[-1] = True
    return mask


def _fence(rng: Generator, width: int, height: int) -> NDArray[np.bool_]:
    wide, tall = int(rng.integers(width // 3, width)), int(rng.integers(height // 5, height // 2))
    gap = int(rng.integers(width // 30 + 3, width // 12 + 4))
    thick = max(2, gap // 3)
    mask = np.zeros((tall, wide), np.bool_)
    mask[:, np.arange(wide) % gap < thick] = True
    for row in (tall // 5, tall * 3 // 5):
        mask[row : row + thick] = True
    return mask
