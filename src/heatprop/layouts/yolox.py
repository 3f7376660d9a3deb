"""YOLOX: one box a cell with objectness, decoded in the file or not: its exporter does not say which.

Source: ``tools/export_onnx.py`` and ``demo/ONNXRuntime`` of Megvii-BaseDetection/YOLOX.
"""

from __future__ import annotations

import numpy as np

from heatprop.errors import LayoutError
from heatprop.layouts.base import Layout, Match, Sites, Tensors
from heatprop.layouts.signature import Signature
from heatprop.layouts.tensors import Array, corners, described, grid, one_table
from heatprop.letterbox import InputFormat

_STRIDES = (8, 16, 32)
_LARGEST_EXPONENT = 20.0  # a side of e^20 cells is beyond all images, and still a number


def match(signature: Signature) -> Match | None:
    """Recognise N x (5 + C), with one box a cell."""
    if len(signature.tables) != 1:
        return None
    rows, columns = signature.tables[0]
    if rows != signature.cells(*_STRIDES) or columns < 6 or not signature.agrees(columns - 5):
        return None
    if signature.libreyolo not in (None, "yolox"):
        return None
    is_told = signature.libreyolo == "yolox"
    reason = "LibreYOLO exported it, yolox" if is_told else f"{rows} cells with 5 + {columns - 5} numbers each"
    is_usual = signature.names is not None or columns == 85
    return Match("certain" if is_told else "likely" if is_usual else "possible", reason, columns - 5)


def read(tensors: Tensors, height: int, width: int, classes: int) -> Sites:
    """Read centre, size, objectness and class scores."""
    table = one_table(tensors, 5 + classes, "yolox")
    cells, strides = grid(height, width, _STRIDES, 0.0)
    if len(cells) != len(table):
        raise LayoutError(
            f"layout 'yolox' has {len(cells)} cells for an input of {width}x{height}; here are "
            f"{described(tensors)}: choose another --layout"
        )
    centres, sizes = table[:, :2], table[:, 2:4]
    if not _is_decoded(centres, cells, strides):
        centres = cells + centres * strides
        sizes = np.exp(np.minimum(sizes, _LARGEST_EXPONENT)) * strides
    return Sites(corners(centres, sizes), table[:, 4:5] * table[:, 5:])


def _is_decoded(centres: Array, cells: Array, strides: Array) -> bool:
    """Return whether centres lie near their cells as pixels, rather than as cells from their cell."""
    as_pixels = np.median(np.abs(centres - cells) / strides)
    as_cells = np.median(np.abs(centres))
    return bool(as_pixels < as_cells)


LAYOUT = Layout(
    "yolox",
    "YOLOX, decoded or not",
    InputFormat(longest_side=640, channel_order="BGR", place="top-left", padding=114),
    nms_iou=0.45,
    best_class_only=True,
    match=match,
    read=read,
)
