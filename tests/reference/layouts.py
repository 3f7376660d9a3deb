"""What the outputs of each family mean, one site after the other, as one would explain it."""

from __future__ import annotations

from math import exp

import numpy as np

Found = tuple[int, float, tuple[float, float, float, float]]
"""Class, score and box as corners in pixels of the input."""


def around(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def best(scores: np.ndarray) -> tuple[int, float]:
    return int(scores.argmax()), float(scores.max())


def yolov5(table: np.ndarray) -> list[Found]:
    """N x (5 + C)."""
    found = []
    for x, y, width, height, objectness, *scores in table.astype(float):
        label, score = best(np.array(scores) * objectness)
        found.append((label, score, around(x, y, width, height)))
    return found


def yolov8(table: np.ndarray) -> list[Found]:
    """(4 + C) x N."""
    return [(*best(column[4:]), around(*column[:4])) for column in table.astype(float).T]


def yolo_end2end(table: np.ndarray) -> list[Found]:
    """N x 6."""
    return [(int(label), score, (x1, y1, x2, y2)) for x1, y1, x2, y2, score, label in table.astype(float)]


def distributions(table: np.ndarray, classes: int, places: list[tuple[float, float, int]]) -> list[Found]:
    """NanoDet: C scores and four distributions for each place, which is x, y and stride."""
    found = []
    for numbers, (x, y, stride) in zip(table.astype(float), places, strict=True):
        sides = []
        for bins in numbers[classes:].reshape(4, -1):
            shares = [exp(each) for each in bins]
            sides.append(sum(n * share for n, share in enumerate(shares)) / sum(shares) * stride)
        box = (x - sides[0], y - sides[1], x + sides[2], y + sides[3])
        found += [(label, float(numbers[label]), box) for label in range(classes)]
    return found


def places(height: int, width: int, strides: tuple[int, ...], offset: float) -> list[tuple[float, float, int]]:
    """Each cell's reference point, and its stride."""
    return [
        ((column + offset) * stride, (row + offset) * stride, stride)
        for stride in strides
        for row in range(-(-height // stride))
        for column in range(-(-width // stride))
    ]
