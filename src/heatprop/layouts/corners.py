"""Boxes as corners and scores by class, one box a cell: what LibreYOLO exports, YOLO-NAS and PP-YOLOE.

In one table of 4 + C, or in two of 4 and of C; either way round. Source: ``export`` of LibreYOLO.
"""

from __future__ import annotations

from dataclasses import replace

from heatprop.layouts.base import Layout, Match, Sites, Tensors, match_decoded
from heatprop.layouts.signature import Signature
from heatprop.layouts.tensors import boxes_and_scores
from heatprop.letterbox import IMAGENET_MEAN, IMAGENET_STD, InputFormat

_YOLO = InputFormat(longest_side=640, scale=1 / 255, padding=114)
_PADDLE = InputFormat(longest_side=640, fit="stretch", scale=1 / 255, mean=IMAGENET_MEAN, std=IMAGENET_STD)
_TABLES = ("yolo7", "yolo9", "yolo9_e2e", "yolo9_p2")
_PAIRS = {"yolonas": _YOLO, "ppyoloe": _PADDLE}


def match(signature: Signature) -> Match | None:
    """Recognise LibreYOLO's word for it, or boxes and scores apart, with one box a cell."""
    cells = signature.cells(8, 16, 32)
    if signature.libreyolo in _TABLES and len(signature.tables) == 1 and signature.names:
        is_at_corner = signature.libreyolo == "yolo7" or signature.metadata.get("letterbox_pad") == "topleft"
        form = replace(_YOLO, place="top-left") if is_at_corner else _YOLO
        reason = f"LibreYOLO exported it, {signature.libreyolo}"
        return Match("certain", reason, len(signature.names), form)
    if (decoded := match_decoded(signature, cells, f"{cells} cells")) is not None:
        return decoded
    if len(signature.tables) != 2 or signature.maps:
        return None
    for (rows, columns), (sites, classes) in (signature.tables, signature.tables[::-1]):
        if columns == 4 and rows == sites == cells and signature.agrees(classes):
            if signature.libreyolo in _PAIRS:
                reason = f"LibreYOLO exported it, {signature.libreyolo}"
                return Match("certain", reason, classes, _PAIRS[signature.libreyolo])
            return Match("likely", f"boxes and {classes} scores of {cells} cells, apart", classes)
    return None


def read(tensors: Tensors, _height: int, _width: int, classes: int) -> Sites:
    """Read corners and scores."""
    return boxes_and_scores(tensors, classes, "corners")


LAYOUT = Layout(
    "corners",
    "LibreYOLO's YOLOv7 and YOLOv9, YOLO-NAS, PP-YOLOE",
    _YOLO,
    nms_iou=0.6,
    best_class_only=False,
    match=match,
    read=read,
)
