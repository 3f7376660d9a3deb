"""RF-DETR and LW-DETR: queries with a sigmoid for each class; COCO's 91 numbers are the classes.

Source: ``rfdetr/deploy/export.py`` of roboflow/rf-detr.
"""

from __future__ import annotations

from heatprop.layouts.base import Layout, Match, Sites, Tensors
from heatprop.layouts.queries import logits_and_boxes, read_queries
from heatprop.layouts.signature import Signature
from heatprop.layouts.tensors import sigmoid
from heatprop.letterbox import IMAGENET_MEAN, IMAGENET_STD, InputFormat


def match(signature: Signature) -> Match | None:
    """Recognise dets and labels, which are boxes and logits."""
    queries = logits_and_boxes(signature)
    if queries is None:
        return None
    if {each.name for each in signature.outputs} == {"dets", "labels"}:
        # A file of one's own may name fewer classes than it has columns: the last is for no object.
        return Match("certain", f"outputs dets and labels of {queries[0]} queries", queries[1])
    if queries[1] == 91 and signature.agrees(91):
        return Match("likely", f"logits of COCO's 91 numbers and boxes of {queries[0]} queries", 91)
    return None


def read(tensors: Tensors, height: int, width: int, classes: int) -> Sites:
    """Read queries."""
    boxes, logits = read_queries(tensors, height, width, classes, "rfdetr")
    return Sites(boxes, sigmoid(logits))


LAYOUT = Layout(
    "rfdetr",
    "RF-DETR, LW-DETR",
    InputFormat(longest_side=576, fit="stretch", scale=1 / 255, mean=IMAGENET_MEAN, std=IMAGENET_STD),
    nms_iou=None,
    best_class_only=False,
    match=match,
    read=read,
)
