"""Targets and losses cell by cell, as the published description reads."""

from __future__ import annotations

from math import ceil, exp, log, sqrt

import numpy as np
from numpy.typing import NDArray

from heatprop.lab.training.batch import Batch


def radius_of(height: float, width: float, overlap: float) -> float:
    moved = (1, height + width, width * height * (1 - overlap) / (1 + overlap))
    inside = (4, 2 * (height + width), (1 - overlap) * width * height)
    around = (4 * overlap, -2 * overlap * (height + width), (overlap - 1) * width * height)
    return min((b + sqrt(b * b - 4 * a * c)) / 2 for a, b, c in (moved, inside, around))


def heatmap_of(
    boxes: NDArray[np.float64], labels: list[int], classes: int, grid: tuple[int, int]
) -> NDArray[np.float64]:
    height, width = grid
    heatmap = np.zeros((classes, height, width))
    for box, label in zip(boxes, labels, strict=True):
        x1, x2 = (np.float32(min(max(x, 0.0), width - 1.0)) for x in box[[0, 2]])
        y1, y2 = (np.float32(min(max(y, 0.0), height - 1.0)) for y in box[[1, 3]])
        if x2 <= x1 or y2 <= y1:
            continue
        # Sides and centre in float32, as published: what is rounded up or down here decides about whole cells.
        radius = max(0, int(radius_of(ceil(y2 - y1), ceil(x2 - x1), 0.7)))
        sigma = (2 * radius + 1) / 6
        cx, cy = int((x1 + x2) / 2), int((y1 + y2) / 2)
        for y in range(height):
            for x in range(width):
                if abs(x - cx) <= radius and abs(y - cy) <= radius:
                    value = exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma * sigma))
                    heatmap[label, y, x] = max(heatmap[label, y, x], value)
    return heatmap


def losses_of(
    logits: NDArray[np.float64], size: NDArray[np.float64], offset: NDArray[np.float64], batch: Batch
) -> tuple[float, float, float]:
    heatmap, positives = 0.0, 0
    for logit, wanted in zip(logits.ravel().tolist(), batch.heatmap.ravel().tolist(), strict=True):
        said = min(max(1 / (1 + exp(-logit)), 1e-4), 1 - 1e-4)
        if wanted == 1:
            heatmap -= log(said) * (1 - said) ** 2
            positives += 1
        else:
            heatmap -= log(1 - said) * said**2 * (1 - wanted) ** 4
    sums, objects = [0.0, 0.0], 0
    for image in range(len(batch.images)):
        for place in np.flatnonzero(batch.mask[image].numpy()):
            objects += 1
            y, x = divmod(int(batch.cells[image, place]), logits.shape[3])
            for part, (head, wanted) in enumerate(((size, batch.size), (offset, batch.offset))):
                sums[part] += np.abs(head[image, :, y, x] - wanted[image, place].numpy()).sum()
    return heatmap / max(positives, 1), sums[0] / (2 * objects + 1e-4), sums[1] / (2 * objects + 1e-4)
