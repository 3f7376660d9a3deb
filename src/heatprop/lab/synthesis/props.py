"""Things of the foreground that objects pass behind: poles, bushes and fences, as pictures with alpha.

Their outlines are made by comparisons of whole numbers, so they are the same on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heatprop.types import ImageArray


def make_prop(rng: Generator, width: int, height: int) -> ImageArray:
    """Return a thing of the foreground, uint8 ``(h, w, 4)`` RGBA, for pictures of `width` x `height`."""
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
