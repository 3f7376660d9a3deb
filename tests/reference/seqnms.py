"""Seq-NMS step by step: the whole dynamic programme is run again for every path."""


def pixel_iou(a, b):
    width = max(min(a[2], b[2]) - max(a[0], b[0]) + 1, 0.0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]) + 1, 0.0)
    area_a = max(a[2] - a[0] + 1, 0.0) * max(a[3] - a[1] + 1, 0.0)
    area_b = max(b[2] - b[0] + 1, 0.0) * max(b[3] - b[1] + 1, 0.0)
    union = area_a + area_b - width * height
    return width * height / union if union > 0 else 0.0


def seq_nms_class(boxes, scores, *, link_iou=0.5, suppress_iou=0.3, rescoring="mean", min_path_score=0.01):
    """Rescore one class: `boxes[frame][i]` and `scores[frame][i]`; return new scores, None where suppressed."""
    new = [list(frame) for frame in scores]
    free = [[True] * len(frame) for frame in scores]
    links = {
        (t, i, j)
        for t in range(len(boxes) - 1)
        for i, a in enumerate(boxes[t])
        for j, b in enumerate(boxes[t + 1])
        if pixel_iou(a, b) >= link_iou
    }
    while links:
        path, total = best_path(scores, free, links)
        if total < min_path_score:
            break
        values = [scores[t][i] for t, i in path]
        for t, i in path:
            new[t][i] = total / len(path) if rescoring == "mean" else max(values)
            free[t][i] = False
        for t, i in path:
            for j, other in enumerate(boxes[t]):
                if free[t][j] and pixel_iou(boxes[t][i], other) >= suppress_iou:
                    new[t][j], free[t][j] = None, False
        links = {(t, i, j) for t, i, j in links if free[t][i] and free[t + 1][j]}
    return new


def best_path(scores, free, links):
    """Return the path of free boxes with the largest sum, as (frame, index), and the sum."""
    sums, origins = [], []
    for t, frame in enumerate(scores):
        sums.append([score if free[t][j] else 0.0 for j, score in enumerate(frame)])
        origins.append([None] * len(frame))
        for j, score in enumerate(frame):
            for i in range(len(scores[t - 1]) if t else 0):
                if (t - 1, i, j) in links and sums[t - 1][i] + score > sums[t][j]:
                    sums[t][j], origins[t][j] = sums[t - 1][i] + score, i
    ends = [(-sums[t][i], t, i) for t, frame in enumerate(free) for i, is_free in enumerate(frame) if is_free]
    total, t, i = min(ends)
    path = [(t, i)]
    while origins[t][i] is not None:
        t, i = t - 1, origins[t][i]
        path.append((t, i))
    return path, -total


def seq_nms(video, labels, **settings):
    """Rescore a video: `video[frame]` is a list of (box, score, label); return scores, None where suppressed."""
    new = [[score for _, score, _ in frame] for frame in video]
    for label in labels:
        rows = [[i for i, item in enumerate(frame) if item[2] == label] for frame in video]
        boxes = [[frame[i][0] for i in found] for frame, found in zip(video, rows, strict=True)]
        scores = [[frame[i][1] for i in found] for frame, found in zip(video, rows, strict=True)]
        for frame, found, values in zip(new, rows, seq_nms_class(boxes, scores, **settings), strict=True):
            for i, value in zip(found, values, strict=True):
                frame[i] = value
    return new
