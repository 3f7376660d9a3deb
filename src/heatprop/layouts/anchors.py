"""Anchors, and boxes that a network says in relation to them."""

from __future__ import annotations

from math import log

import numpy as np

from heatprop.layouts.tensors import Array, corners

_LARGEST_GROWTH = log(1000 / 16)  # as Faster R-CNN and all after it limit it


def boxes_from_anchors(anchors: Array, deltas: Array, weights: tuple[float, float, float, float]) -> Array:
    """Return boxes ``(S, 4)`` as xyxy.

    Args:
        anchors: xyxy in pixels, ``(S, 4)``.
        deltas: shift in x and y in sides of the anchor, and logarithm of growth in width and height, ``(S, 4)``.
        weights: by which the four were multiplied in training.

    Source: Faster R-CNN, Ren et al. 2015, equation 2.
    """
    sizes = anchors[:, 2:] - anchors[:, :2]
    scaled = deltas / np.array(weights, np.float32)
    centres = anchors[:, :2] + sizes / 2 + scaled[:, :2] * sizes
    return corners(centres, np.exp(np.minimum(scaled[:, 2:], _LARGEST_GROWTH)) * sizes)
