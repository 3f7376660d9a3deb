"""Where boxes went from one frame to the next, by sparse optical flow: cheap evidence between key frames.

Points within each box are followed by the pyramidal method of Lucas and Kanade (in OpenCV); the box moves by the
median of their displacements and grows by the median of the changes of their distances, as in MedianFlow (Kalal,
Mikolajczyk and Matas, 2010).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from heatprop.types import FloatArray, ImageArray

# docs/decisions/016-key-frames.md says what other values gave.
GREY_SCALE = 0.5  # of the network's input
_MAX_FOLLOWED = 16
_POINTS = 4  # a side of the grid in each box
_WINDOW = (11, 11)
_LEVELS = 2
_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 0.03)
_MIN_SHARE_FOUND = 1 / 3
_MAX_GROWTH = 1.1
_STEPS = ((np.arange(_POINTS, dtype=np.float32) + 0.5) / _POINTS * 0.8 + 0.1).astype(np.float32)
_GRID = np.stack(np.meshgrid(_STEPS, _STEPS), axis=-1).reshape(-1, 2)
_PAIRS = np.triu_indices(_POINTS**2, 1)


def grey_image(network_input: ImageArray) -> NDArray[np.uint8]:
    """Return a frame as `follow_boxes` takes it: grey, at half the size of the network's input.

    Args:
        network_input: uint8 ``(H, W, 3)`` RGB.
    """
    height, width, _ = network_input.shape
    size = (max(round(width * GREY_SCALE), 1), max(round(height * GREY_SCALE), 1))
    small = cv2.resize(network_input, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def follow_boxes(before: NDArray[np.uint8], after: NDArray[np.uint8], boxes: FloatArray) -> FloatArray:
    """Return where boxes are in the next frame.

    The first 16 are followed, so bring the likeliest first; the others go with the nearest of those. A box whose
    points are lost stays.

    Args:
        before: uint8 grey ``(H, W)``.
        after: the next frame, of the same size.
        boxes: float32 ``(N, 4)`` xyxy in pixels of `before`.

    Returns:
        float32 ``(N, 4)``, row by row; a side changes by a tenth at most.

    Example:
        >>> before = np.random.default_rng(0).integers(0, 255, (60, 80), np.uint8)
        >>> before = cv2.GaussianBlur(before, (9, 9), 2)
        >>> after = np.roll(before, 3, axis=1)
        >>> follow_boxes(before, after, np.float32([[20, 20, 50, 45]])).round()
        array([[23., 20., 53., 45.]], dtype=float32)
    """
    if not len(boxes):
        return boxes.astype(np.float32)
    followed = boxes[:_MAX_FOLLOWED].astype(np.float32)
    low, sides = followed[:, None, :2], (followed[:, 2:] - followed[:, :2])[:, None]
    points = low + _GRID * sides
    flat = points.reshape(-1, 1, 2)
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        before, after, flat, np.empty_like(flat), winSize=_WINDOW, maxLevel=_LEVELS, criteria=_STOP
    )
    height, width = before.shape
    inside = ((flat >= 0) & (flat < (width, height))).all(axis=(1, 2))
    is_found = ((status[:, 0] > 0) & inside).reshape(len(followed), -1)
    found = found.reshape(points.shape)

    shifts, growth = np.zeros((len(followed), 2), np.float32), np.ones(len(followed), np.float32)
    known = np.flatnonzero(is_found.mean(axis=1) >= _MIN_SHARE_FOUND)
    if len(known):
        is_known, ends = is_found[known], (points[known], found[known])
        shifts[known] = _median(ends[1] - ends[0], is_known[..., None])
        first, second = _PAIRS
        before_apart, apart = (((each[:, first] - each[:, second]) ** 2).sum(axis=-1) for each in ends)
        ratios = np.sqrt(apart / np.maximum(before_apart, 1e-6))
        growth[known] = _median(ratios, is_known[:, first] & is_known[:, second])
        growth = growth.clip(1 / _MAX_GROWTH, _MAX_GROWTH)

    centres, halves = (followed[:, :2] + followed[:, 2:]) / 2, (followed[:, 2:] - followed[:, :2]) / 2
    halves *= growth[:, None]
    moved = np.concatenate([centres + shifts - halves, centres + shifts + halves], axis=1)
    rest = boxes[_MAX_FOLLOWED:].astype(np.float32)
    if len(rest):
        distances = ((rest[:, None, :2] + rest[:, None, 2:]) / 2 - centres) ** 2
        nearest = distances.sum(axis=-1).argmin(axis=1)
        moved = np.concatenate([moved, rest + np.tile(shifts[nearest], 2)])
    return moved.astype(np.float32)


def _median(values: FloatArray, is_known: NDArray[np.bool_]) -> FloatArray:
    """Return the median along axis 1 of the values known, of which each row has one at least."""
    ordered = np.sort(np.where(is_known, values, np.float32(np.inf)), axis=1)
    count = np.broadcast_to(is_known, values.shape).sum(axis=1, keepdims=True)
    low, high = (np.take_along_axis(ordered, at, axis=1) for at in ((count - 1) // 2, count // 2))
    return np.asarray((low + high)[:, 0] / 2, np.float32)
