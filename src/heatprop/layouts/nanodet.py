"""NanoDet and NanoDet-Plus: class scores, and the sides of the box as distributions over distances in cells.

One table of C + 4 K, or a pair of C and 4 K for each stride; scores or logits. The middle of a cell is its
reference in NanoDet, with strides 8, 16 and 32; its corner in NanoDet-Plus, which has 64 as well.
Source: ``nanodet_head.py``, ``gfl_head.py`` and ``nanodet_plus_head.py`` of RangiLyu/nanodet.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from heatprop.errors import LayoutError
from heatprop.layouts.base import Layout, Match, Sites, Tensors
from heatprop.layouts.signature import Signature
from heatprop.layouts.tensors import (
    Array,
    as_probabilities,
    corners_from_distances,
    described,
    expected_distances,
    grid,
    levels,
)
from heatprop.letterbox import InputFormat

_STRIDES = {"nanodet": (8, 16, 32), "nanodet-plus": (8, 16, 32, 64)}
_OFFSETS = {"nanodet": 0.5, "nanodet-plus": 0.0}
_FEWEST_BINS, _MOST_BINS = 5, 33


def match(signature: Signature, name: str) -> Match | None:
    """Recognise C + 4 K numbers a cell, in one table, in one map a stride, or in pairs."""
    strides = _STRIDES[name]
    cells = [signature.cells(stride) for stride in strides]
    shapes = [*signature.tables, *((h * w, channels) for channels, h, w in signature.maps)]
    is_named = any("cls_pred_stride" in each or "dis_pred_stride" in each for each in signature.output_names)
    rows = [count for count, _ in shapes]
    columns = [count for _, count in shapes]
    if rows in ([sum(cells)], cells) and len(set(columns)) == 1:
        classes = _classes(signature, columns[0])
        if classes is None:
            return None
        reason = f"{sum(cells)} cells with {classes} scores and {columns[0] - classes} bins of distances each"
        return Match("likely" if signature.names or columns[0] == 112 else "possible", reason, classes)
    if sorted(rows) == sorted(2 * cells) and len(set(columns)) == 2 and is_named:
        scores = [each.shape for each in signature.outputs if "cls_pred" in each.name.lower()]
        told = [shape[1] if len(shape) == 4 else shape[-1] for shape in scores]
        if len(set(told)) == 1 and told[0] in columns and signature.agrees(told[0]):
            return Match("certain", "a pair cls_pred and dis_pred for each stride", told[0])
    return None


def _is_bins(columns: int) -> bool:
    return columns % 4 == 0 and _FEWEST_BINS <= columns // 4 <= _MOST_BINS


def _classes(signature: Signature, columns: int) -> int | None:
    """Return how many of the columns are classes: the metadata say so, or it is as for COCO."""
    known = 80 if signature.names is None else len(signature.names)
    return known if _is_bins(columns - known) else None


def read(tensors: Tensors, height: int, width: int, classes: int, name: str) -> Sites:
    """Read scores and boxes."""
    points, strides = grid(height, width, _STRIDES[name], _OFFSETS[name])
    scores, bins = _split(levels(tensors), classes)
    if len(scores) != len(points) or len(bins) != len(points) or not _is_bins(bins.shape[1]):
        raise LayoutError(
            f"layout {name!r} has {classes} scores and 4 K bins for each of {len(points)} cells; here are "
            f"{described(tensors)}: choose another --layout"
        )
    return Sites(
        lambda rows: corners_from_distances(points[rows], expected_distances(bins[rows]) * strides[rows]),
        as_probabilities(scores),
    )


def _split(found: list[Array], classes: int) -> tuple[Array, Array]:
    """Return scores and bins of all cells, by level from the finest, whatever order the outputs are in."""
    nothing = np.empty((0, 1), np.float32)
    finest_first = sorted(found, key=len, reverse=True)
    if len({each.shape[1] for each in found}) == 1 and found[0].shape[1] > classes:
        table = np.concatenate(finest_first)
        return table[:, :classes], table[:, classes:]
    scores = [each for each in finest_first if each.shape[1] == classes]
    bins = [each for each in finest_first if each.shape[1] != classes]
    if not scores or len(scores) != len(bins) or len({each.shape[1] for each in bins}) != 1:
        return nothing, nothing
    return np.concatenate(scores), np.concatenate(bins)


_INPUT = InputFormat(
    longest_side=416,
    channel_order="BGR",
    mean=(103.53, 116.28, 123.675),
    std=(57.375, 57.12, 58.395),
)
LAYOUT = Layout(
    "nanodet",
    "NanoDet",
    _INPUT,
    nms_iou=0.6,
    best_class_only=False,
    match=partial(match, name="nanodet"),
    read=partial(read, name="nanodet"),
)
LAYOUT_PLUS = Layout(
    "nanodet-plus",
    "NanoDet-Plus",
    replace(_INPUT, fit="stretch"),
    nms_iou=0.6,
    best_class_only=False,
    match=partial(match, name="nanodet-plus"),
    read=partial(read, name="nanodet-plus"),
)
