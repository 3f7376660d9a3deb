"""What detectors with queries share: a table of logits, and one of boxes as fractions of the input."""

from __future__ import annotations

import numpy as np

from heatprop.errors import LayoutError
from heatprop.layouts.base import Tensors
from heatprop.layouts.signature import Signature
from heatprop.layouts.tensors import Array, corners, described, tables

_MOST_QUERIES = 1500


def logits_and_boxes(signature: Signature) -> tuple[int, int] | None:
    """Return the numbers of queries and of columns of the logits; None where the outputs are something else."""
    if len(signature.tables) != 2 or signature.maps:
        return None
    for boxes, logits in (signature.tables, signature.tables[::-1]):
        if boxes[1] == 4 and logits[0] == boxes[0] <= _MOST_QUERIES and logits[1] > 1:
            return logits
    return None


def read_queries(tensors: Tensors, height: int, width: int, columns: int, name: str) -> tuple[Array, Array]:
    """Return boxes as xyxy in pixels, and logits.

    Raises:
        LayoutError: the tensors are something else.
    """
    found = tables(tensors)
    if len(found) == 2:
        named = any("box" in key or key == "dets" for key in list(tensors)[1:])
        for boxes, logits in (found[::-1], found) if named else (found, found[::-1]):
            if boxes.shape == (len(logits), 4) and logits.shape[1] == columns:
                scale = np.array([width, height], np.float32)
                return corners(boxes[:, :2] * scale, boxes[:, 2:] * scale), logits
    raise LayoutError(
        f"layout {name!r} has N x {columns} logits and N x 4 boxes; here are {described(tensors)}: choose another "
        "--layout, or give as many --class-names as there are classes"
    )
