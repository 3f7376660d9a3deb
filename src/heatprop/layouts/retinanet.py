"""RetinaNet: nine anchors a cell of strides 8 to 128 with a sigmoid for each class; decoded, or deltas and logits.

Undecoded, the anchors are torchvision's, rounded to whole pixels. Source: Focal Loss, Lin et al. 2017, section 4;
``torchvision.models.detection.retinanet``.
"""

from __future__ import annotations

from math import ceil

import numpy as np

from heatprop.errors import LayoutError
from heatprop.layouts.anchors import boxes_from_anchors
from heatprop.layouts.base import Layout, Match, Sites, Tensors, match_decoded
from heatprop.layouts.signature import Signature
from heatprop.layouts.tensors import Array, boxes_and_scores, deltas_and_logits, described, sigmoid
from heatprop.letterbox import IMAGENET_MEAN, IMAGENET_STD, InputFormat

_STRIDES = (8, 16, 32, 64, 128)
_ASPECT_RATIOS = (0.5, 1.0, 2.0)  # height over width
_ANCHORS_A_CELL = 9


def match(signature: Signature) -> Match | None:
    """Recognise nine anchors a cell of five strides."""
    named = None if signature.names is None else len(signature.names)
    anchors = _ANCHORS_A_CELL * signature.cells(*_STRIDES)
    if signature.libreyolo == "retinanet" and named:
        return Match("certain", "LibreYOLO exported it, retinanet", named)
    if (decoded := match_decoded(signature, anchors, f"{anchors} anchors")) is not None:
        return decoded
    if [rows for rows, _ in signature.tables] != [anchors] * 2:
        return None
    columns = [columns for _, columns in signature.tables]
    classes = sum(columns) - 4
    if 4 in columns and signature.agrees(classes):
        return Match("likely", f"deltas and logits of {anchors} anchors, nine a cell", classes)
    return None


def read(tensors: Tensors, height: int, width: int, classes: int) -> Sites:
    """Read boxes, decoded or not."""
    pair = deltas_and_logits(tensors)
    if pair is None:
        return boxes_and_scores(tensors, classes, "retinanet")
    deltas, logits = pair
    anchors = anchor_boxes(height, width)
    if logits.shape != (len(anchors), classes):
        raise LayoutError(
            f"layout 'retinanet' has {len(anchors)} anchors for an input of {width}x{height}; here are "
            f"{described(tensors)}: choose another --layout"
        )
    return Sites(boxes_from_anchors(anchors, deltas, (1.0, 1.0, 1.0, 1.0)), sigmoid(logits))


def anchor_boxes(height: int, width: int) -> Array:
    """Return the anchors as xyxy in pixels, by level, cell and shape, float32 ``(S, 4)``."""
    boxes = []
    for stride in _STRIDES:
        side = 4 * stride
        sides = np.array([side, int(side * 2 ** (1 / 3)), int(side * 2 ** (2 / 3))], np.float32)
        heights = np.sqrt(np.array(_ASPECT_RATIOS, np.float32))
        sizes = np.stack([np.outer(1 / heights, sides).ravel(), np.outer(heights, sides).ravel()], axis=1)
        around = np.round(np.concatenate([-sizes, sizes], axis=1) / 2)
        rows, columns = ceil(height / stride), ceil(width / stride)
        y, x = np.meshgrid(
            np.arange(rows) * (height // rows), np.arange(columns) * (width // columns), indexing="ij"
        )
        corner = np.stack([x.ravel(), y.ravel()] * 2, axis=1)
        boxes.append((corner[:, None] + around).reshape(-1, 4))
    return np.concatenate(boxes).astype(np.float32)


LAYOUT = Layout(
    "retinanet",
    "RetinaNet, cut before its suppression",
    InputFormat(
        longest_side=800,
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
