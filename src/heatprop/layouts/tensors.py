"""Steps that several families share: finding tensors by shape, grids of cells, and forms of boxes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import LayoutError
from heatprop.layouts.base import Sites, Tensors

Array = NDArray[Any]


def described(tensors: Tensors) -> str:
    """Return names and shapes of tensors for a message."""
    return ", ".join(f"{name} {'x'.join(map(str, array.shape)) or 'scalar'}" for name, array in tensors.items())


def tables(tensors: Tensors) -> list[Array]:
    """Return the tensors that are tables, without a batch axis of 1, as float32."""
    arrays = [np.asarray(array) for array in tensors.values()]
    arrays = [array[0] if array.ndim == 3 and array.shape[0] == 1 else array for array in arrays]
    return [array.astype(np.float32, copy=False) for array in arrays if array.ndim == 2]


def vector(array: Array) -> Array:
    """Return a tensor of one number a site as ``(S,)``."""
    return np.asarray(array).reshape(-1)


def one_table(tensors: Tensors, columns: int, name: str) -> Array:
    """Return the one table with so many columns, or so many rows, which then become its columns.

    Raises:
        LayoutError: there is none, or more than one.
    """
    found = [
        table if table.shape[1] == columns else table.T for table in tables(tensors) if columns in table.shape
    ]
    if len(found) != 1:
        raise LayoutError(
            f"layout {name!r} has one output of N x {columns} or {columns} x N; here are {described(tensors)}: "
            "choose another --layout, or give as many --class-names as there are classes"
        )
    return found[0]


def finished_table(tensors: Tensors, columns: Sequence[int], name: str) -> Array:
    """Return the one output, a row a finished box, which has one of these numbers of columns.

    Raises:
        LayoutError: there are several, or it is another.
    """
    found = tables(tensors)
    if len(found) != 1 or found[0].shape[1] not in columns:
        wanted = " or ".join(f"N x {count}" for count in columns)
        raise LayoutError(
            f"layout {name!r} has one output of {wanted}; here are {described(tensors)}: choose another --layout"
        )
    return found[0]


def deltas_and_logits(tensors: Tensors) -> tuple[Array, Array] | None:
    """Return the table of boxes, of four columns, and that of classes; None where there are no two such tables.

    Where there are four classes, names say which is which, or boxes come first.
    """
    named = [(name.lower(), table) for name, array in tensors.items() for table in tables({name: array})]
    if len(named) != 2:
        return None
    (name, first), (_, second) = named
    is_first = first.shape[1] == 4
    if is_first and second.shape[1] == 4:
        is_first = not any(word in name for word in ("logit", "score", "cls", "class", "conf"))
    boxes, classes = (first, second) if is_first else (second, first)
    return (boxes, classes) if boxes.shape == (len(classes), 4) else None


def levels(tensors: Tensors) -> list[Array]:
    """Return tables and maps as ``(cells, channels)``: a map ``(1, C, H, W)`` is flattened, row by row."""
    flat = []
    for array in map(np.asarray, tensors.values()):
        if array.ndim == 4 and array.shape[0] == 1:
            flat.append(array[0].reshape(array.shape[1], -1).T.astype(np.float32, copy=False))
        elif array.ndim == 3 and array.shape[0] == 1:
            flat.append(array[0].astype(np.float32, copy=False))
        elif array.ndim == 2:
            flat.append(array.astype(np.float32, copy=False))
    return flat


@lru_cache(maxsize=8)
def grid(height: int, width: int, strides: tuple[int, ...], offset: float) -> tuple[Array, Array]:
    """Return the reference points of all cells, row by row, level after level, and the stride of each.

    Args:
        height: of the input in pixels; a last row of cells may reach beyond it.
        width: likewise.
        strides: of the levels.
        offset: where the point lies in its cell, in cells: 0.5 is the middle.

    Returns:
        x and y in pixels, float32 ``(S, 2)``, and strides, ``(S, 1)``.
    """
    points, sizes = [], []
    for stride in strides:
        y, x = np.mgrid[: ceil(height / stride), : ceil(width / stride)]
        points.append((np.stack([x.ravel(), y.ravel()], axis=1) + offset) * stride)
        sizes.append(np.full((x.size, 1), stride))
    result = np.concatenate(points).astype(np.float32), np.concatenate(sizes).astype(np.float32)
    for each in result:  # they are kept for the next frame
        each.flags.writeable = False
    return result


def corners(centres: Array, sizes: Array) -> Array:
    """Return boxes ``(S, 4)`` as xyxy from centres and sizes, each ``(S, 2)``."""
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)


def corners_from_distances(points: Array, distances: Array) -> Array:
    """Return boxes ``(S, 4)`` as xyxy from points ``(S, 2)`` and distances to left, top, right and bottom."""
    return np.concatenate([points - distances[:, :2], points + distances[:, 2:]], axis=1)


def expected_distances(bins: Array) -> Array:
    """Return the mean of each of the four distributions over 0, 1, 2 ..., ``(S, 4 K)`` -> ``(S, 4)``.

    Source: Generalized Focal Loss, Li et al. 2020, equation 6 and what follows.
    """
    shares = softmax(bins.reshape(len(bins), 4, -1))
    return shares @ np.arange(shares.shape[2], dtype=np.float32)


def sigmoid(values: Array) -> Array:
    """Return probabilities of logits."""
    probabilities: Array = 1 / (1 + np.exp(-np.clip(values, -80, 80)))
    return probabilities


def softmax(values: Array) -> Array:
    """Return probabilities along the last axis."""
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    probabilities: Array = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def as_probabilities(values: Array) -> Array:
    """Return scores as they are where they lie in [0, 1], else their sigmoid: exporters differ in it.

    A network's logits never lie all within [0, 1]: most cells show nothing, and nothing is below 0.
    """
    is_probability = values.size == 0 or (values.min() >= 0 and values.max() <= 1)
    return values if is_probability else sigmoid(values)


def boxes_and_scores(tensors: Tensors, classes: int, name: str) -> Sites:
    """Return sites of boxes as xyxy and scores by class, in one table or in two, either way round.

    Raises:
        LayoutError: the tensors are something else.
    """
    found = tables(tensors)
    if len(found) == 2:
        for boxes, scores in (found, found[::-1]):
            if boxes.shape[1] != 4:
                continue
            if scores.shape == (len(boxes), classes):
                return Sites(boxes, scores)
            if scores.shape == (classes, len(boxes)):
                return Sites(boxes, scores.T)
    table = one_table(tensors, 4 + classes, name)
    return Sites(table[:, :4], table[:, 4:])
