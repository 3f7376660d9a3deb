"""What an annotator would write down about a shot: boxes of the whole objects inside the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from heatprop.lab.synthesis.scenes import BACKGROUND_LABEL, Item, Shot
from heatprop.lab.synthesis.settings import SceneSettings
from heatprop.lab.synthesis.trajectories import Floats
from heatprop.types import ImageArray

OPAQUE = 128
"""Alpha from which a pixel counts as part of its object."""

_POINTS = 96
_OCCLUDED_BELOW = 0.7
_SMALLEST_SIDE = 4


@dataclass(frozen=True, slots=True)
class TrueObject:
    """An annotated object of a frame.

    Attributes:
        track: number of the object in its video.
        label: class number.
        box: (xmin, ymin, xmax, ymax), the first and last columns and rows of its pixels, inside the image. What
            other things cover belongs to it; what lies outside the image does not.
        occluded: whether more than 30 % of what lies inside the image is covered.
    """

    track: int
    label: int
    box: tuple[int, int, int, int]
    occluded: bool


def annotate(shots: Sequence[Shot], settings: SceneSettings) -> list[list[TrueObject]]:
    """Return the annotated objects of each frame of a video, in the order of their tracks.

    Objects of which nearly nothing can be seen, or nearly nothing lies inside the image, are not annotated
    there (`SceneSettings.least_visible`), nor are those less than 4 pixels wide or high.
    """
    frames: list[list[TrueObject]] = []
    track = 0
    for shot in shots:
        frames += _annotate_shot(shot, settings, track)
        track += sum(item.label != BACKGROUND_LABEL for item in shot.items)
    return frames


def _annotate_shot(shot: Shot, settings: SceneSettings, track: int) -> list[list[TrueObject]]:
    frames: list[list[TrueObject]] = [[] for _ in range(shot.frames)]
    boxes = [_boxes(item) for item in shot.items]
    last = np.array([settings.width - 1, settings.height - 1], np.float64)
    for place, item in enumerate(shot.items):
        if item.label == BACKGROUND_LABEL:
            continue
        points = _apply(item.affine, _points(item))
        inside = ((points >= -0.5) & (points <= last + 0.5)).all(axis=2)
        covered = np.zeros_like(inside)
        for nearer in range(place + 1, len(shot.items)):
            meet = (boxes[place][:, :2] <= boxes[nearer][:, 2:]) & (boxes[nearer][:, :2] <= boxes[place][:, 2:])
            rows = np.flatnonzero(meet.all(axis=1))
            if len(rows):
                covered[rows] |= _covers(shot.items[nearer], points[rows], rows)
        share_inside = inside.mean(axis=1)
        seen = (inside & ~covered).sum(axis=1) / np.maximum(inside.sum(axis=1), 1)
        clipped = _inside_boxes(item, boxes[place], last)
        large = (clipped[:, 2:] - clipped[:, :2] + 1 >= _SMALLEST_SIDE).all(axis=1)
        there = (share_inside >= settings.least_visible) & (seen >= settings.least_visible) & (seen > 0) & large
        for frame in np.flatnonzero(there).tolist():
            x1, y1, x2, y2 = clipped[frame].tolist()
            frames[frame].append(
                TrueObject(track, item.label, (x1, y1, x2, y2), bool(seen[frame] < _OCCLUDED_BELOW))
            )
        track += 1
    return frames


def _boxes(item: Item) -> Floats:
    """Return the box of an item in each frame, not clipped, float64 ``(F, 4)``."""
    outline = _apply(item.affine, _outline(_Key(item.pixels)))
    return np.concatenate([outline.min(axis=1), outline.max(axis=1)], axis=1)


def _inside_boxes(item: Item, boxes: Floats, last: Floats) -> NDArray[np.int64]:
    """Return the first and last columns and rows of what lies inside the image, int64 ``(F, 4)``.

    Of a box that reaches beyond the image it is not always the part inside: its highest point may lie outside.
    """
    limits = np.concatenate([last, last])
    clipped = np.clip(np.floor(boxes + 0.5), 0, limits)
    rows, columns = np.nonzero(item.pixels[..., 3] >= OPAQUE)
    pixels = np.stack([columns, rows], axis=1).astype(np.float64)
    for frame in np.flatnonzero((clipped != np.floor(boxes + 0.5)).any(axis=1)).tolist():
        points = _apply(item.affine[frame : frame + 1], pixels)[0]
        points = points[((points >= -0.5) & (points <= last + 0.5)).all(axis=1)]
        if len(points):
            # Half a pixel of the sprite around its middles; what was found from the outline holds where it can.
            reach = np.abs(item.affine[frame][:, :2]).sum(axis=1) / 2
            low = np.ceil(points.min(axis=0) - reach)
            high = np.floor(points.max(axis=0) + reach)
            found = np.clip(np.concatenate([np.minimum(low, high), np.maximum(low, high)]), 0, limits)
            clipped[frame, :2] = np.maximum(clipped[frame, :2], found[:2])
            clipped[frame, 2:] = np.minimum(clipped[frame, 2:], found[2:])
    return clipped.astype(np.int64)


def _apply(affine: Floats, points: Floats) -> Floats:
    """Map points ``(K, 2)`` by each of F affine maps to ``(F, K, 2)``."""
    mapped: Floats = points @ affine[:, :, :2].transpose(0, 2, 1) + affine[:, None, :, 2]
    return mapped


def _covers(item: Item, points: Floats, frames: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which points of the image ``(f, K, 2)`` an item covers in these frames."""
    affine = item.affine[frames]
    back = np.linalg.inv(affine[:, :, :2])
    local = (points - affine[:, None, :, 2]) @ back.transpose(0, 2, 1)
    column, row = np.floor(local[..., 0] + 0.5).astype(int), np.floor(local[..., 1] + 0.5).astype(int)
    height, width = item.pixels.shape[:2]
    hit = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    covered: NDArray[np.bool_] = np.zeros(hit.shape, np.bool_)
    covered[hit] = item.pixels[row[hit], column[hit], 3] >= OPAQUE
    return covered


def _points(item: Item) -> Floats:
    """Return points evenly spread over the opaque pixels of an item, float64 ``(K, 2)`` as (x, y)."""
    rows, columns = np.nonzero(item.pixels[..., 3] >= OPAQUE)
    chosen = np.arange(min(_POINTS, len(rows))) * len(rows) // min(_POINTS, len(rows))
    return np.stack([columns[chosen], rows[chosen]], axis=1).astype(np.float64)


class _Key:
    """An array as a key: the same object is the same key."""

    def __init__(self, pixels: ImageArray) -> None:
        self.pixels = pixels

    def __hash__(self) -> int:
        return id(self.pixels)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.pixels is self.pixels


@lru_cache(maxsize=512)
def _outline(key: _Key) -> Floats:
    """Return the convex hull of the opaque pixels, float64 ``(K, 2)`` as (x, y)."""
    rows, columns = np.nonzero(key.pixels[..., 3] >= OPAQUE)
    hull = cv2.convexHull(np.stack([columns, rows], axis=1).astype(np.int32))
    return np.asarray(hull, np.float64).reshape(-1, 2)
