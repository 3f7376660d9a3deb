"""Boxes -> what the network should say: a Gaussian at each centre, size and offset in its cell.

Source: xingyizhou/CenterNet, where networks and checkpoints are trained so.
"""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from heatprop.heatmaps import gaussian_radius, splat
from heatprop.lab.training.batch import MOST_OBJECTS, Targets
from heatprop.types import IntArray


def make_targets(
    boxes: NDArray[np.floating], labels: IntArray, class_count: int, grid: tuple[int, int]
) -> Targets:
    """Return what the network should say about a picture.

    Boxes are clipped to the centres of the outermost cells, ``[0, W - 1]`` and ``[0, H - 1]``; those without
    area left are no objects. Of two objects of a class in one cell each keeps its size and offset, and a network
    learns their middle, for it can say one thing there. Objects after the first 128 are left out.

    Args:
        boxes: ``(N, 4)`` as (x1, y1, x2, y2) in cells of the grid.
        labels: class numbers, int64 ``(N,)``.
        class_count: how many classes there are.
        grid: height and width of the grid in cells.
    """
    height, width = grid
    clipped = np.clip(boxes.reshape(-1, 4), 0, np.array([width - 1, height - 1] * 2)).astype(np.float32)
    sides = clipped[:, 2:] - clipped[:, :2]
    there = np.flatnonzero((sides > 0).all(axis=1))[:MOST_OBJECTS]
    clipped, sides, labels = clipped[there], sides[there], labels[there]
    centers = (clipped[:, :2] + clipped[:, 2:]) / 2
    cells = centers.astype(np.int64)
    offset = (centers - cells).astype(np.float32)
    heatmap = np.zeros((class_count, height, width), np.float32)
    for label, (x, y), (w, h) in zip(labels.tolist(), cells.tolist(), sides.tolist(), strict=True):
        splat(heatmap[label], x, y, max(0, int(gaussian_radius(ceil(h), ceil(w)))))
    return Targets(heatmap, cells[:, 1] * width + cells[:, 0], sides, offset, labels)
