"""SSD: boxes in relation to default boxes with a softmax over background and classes, or all of it decoded.

Decoded, it is boxes, labels and scores as in the ONNX model zoo, with corners as fractions of the input; or
corners and scores as LibreYOLO writes them. Undecoded, it is SSD300 with torchvision's default boxes.
Source: SSD, Liu et al. 2016; ``torchvision.models.detection.ssd``.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from heatprop.layouts.anchors import boxes_from_anchors
from heatprop.layouts.base import Layout, Match, Sites, Tensors, match_decoded
from heatprop.layouts.signature import Signature
from heatprop.layouts.tensors import Array, boxes_and_scores, corners, deltas_and_logits, softmax, vector
from heatprop.letterbox import InputFormat

_SIDE, _DEFAULT_BOXES = 300, 8732
_LEVELS = ((38, 8, (2,)), (19, 16, (2, 3)), (10, 32, (2, 3)), (5, 64, (2, 3)), (3, 100, (2,)), (1, 300, (2,)))
_SCALES = (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)
_WEIGHTS = (10.0, 10.0, 5.0, 5.0)


def match(signature: Signature) -> Match | None:
    """Recognise LibreYOLO's word, the model zoo's trio, or 8732 default boxes."""
    named = None if signature.names is None else len(signature.names)
    if signature.libreyolo == "ssd" and named:
        return Match("certain", "LibreYOLO exported it, ssd", named)
    shapes = {each.name: each.shape for each in signature.outputs}
    if set(shapes) == {"bboxes", "labels", "scores"}:
        return Match("likely", "bboxes, labels and scores, as the ONNX model zoo has them", named or 81)
    if (decoded := match_decoded(signature, _DEFAULT_BOXES, f"{_DEFAULT_BOXES} default boxes")) is not None:
        return decoded
    if sorted(rows for rows, _ in signature.tables) == [_DEFAULT_BOXES] * 2:
        columns = [columns for _, columns in signature.tables]
        classes = sum(columns) - 4  # with the background
        if 4 in columns and classes > 1:
            return Match("likely", "deltas and logits of SSD300's 8732 default boxes", classes)
    return None


def read(tensors: Tensors, height: int, width: int, classes: int) -> Sites:
    """Read boxes in whichever of the three forms they are."""
    if "bboxes" in tensors:
        boxes = np.asarray(tensors["bboxes"], np.float32).reshape(-1, 4) * np.array(
            [width, height] * 2, np.float32
        )
        return Sites(boxes, vector(tensors["scores"]), vector(tensors["labels"]).astype(int))
    pair = deltas_and_logits(tensors)
    if pair is not None and pair[1].shape == (_DEFAULT_BOXES, classes):
        deltas, logits = pair
        defaults = default_boxes() * np.array([width, height] * 2, np.float32)
        scores = softmax(logits)
        scores[:, 0] = 0  # the background
        return Sites(boxes_from_anchors(defaults, deltas, _WEIGHTS), scores)
    return boxes_and_scores(tensors, classes, "ssd")


def default_boxes() -> Array:
    """Return SSD300's default boxes as xyxy in fractions of the input, float32 ``(8732, 4)``."""
    boxes = []
    for level, (cells, step, ratios) in enumerate(_LEVELS):
        scale, between = _SCALES[level], sqrt(_SCALES[level] * _SCALES[level + 1])
        sizes = [(scale, scale), (between, between)]
        for ratio in ratios:
            root = sqrt(ratio)
            sizes += [(scale * root, scale / root), (scale / root, scale * root)]
        middles = (np.arange(cells) + 0.5) * step / _SIDE
        y, x = np.meshgrid(middles, middles, indexing="ij")
        centres = np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), len(sizes), axis=0)
        boxes.append(corners(centres, np.tile(np.minimum(sizes, 1), (cells * cells, 1))))
    return np.concatenate(boxes).astype(np.float32)


LAYOUT = Layout(
    "ssd",
    "SSD",
    InputFormat(
        longest_side=_SIDE,
        multiple=_SIDE,
        fit="stretch",
        scale=1 / 255,
        mean=(0.48235, 0.45882, 0.40784),
        std=(1 / 255, 1 / 255, 1 / 255),
    ),
    nms_iou=0.45,
    best_class_only=False,
    match=match,
    read=read,
)
