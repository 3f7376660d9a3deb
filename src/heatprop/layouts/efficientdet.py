"""EfficientDet: nine anchors a cell of strides 8 to 128; as five maps of logits and five of deltas, or decoded.

Deltas are y, x, height and width. Decoded, LibreYOLO gives N x 6 with corners, score and class, -1 for none.
Source: EfficientDet, Tan et al. 2020; ``effdet`` of rwightman/efficientdet-pytorch.
"""

from __future__ import annotations

import numpy as np

from heatprop.errors import LayoutError
from heatprop.layouts.anchors import boxes_from_anchors
from heatprop.layouts.base import Layout, Match, Sites, Tensors
from heatprop.layouts.signature import Signature
from heatprop.layouts.tensors import Array, corners, described, grid, sigmoid, tables
from heatprop.letterbox import IMAGENET_MEAN, IMAGENET_STD, InputFormat

_STRIDES = (8, 16, 32, 64, 128)
_SHAPES = ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4))  # width and height
_ANCHORS_A_CELL = 9


def match(signature: Signature) -> Match | None:
    """Recognise LibreYOLO's word, or maps of logits and deltas for nine anchors a cell."""
    if signature.libreyolo == "efficientdet" and signature.names:
        return Match("certain", "LibreYOLO exported it, efficientdet", len(signature.names))
    if signature.libreyolo is None and [columns for _, columns in signature.tables] == [6] and not signature.maps:
        return Match("possible", "boxes with corners, score and class", None)
    channels = {count for count, _, _ in signature.maps}
    if len(signature.maps) != 10 or len(channels) != 2 or 4 * _ANCHORS_A_CELL not in channels:
        return None
    classes, rest = divmod(sum(channels) - 4 * _ANCHORS_A_CELL, _ANCHORS_A_CELL)
    if rest or not signature.agrees(classes):
        return None
    return Match("likely", f"five maps of {classes} x 9 logits and five of 4 x 9 deltas", classes)


def read(tensors: Tensors, height: int, width: int, classes: int) -> Sites:
    """Read boxes, decoded or not."""
    found = tables(tensors)
    if len(found) == 1 and found[0].shape[1] == 6:
        table = found[0][found[0][:, 5] >= 0]
        return Sites(table[:, :4], table[:, 4], table[:, 5].astype(int))
    maps = sorted((np.asarray(array)[0] for array in tensors.values()), key=lambda each: -each[0].size)
    parts = {
        columns: [_by_anchor(each, columns) for each in maps if len(each) == columns * _ANCHORS_A_CELL]
        for columns in (classes, 4)
    }
    anchors = anchor_boxes(height, width)
    if [sum(map(len, parts[columns])) for columns in (classes, 4)] != [len(anchors)] * 2:
        raise LayoutError(
            f"layout 'efficientdet' has {len(anchors)} anchors for an input of {width}x{height}; here are "
            f"{described(tensors)}: choose another --layout"
        )
    deltas = np.concatenate(parts[4])[:, [1, 0, 3, 2]]
    boxes = boxes_from_anchors(anchors, deltas, (1.0, 1.0, 1.0, 1.0))
    return Sites(boxes, sigmoid(np.concatenate(parts[classes])))


def _by_anchor(level: Array, columns: int) -> Array:
    return np.asarray(np.moveaxis(level, 0, -1).reshape(-1, columns), np.float32)


def anchor_boxes(height: int, width: int) -> Array:
    """Return the anchors as xyxy in pixels, by level, cell and shape, float32 ``(S, 4)``."""
    boxes = []
    for stride in _STRIDES:
        middles, _ = grid(height, width, (stride,), 0.5)
        octaves = [4 * stride * 2 ** (octave / 3) for octave in range(3)]
        sizes = np.array([np.multiply(side, shape) for side in octaves for shape in _SHAPES], np.float32)
        boxes.append(corners(np.repeat(middles, len(sizes), axis=0), np.tile(sizes, (len(middles), 1))))
    return np.concatenate(boxes).astype(np.float32)


LAYOUT = Layout(
    "efficientdet",
    "EfficientDet",
    InputFormat(
        longest_side=512,
        multiple=128,
        scale=1 / 255,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        place="top-left",
        padding=116,
    ),
    nms_iou=0.5,
    best_class_only=False,
    match=match,
    read=read,
)
