"""RT-DETR, D-FINE, DEIM and their like: queries with a sigmoid for each class.

As the authors export them, labels, boxes and scores, in pixels of the sizes that are an input; as transformers and
LibreYOLO do, logits and boxes; as ultralytics does, one table, boxes as fractions: of 4 + C with scores, since
version 8.4 of 6 with one score and its class, which has the shape of an end-to-end YOLO.
Source: ``tools/export_onnx.py`` and ``rtdetr_postprocessor.py`` of lyuwenyu/RT-DETR.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from heatprop.layouts.base import Layout, Match, Sites, Tensors
from heatprop.layouts.queries import logits_and_boxes, read_queries
from heatprop.layouts.signature import Signature
from heatprop.layouts.tensors import corners, finished_table, sigmoid, tables, vector
from heatprop.letterbox import InputFormat

SIZES_INPUT = "orig_target_sizes"
ULTRALYTICS_HEAD = "RTDETRDecoder"


def match(signature: Signature) -> Match | None:
    """Recognise the authors' export by its second input, or logits and boxes of some hundred queries."""
    names = {each.name for each in signature.outputs}
    named = None if signature.names is None else len(signature.names)
    if SIZES_INPUT in {each.name for each in signature.inputs} and names >= {"labels", "boxes", "scores"}:
        return Match("certain", f"an input {SIZES_INPUT}, and labels, boxes and scores", named or 80)
    queries = logits_and_boxes(signature)
    if queries is not None and "dets" not in names and signature.agrees(queries[1]) and queries[1] != 92:
        is_usual = queries[0] == 300 and any("logits" in name for name in names)
        reason = f"logits of {queries[1]} classes and boxes of {queries[0]} queries"
        return Match("likely" if is_usual else "possible", reason, queries[1])
    if len(signature.tables) == 1 and signature.tables[0][0] == 300 and signature.libreyolo is None:
        classes = signature.tables[0][1] - 4
        if classes > 2 and signature.agrees(classes):
            return Match(
                "likely", f"300 queries with 4 + {classes} numbers each, as ultralytics writes them", classes
            )
    return None


def match_end2end(signature: Signature) -> Match | None:
    """Recognise N x 6 by the name of ultralytics' head: the shape is that of an end-to-end YOLO."""
    if [columns for _, columns in signature.tables] != [6] or len(signature.outputs) != 1:
        return None
    queries = signature.tables[0][0]
    classes = None if signature.names is None else len(signature.names)
    if signature.metadata.get("head") == ULTRALYTICS_HEAD:
        return Match("certain", f"head {ULTRALYTICS_HEAD}: {queries} queries with box, score and class", classes)
    return Match("possible", f"{queries} queries with box, score and class", classes) if queries <= 300 else None


def read(tensors: Tensors, height: int, width: int, classes: int) -> Sites:
    """Read queries in whichever of the three forms they are."""
    if {"labels", "boxes", "scores"} <= set(tensors):
        boxes = np.asarray(tensors["boxes"], np.float32).reshape(-1, 4)
        return Sites(boxes, vector(tensors["scores"]), vector(tensors["labels"]).astype(int))
    found = tables(tensors)
    if len(found) == 1 and found[0].shape[1] == 4 + classes:
        scale = np.array([width, height], np.float32)
        return Sites(corners(found[0][:, :2] * scale, found[0][:, 2:4] * scale), found[0][:, 4:])
    boxes, logits = read_queries(tensors, height, width, classes, "rtdetr")
    return Sites(boxes, sigmoid(logits))


def read_end2end(tensors: Tensors, height: int, width: int, _classes: int) -> Sites:
    """Read centre and size as fractions, score and class."""
    table = finished_table(tensors, (6,), "rtdetr-end2end")
    scale = np.array([width, height], np.float32)
    boxes = corners(table[:, :2] * scale, table[:, 2:4] * scale)
    return Sites(boxes, table[:, 4], table[:, 5].astype(int))


LAYOUT = Layout(
    "rtdetr",
    "RT-DETR, D-FINE, DEIM",
    InputFormat(longest_side=640, fit="stretch", scale=1 / 255),
    nms_iou=None,
    best_class_only=False,
    match=match,
    read=read,
)
LAYOUT_END2END = replace(
    LAYOUT,
    name="rtdetr-end2end",
    title="RT-DETR as ultralytics exports it since 8.4",
    match=match_end2end,
    read=read_end2end,
)
