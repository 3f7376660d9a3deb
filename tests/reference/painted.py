"""Which pixels of an image an item covers, asked pixel by pixel: slow and obvious."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heatprop.lab.synthesis.scenes import Item


def covered_pixels(item: Item, frame: int, width: int, height: int, margin: int = 0) -> NDArray[np.bool_]:
    """Return where the nearest pixel of the item is opaque, bool ``(height + 2 margin, width + 2 margin)``."""
    matrix = np.vstack([item.affine[frame], [0, 0, 1]])
    back = np.linalg.inv(matrix)
    covered = np.zeros((height + 2 * margin, width + 2 * margin), np.bool_)
    for y in range(-margin, height + margin):
        for x in range(-margin, width + margin):
            column, row, _ = back @ np.array([x, y, 1.0])
            column, row = round(column), round(row)
            if 0 <= column < item.pixels.shape[1] and 0 <= row < item.pixels.shape[0]:
                covered[y + margin, x + margin] = item.pixels[row, column, 3] >= 128
    return covered
