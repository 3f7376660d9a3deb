"""Modulated deformable convolution one sample at a time."""

from __future__ import annotations

from math import exp, floor

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float64]


def sample(plane: Map, y: float, x: float) -> float:
    """Read between the cells of a plane ``(H, W)``; what lies outside is 0."""
    top, left = floor(y), floor(x)
    value = 0.0
    for row in (top, top + 1):
        for column in (left, left + 1):
            if 0 <= row < plane.shape[0] and 0 <= column < plane.shape[1]:
                value += plane[row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return value


def plain_convolution(features: Map, weight: Map, bias: Map) -> Map:
    """3x3, padding 1: ``(C, H, W)`` to ``(K, H, W)``."""
    channels, height, width = features.shape
    result = np.empty((len(weight), height, width))
    for k, y, x in np.ndindex(result.shape):
        result[k, y, x] = bias[k] + sum(
            weight[k, c, i, j] * sample(features[c], y + i - 1, x + j - 1)
            for c, i, j in np.ndindex(channels, 3, 3)
        )
    return result


def deformable_convolution(
    features: Map, weight: Map, bias: Map, offset_mask_weight: Map, offset_mask_bias: Map
) -> Map:
    """``(C, H, W)`` to ``(K, H, W)``; channels 0 to 17 are (dy, dx) of the nine taps, 18 to 26 their weights."""
    channels, height, width = features.shape
    offset_mask = plain_convolution(features, offset_mask_weight, offset_mask_bias)
    result = np.empty((len(weight), height, width))
    for k, y, x in np.ndindex(result.shape):
        total = bias[k]
        for tap in range(9):
            i, j = divmod(tap, 3)
            dy, dx = offset_mask[2 * tap, y, x], offset_mask[2 * tap + 1, y, x]
            share = 1 / (1 + exp(-offset_mask[18 + tap, y, x]))
            for c in range(channels):
                total += weight[k, c, i, j] * share * sample(features[c], y + i - 1 + dy, x + j - 1 + dx)
        result[k, y, x] = total
    return result
