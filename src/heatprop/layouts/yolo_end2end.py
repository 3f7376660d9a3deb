"""YOLO with suppression in the file, or trained to need none: x1, y1, x2, y2, score and class of each box.

YOLOv10, YOLO26 and all that ultralytics exports with ``nms=True`` give N x 6; YOLOv7's ``--end2end`` for ONNX
Runtime gives N x 7, where the number of the image comes first and the class before the score.
"""

from __future__ import annotations

import numpy as np

from heatprop.errors import LayoutError
from heatprop.layouts.base import Layout, Match, Sites, Tensors
from heatprop.layouts.signature import Signature
from heatprop.layouts.tensors import finished_table
from heatprop.letterbox import InputFormat

_MOST_BOXES = 1000
_ENOUGH, _FRACTION = 50, 2.0


def match(signature: Signature) -> Match | None:
    """Recognise N x 6 for some hundred boxes, or N x 7 without a batch axis."""
    if len(signature.outputs) != 1 or len(signature.tables) != 1:
        return None
    rows, columns = signature.tables[0]
    classes = None if signature.names is None else len(signature.names)
    if columns == 7 and len(signature.outputs[0].shape) == 2:
        return Match(
            "likely", "boxes with image, corners, class and score, as YOLOv7 --end2end writes them", classes
        )
    cells = {n * signature.cells(8, 16, 32) for n in (1, 3)}
    if columns != 6 or rows > _MOST_BOXES or rows in cells:
        return None
    says = "true" in (signature.metadata.get(key, "").lower() for key in ("end2end", "nms"))
    reason = f"{rows} boxes with corners, score and class" + (", and metadata that say so" if says else "")
    return Match("certain" if says else "likely", reason, classes)


def read(tensors: Tensors, _height: int, _width: int, _classes: int) -> Sites:
    """Read boxes that are finished."""
    table = finished_table(tensors, (6, 7), "yolo-end2end")
    if table.shape[1] == 7:
        return Sites(table[:, 1:5], table[:, 6], table[:, 5].astype(int))
    boxes = table[table[:, 4] > 0, :4]
    if len(boxes) >= _ENOUGH and np.abs(boxes).max() <= _FRACTION:
        raise LayoutError(
            f"all {len(boxes)} boxes lie within {_FRACTION:g} pixels, so they are fractions of the image; "
            "choose --layout rtdetr-end2end"
        )
    return Sites(table[:, :4], table[:, 4], table[:, 5].astype(int))


LAYOUT = Layout(
    "yolo-end2end",
    "YOLOv10, YOLO26, YOLO exported with nms=True or --end2end",
    InputFormat(longest_side=640, scale=1 / 255, padding=114),
    nms_iou=None,
    best_class_only=True,
    match=match,
    read=read,
)
