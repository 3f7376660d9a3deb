"""What the outputs of a NanoDet mean, cell by cell, as its own `get_bboxes_single` has it."""

from __future__ import annotations

from math import exp

import numpy as np

from reference.boxes import nms


def expected_bin(logits):
    """The mean of 0, 1, ... under the softmax of `logits`."""
    largest = max(logits)
    weights = [exp(logit - largest) for logit in logits]
    return sum(index * weight for index, weight in enumerate(weights)) / sum(weights)


def box_of_cell(logits, cell, stride, size):
    """The box of a cell (x, y), clipped to the input; `logits` are of left, top, right and bottom in turn."""
    bins = len(logits) // 4
    left, top, right, bottom = (expected_bin(logits[side * bins :][:bins]) * stride for side in range(4))
    centre_x, centre_y = ((place + 0.5) * stride for place in cell)
    corners = (centre_x - left, centre_y - top, centre_x + right, centre_y + bottom)
    return [min(max(corner, 0.0), limit) for corner, limit in zip(corners, size * 2, strict=True)]


def candidates(heads, score_threshold):
    """Every box of every cell and class with at least the score, by falling score.

    `heads` holds for each stride the scores ``(classes, H, W)`` and the logits ``(4 * bins, H, W)``. Returns lists
    of boxes (x1, y1, x2, y2) in pixels of the input, of scores and of labels.
    """
    found = []
    for stride, (scores, logits) in heads.items():
        _, rows, columns = scores.shape
        for label, y, x in np.argwhere(scores >= score_threshold).tolist():
            box = box_of_cell(logits[:, y, x].tolist(), (x, y), stride, (columns * stride, rows * stride))
            found.append((float(scores[label, y, x]), label, box))
    found.sort(key=lambda each: -each[0])
    return [box for _, _, box in found], [score for score, _, _ in found], [label for _, label, _ in found]


def decode(heads, score_threshold=0.05, iou_threshold=0.6, max_detections=100):
    """The candidates that are left after suppression within each class: boxes, scores and labels."""
    boxes, scores, labels = candidates(heads, score_threshold)
    kept = nms(np.array(boxes).reshape(-1, 4), labels, iou_threshold)[:max_detections]
    return [boxes[i] for i in kept], [scores[i] for i in kept], [labels[i] for i in kept]
