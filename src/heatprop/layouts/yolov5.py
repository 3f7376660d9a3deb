"""YOLOv5 and YOLOv7: three anchors a cell, each with objectness, which multiplies the class scores.

Source: ``export.py`` of ultralytics/yolov5, and of WongKinYiu/yolov7 with ``--grid``.
"""

from __future__ import annotations

from heatprop.layouts.base import Layout, Match, Sites, Tensors
from heatprop.layouts.signature import Signature
from heatprop.layouts.tensors import corners, one_table
from heatprop.letterbox import InputFormat


def match(signature: Signature) -> Match | None:
    """Recognise N x (5 + C), with three anchors a cell."""
    anchors = {3 * signature.cells(8, 16, 32), 3 * signature.cells(8, 16, 32, 64)}
    fits = [columns - 5 for rows, columns in signature.tables if rows in anchors and columns > 5]
    if len(fits) != 1 or not signature.agrees(fits[0]):
        return None
    return Match("likely", f"three anchors a cell with 5 + {fits[0]} numbers each", fits[0])


def read(tensors: Tensors, _height: int, _width: int, classes: int) -> Sites:
    """Read centre, size, objectness and class scores, all of them decoded in the file."""
    table = one_table(tensors, 5 + classes, "yolov5")
    return Sites(corners(table[:, :2], table[:, 2:4]), table[:, 4:5] * table[:, 5:])


LAYOUT = Layout(
    "yolov5",
    "YOLOv5, YOLOv7",
    InputFormat(longest_side=640, scale=1 / 255, padding=114),
    nms_iou=0.45,
    best_class_only=True,
    match=match,
    read=read,
)
