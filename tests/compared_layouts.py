"""Two lists of detections, compared: boxes to 1e-3 pixel, scores to 1e-5."""

from __future__ import annotations

import numpy as np

from heatprop.types import Detections


def inside(found: Detections, height: int, width: int, floor: float) -> Detections:
    """What libraries make of it: above the threshold, clipped to the input, and with an area."""
    boxes = np.clip(found.boxes, 0, (width, height) * 2).astype(np.float32)
    kept = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]) & (found.scores > floor)
    return Detections(boxes[kept], found.scores[kept], found.labels[kept])


def assert_same(found: Detections, wanted: Detections) -> None:
    assert len(found) == len(wanted)
    assert len(wanted) > 0, "nothing was compared"
    rows = [_order(each) for each in (found, wanted)]
    assert (found.labels[rows[0]] == wanted.labels[rows[1]]).all()
    np.testing.assert_allclose(found.scores[rows[0]], wanted.scores[rows[1]], rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.boxes[rows[0]], wanted.boxes[rows[1]], rtol=0, atol=1e-3)


def _order(found: Detections) -> np.ndarray:
    keys = (*np.round(found.boxes.T, 2), np.round(found.scores, 4), found.labels)
    return np.lexsort(keys)
