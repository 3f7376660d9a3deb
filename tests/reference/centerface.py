"""What each cell of CenterFace says, cell by cell, as its authors' `centerface.py` decodes it."""

from __future__ import annotations

from math import exp
from typing import Any, NamedTuple

from numpy.typing import NDArray

STRIDE = 4


class Face(NamedTuple):
    """A score, a box (x1, y1, x2, y2) and five points (x, y), in pixels of the input, unclipped."""

    score: float
    box: tuple[float, float, float, float]
    points: list[tuple[float, float]]


def faces_of_cells(
    heatmap: NDArray[Any], scale: NDArray[Any], offset: NDArray[Any], landmarks: NDArray[Any], threshold: float
) -> list[Face]:
    """Return the face of each cell of at least `threshold`, from the outputs ``(1, K, H, W)`` for one image."""
    faces = []
    _, _, rows, columns = heatmap.shape
    for row in range(rows):
        for column in range(columns):
            score = float(heatmap[0, 0, row, column])
            if score < threshold:
                continue
            height, width = (exp(value) * STRIDE for value in scale[0, :, row, column])
            down, right = offset[0, :, row, column]
            x1 = (column + right + 0.5) * STRIDE - width / 2
            y1 = (row + down + 0.5) * STRIDE - height / 2
            shares = landmarks[0, :, row, column]
            points = [(x1 + shares[2 * i + 1] * width, y1 + shares[2 * i] * height) for i in range(5)]
            faces.append(Face(score, (x1, y1, x1 + width, y1 + height), points))
    return faces
