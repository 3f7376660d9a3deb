"""PicoDet and what else PaddleDetection exports: with suppression, decoded without it, or the bare head.

With suppression a box is class, score and corners, N x 6. The bare head is a pair of C scores and 4 K bins for
each stride 8, 16, 32 and 64; the middle of a cell is its reference.
Source: ``pico_head.py`` of PaddlePaddle/PaddleDetection, and LibreYOLO.
"""

from __future__ import annotations

import numpy as np

from heatprop.layouts.base import Layout, Match, Sites, Tensors, match_decoded
from heatprop.layouts.signature import Signature
from heatprop.layouts.tensors import (
    as_probabilities,
    boxes_and_scores,
    corners_from_distances,
    expected_distances,
    grid,
    levels,
    tables,
)
from heatprop.letterbox import IMAGENET_MEAN, IMAGENET_STD, InputFormat

_STRIDES = (8, 16, 32, 64)


def match(signature: Signature) -> Match | None:
    """Recognise Paddle's inputs with N x 6, LibreYOLO's word, or scores and bins of four strides."""
    inputs = {each.name for each in signature.inputs}
    shapes = signature.tables
    named = None if signature.names is None else len(signature.names)
    if "scale_factor" in inputs and len(shapes) == 1 and shapes[0][1] == 6:
        return Match(
            "certain", "Paddle's input scale_factor, and boxes with class, score and corners", named or 80
        )
    if signature.libreyolo == "picodet" and named:
        return Match("certain", "LibreYOLO exported it, picodet", named)
    cells = [signature.cells(stride) for stride in _STRIDES]
    if (decoded := match_decoded(signature, sum(cells), "the cells of four strides")) is not None:
        return decoded
    if len(shapes) == 2 and not signature.maps:
        for (rows, columns), other in (shapes, shapes[::-1]):
            classes = other[1] if other[0] == rows else other[0]
            if columns == 4 and rows == sum(cells) and rows in other and signature.agrees(classes):
                return Match("likely", f"boxes and {classes} scores of {rows} cells of four strides", classes)
    is_of_nanodet = any("pred_stride" in each for each in signature.output_names)
    if sorted(rows for rows, _ in shapes) == sorted(2 * cells) and not is_of_nanodet:
        widths = {count for _, count in shapes}
        for classes in sorted(widths - {32}):
            if widths == {classes, 32} and signature.agrees(classes):
                return Match("likely", f"{classes} scores and 32 bins for the cells of four strides", classes)
    return None


def read(tensors: Tensors, height: int, width: int, classes: int) -> Sites:
    """Read scores and boxes in whichever of the three forms they are."""
    found = [table for table in tables(tensors) if len(table) > 1 or table.shape[1] > 1]
    if len(found) == 1 and found[0].shape[1] == 6 and classes != 2:
        (table,) = found
        return Sites(table[:, 2:], table[:, 1], table[:, 0].astype(int))
    flat = sorted(levels(tensors), key=len, reverse=True)
    scores = [each for each in flat if each.shape[1] == classes]
    bins = [each for each in flat if each.shape[1] != classes]
    if len(scores) != len(_STRIDES) or len(bins) != len(_STRIDES):
        return boxes_and_scores(tensors, classes, "picodet")
    points, strides = grid(height, width, _STRIDES, 0.5)
    sides = np.concatenate(bins)
    return Sites(
        lambda rows: corners_from_distances(points[rows], expected_distances(sides[rows]) * strides[rows]),
        as_probabilities(np.concatenate(scores)),
    )


LAYOUT = Layout(
    "picodet",
    "PicoDet, and others of PaddleDetection",
    InputFormat(longest_side=320, fit="stretch", scale=1 / 255, mean=IMAGENET_MEAN, std=IMAGENET_STD),
    nms_iou=0.6,
    best_class_only=False,
    match=match,
    read=read,
)
