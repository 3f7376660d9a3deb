"""RTMDet, and what else MMDeploy exports: boxes with scores and labels apart, or a pair of maps a stride.

In the maps, scores are logits, distances to the sides are in pixels, and the reference of a cell is its corner.
Source: ``rtmdet_head.py`` of open-mmlab/mmdetection, MMDeploy, and LibreYOLO.
"""

from __future__ import annotations

import numpy as np

from heatprop.errors import LayoutError
from heatprop.layouts.base import Layout, Match, Sites, Tensors, match_decoded
from heatprop.layouts.signature import Signature
from heatprop.layouts.tensors import (
    boxes_and_scores,
    corners_from_distances,
    described,
    grid,
    levels,
    sigmoid,
    tables,
    vector,
)
from heatprop.letterbox import InputFormat

_STRIDES = (8, 16, 32)


def match(signature: Signature) -> Match | None:
    """Recognise dets and labels, LibreYOLO's word, or maps of scores and distances."""
    named = None if signature.names is None else len(signature.names)
    if signature.libreyolo == "rtmdet" and named:
        return Match("certain", "LibreYOLO exported it, rtmdet", named)
    shapes = {each.name: each.shape for each in signature.outputs}
    if set(shapes) == {"dets", "labels"} and shapes["dets"][-1:] == (5,):
        return Match("certain", "boxes with scores in dets, and labels, as MMDeploy writes them", named or 80)
    if (decoded := match_decoded(signature, signature.cells(*_STRIDES), "the cells of three strides")) is not None:
        return decoded
    if len(signature.maps) == 6 and not signature.tables:
        sizes = [signature.cells(stride) for stride in _STRIDES]
        if sorted(h * w for _, h, w in signature.maps) != sorted(2 * sizes):
            return None
        channels = {count for count, _, _ in signature.maps}
        for classes in channels - {4}:
            if channels == {classes, 4} and signature.agrees(classes):
                return Match("likely", f"maps of {classes} scores and 4 distances for three strides", classes)
    return None


def read(tensors: Tensors, height: int, width: int, classes: int) -> Sites:
    """Read scores and boxes in whichever of the three forms they are."""
    found = tables(tensors)
    if "dets" in tensors and "labels" in tensors:
        table = next(each for each in found if each.shape[1] == 5)
        return Sites(table[:, :4], table[:, 4], vector(tensors["labels"]).astype(int))
    if found:
        return boxes_and_scores(tensors, classes, "rtmdet")
    points, _ = grid(height, width, _STRIDES, 0.0)
    flat = sorted(levels(tensors), key=len, reverse=True)
    scores, distances = ([each for each in flat if each.shape[1] == columns] for columns in (classes, 4))
    if [sum(map(len, each)) for each in (scores, distances)] != [len(points)] * 2:
        raise LayoutError(
            f"layout 'rtmdet' has {classes} scores and 4 distances for each of {len(points)} cells; here are "
            f"{described(tensors)}: choose another --layout"
        )
    boxes = corners_from_distances(points, np.concatenate(distances))
    return Sites(boxes, sigmoid(np.concatenate(scores)))


LAYOUT = Layout(
    "rtmdet",
    "RTMDet, and others of MMDeploy",
    InputFormat(
        longest_side=640,
        channel_order="BGR",
        mean=(103.53, 116.28, 123.675),
        std=(57.375, 57.12, 58.395),
        place="top-left",
        padding=114,
    ),
    nms_iou=0.65,
    best_class_only=False,
    match=match,
    read=read,
)
