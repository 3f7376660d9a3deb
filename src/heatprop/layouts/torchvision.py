"""torchvision's detectors, exported whole: boxes, labels and scores without a batch axis, suppression done.

The file scales and normalises its input itself. Class 0 is the background.
Source: ``torchvision.models.detection``.
"""

from __future__ import annotations

import numpy as np

from heatprop.errors import LayoutError
from heatprop.layouts.base import Layout, Match, Sites, Tensors
from heatprop.layouts.signature import Signature
from heatprop.layouts.tensors import described
from heatprop.letterbox import InputFormat


def match(signature: Signature) -> Match | None:
    """Recognise a table of boxes and two lists as long."""
    shapes = sorted((each.shape for each in signature.outputs), key=len)
    if [len(shape) for shape in shapes] != [1, 1, 2] or shapes[2][1] != 4:
        return None
    if not shapes[0] == shapes[1] == shapes[2][:1]:
        return None
    classes = 91 if signature.names is None else len(signature.names)
    if signature.libreyolo is not None:
        classes += 1  # its names leave the background out
    return Match("likely", "boxes, labels and scores of one image", classes)


def read(tensors: Tensors, _height: int, _width: int, _classes: int) -> Sites:
    """Read boxes that are finished; which list is the labels, its element type says."""
    arrays = list(tensors.values())
    boxes = [array for array in arrays if array.ndim == 2 and array.shape[1] == 4]
    labels = [array for array in arrays if array.ndim == 1 and array.dtype.kind in "iu"]
    scores = [array for array in arrays if array.ndim == 1 and array.dtype.kind == "f"]
    if not len(boxes) == len(labels) == len(scores) == 1:
        raise LayoutError(
            f"layout 'torchvision' has boxes, whole labels and scores; here are {described(tensors)}: "
            "choose another --layout"
        )
    return Sites(np.asarray(boxes[0], np.float32), scores[0], labels[0].astype(int))


LAYOUT = Layout(
    "torchvision",
    "torchvision: Faster R-CNN, RetinaNet, FCOS, SSD, SSDlite",
    InputFormat(longest_side=640, scale=1 / 255, place="top-left"),
    nms_iou=None,
    best_class_only=True,
    match=match,
    read=read,
)
