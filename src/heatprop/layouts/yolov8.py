"""YOLOv8, 9, 11 and 12: one box a cell and no objectness; usually the other way round, (4 + C) x N.

Source: ``engine/exporter.py`` of ultralytics/ultralytics.
"""

from __future__ import annotations

from heatprop.layouts.base import Layout, Match, Sites, Tensors
from heatprop.layouts.signature import Signature
from heatprop.layouts.tensors import corners, one_table
from heatprop.letterbox import InputFormat


def match(signature: Signature) -> Match | None:
    """Recognise (4 + C) x N, or N x (4 + C), with one box a cell."""
    if signature.libreyolo is not None or len(signature.tables) != 1:
        return None
    rows, columns = signature.tables[0]
    cells = {signature.cells(*strides) for strides in ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32))}
    if columns in cells and rows not in cells and signature.agrees(rows - 4):
        # Without names it may be LibreYOLO's, which are corners, after a conversion that lost the metadata.
        is_usual = signature.names is not None or signature.output_names[0].startswith("output0")
        reason = f"4 + {rows - 4} numbers for each of {columns} cells, a row each"
        return Match("likely" if is_usual else "possible", reason, rows - 4)
    if rows in cells and signature.agrees(columns - 4):
        reason = f"{rows} cells with 4 + {columns - 4} numbers each"
        return Match("possible" if signature.names is None else "likely", reason, columns - 4)
    if 4 < rows < columns and signature.agrees(rows - 4):
        return Match("possible", f"4 + {rows - 4} numbers for each of {columns} sites, a row each", rows - 4)
    return None


def read(tensors: Tensors, _height: int, _width: int, classes: int) -> Sites:
    """Read centre, size and class scores, all of them decoded in the file."""
    table = one_table(tensors, 4 + classes, "yolov8")
    return Sites(corners(table[:, :2], table[:, 2:4]), table[:, 4:])


LAYOUT = Layout(
    "yolov8",
    "YOLOv8, YOLOv9, YOLO11, YOLO12",
    InputFormat(longest_side=640, scale=1 / 255, padding=114),
    nms_iou=0.7,
    best_class_only=True,
    match=match,
    read=read,
)
