"""DETR: queries with a softmax over all classes and, last, no object.

Source: ``models/detr.py`` of facebookresearch/detr.
"""

from __future__ import annotations

from heatprop.layouts.base import Layout, Match, Sites, Tensors
from heatprop.layouts.queries import logits_and_boxes, read_queries
from heatprop.layouts.signature import Signature
from heatprop.layouts.tensors import softmax
from heatprop.letterbox import IMAGENET_MEAN, IMAGENET_STD, InputFormat


def match(signature: Signature) -> Match | None:
    """Recognise logits with one column more than there are classes."""
    queries = logits_and_boxes(signature)
    if queries is None or {each.name for each in signature.outputs} == {"dets", "labels"}:
        return None
    classes = queries[1] - 1
    if classes == 91 or (signature.names is not None and signature.agrees(classes)):
        return Match("likely", f"logits of {classes} classes and of no object, for {queries[0]} queries", classes)
    return (
        Match("possible", f"logits and boxes of {queries[0]} queries", classes)
        if signature.agrees(classes)
        else None
    )


def read(tensors: Tensors, height: int, width: int, classes: int) -> Sites:
    """Read queries."""
    boxes, logits = read_queries(tensors, height, width, classes + 1, "detr")
    return Sites(boxes, softmax(logits)[:, :-1])


LAYOUT = Layout(
    "detr",
    "DETR",
    InputFormat(longest_side=800, fit="stretch", scale=1 / 255, mean=IMAGENET_MEAN, std=IMAGENET_STD),
    nms_iou=None,
    best_class_only=True,
    match=match,
    read=read,
)
