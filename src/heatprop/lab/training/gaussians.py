"""Gaussians around the centres of objects, as heatmaps have them that a network learns from."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt

import numpy as np

from heatprop.heatmaps import square
from heatprop.types import FloatArray


def gaussian_radius(height: float, width: float, overlap: float = 0.7) -> float:
    """Return how far, in cells, a box's centre may be off until it overlaps the box by less than `overlap`.

    The least of three cases: the moved box overlaps, lies inside, or lies around. This is the form published with
    CenterNet, which divides each root by 2 only, where its derivation divides by twice the leading coefficient;
    networks are trained with it.

    Args:
        height: of the box in cells.
        width: of the box in cells.
        overlap: intersection over union, in (0, 1).

    >>> round(gaussian_radius(1, 9), 6)
    0.520638
    """
    area, perimeter = height * width, height + width
    roots = (
        (perimeter, 4 * area * (1 - overlap) / (1 + overlap)),
        (2 * perimeter, 16 * (1 - overlap) * area),
        (-2 * overlap * perimeter, 16 * overlap * (overlap - 1) * area),
    )
    return min((b + sqrt(b * b - c)) / 2 for b, c in roots)


def splat(plane: FloatArray, x: int, y: int, radius: int) -> None:
    """Draw a Gaussian of 1 at cell (x, y) into a class's map ``(H, W)``, in place; the larger value stays.

    Its standard deviation is ``(2 radius + 1) / 6``; it ends at `radius` and at the border of the map.

    >>> plane = np.zeros((3, 4), np.float32)
    >>> splat(plane, 1, 1, 1)
    >>> [f"{value:.3f}" for value in plane[1]]
    ['0.135', '1.000', '0.135', '0.000']
    """
    height, width = plane.shape
    top, left = min(y, radius), min(x, radius)
    bottom, right = min(height - 1 - y, radius) + 1, min(width - 1 - x, radius) + 1
    kernel = _gaussian(radius)[radius - top : radius + bottom, radius - left : radius + right]
    window = plane[y - top : y + bottom, x - left : x + right]
    np.maximum(window, kernel, out=window)


@lru_cache(maxsize=256)
def _gaussian(radius: int) -> FloatArray:
    dy, dx = square(radius).reshape(2, 2 * radius + 1, 2 * radius + 1)
    sigma = (2 * radius + 1) / 6
    kernel = np.exp(-(dx * dx + dy * dy) / (2 * sigma * sigma))
    kernel[kernel < np.finfo(np.float64).eps] = 0
    return kernel.astype(np.float32)
