"""Suppression one pair at a time."""


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    intersection = max(width, 0.0) * max(height, 0.0)
    area_a = max(a[2] - a[0], 0.0) * max(a[3] - a[1], 0.0)
    area_b = max(b[2] - b[0], 0.0) * max(b[3] - b[1], 0.0)
    union = area_a + area_b - intersection
    return intersection / union if union > 0 else 0.0


def nms(boxes, labels, iou_threshold):
    """Boxes come best first; return the indices that stay."""
    kept = []
    for i, box in enumerate(boxes.tolist()):
        if all(labels[j] != labels[i] or iou(boxes[j].tolist(), box) <= iou_threshold for j in kept):
            kept.append(i)
    return kept
