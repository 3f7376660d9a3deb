"""The metrics of ImageNet VID one box at a time, from their definitions.

Objects are (row, label, track, box), detections (row, label, score, box), both in the order of their tables.
"""

import math


def iou(a, b):
    """Sides are counted as x2 - x1 + 1."""
    width = min(a[2], b[2]) - max(a[0], b[0]) + 1
    height = min(a[3], b[3]) - max(a[1], b[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    area_a = (a[2] - a[0] + 1) * (a[3] - a[1] + 1)
    area_b = (b[2] - b[0] + 1) * (b[3] - b[1] + 1)
    return width * height / (area_a + area_b - width * height)


def threshold(box):
    width, height = box[2] - box[0] + 1, box[3] - box[1] + 1
    return min(0.5, width * height / ((width + 10) * (height + 10)))


def by_falling_score(detections, indices):
    return sorted(indices, key=lambda i: -detections[i][2])


def match(objects, detections):
    """Return the object of each detection, or None."""
    found = [None] * len(detections)
    taken = set()
    for i in by_falling_score(detections, range(len(detections))):
        row, label, _, box = detections[i]
        best = -1.0
        for j, (object_row, object_label, _, object_box) in enumerate(objects):
            if (object_row, object_label) != (row, label) or j in taken:
                continue
            overlap = iou(box, object_box)
            if overlap >= threshold(object_box) and overlap > best:
                best, found[i] = overlap, j
        if found[i] is not None:
            taken.add(found[i])
    return found


def average_precision(scored, positives):
    """`scored` holds (score, hit, weight of the false positive)."""
    if not positives:
        return None
    hits = alarms = 0.0
    points = []
    for _, hit, alarm in sorted(scored, key=lambda each: -each[0]):
        hits += hit
        alarms += alarm
        points.append((hits / positives, hits / (hits + alarms) if hits + alarms else 0.0))
    area = last = 0.0
    for i, (recall, _) in enumerate(points):
        area += (recall - last) * max(precision for _, precision in points[i:])
        last = recall
    return area


def official(objects, detections, classes):
    """Return the average precision of each class, None for one without objects."""
    found = match(objects, detections)
    return [
        average_precision(
            [(d[2], f is not None, f is None) for d, f in zip(detections, found, strict=True) if d[1] == label],
            sum(each[1] == label for each in objects),
        )
        for label in range(classes)
    ]


def in_frame(objects, videos, index, step):
    """Return the first object of the same track `step` frames later in the same video."""
    row, _, track, _ = objects[index]
    for other, (other_row, _, other_track, _) in enumerate(objects):
        same_video = 0 <= row + step < len(videos) and videos[row] == videos[row + step]
        if track >= 0 and track == other_track and same_video and other_row == row + step:
            return other
    return None


def motion_iou(objects, videos):
    """`videos` says for each row which video it is in; None where nothing is known."""
    result = []
    for i, each in enumerate(objects):
        others = [in_frame(objects, videos, i, step) for step in range(-10, 11) if step]
        overlaps = [iou(each[3], objects[j][3]) for j in others if j is not None]
        result.append(sum(overlaps) / len(overlaps) if overlaps else None)
    return result


def motion(objects, detections, videos, classes, bounds):
    """Return the average precision of each class over the objects of a motion IoU within bounds (low, high)."""
    low, high = bounds
    speeds = motion_iou(objects, videos)
    known = [speed for speed in speeds if speed is not None]
    # Objects of unknown speed are in no group but that of all.
    everything = bounds == (0.0, 1.0)
    inside = [everything or (speed is not None and low <= speed <= high) for speed in speeds]
    entries = known + [0.0 for row in range(len(videos)) if all(each[0] != row for each in objects)]
    share_inside = sum(low <= entry <= high for entry in entries) / max(len(entries), 1)
    found = match(objects, detections)
    result = []
    for label in range(classes):
        scored = []
        for (row, its_label, score, box), f in zip(detections, found, strict=True):
            if its_label != label:
                continue
            if f is not None:
                scored.append((score, inside[f], 0.0))
                continue
            frame = [j for j, each in enumerate(objects) if each[0] == row]
            a = max([iou(box, objects[j][3]) for j in frame if inside[j]], default=-1.0)
            b = max([iou(box, objects[j][3]) for j in frame if not inside[j]], default=-1.0)
            if not frame:
                weight = share_inside
            elif a == b:
                weight = sum(not inside[j] for j in frame) / len(frame)
            else:
                weight = float(a > b)
            scored.append((score, 0.0, weight))
        positives = sum(each[1] == label and within for each, within in zip(objects, inside, strict=True))
        result.append(average_precision(scored, positives))
    return result


def displacement(objects, videos, longest_side):
    """In cells of the output grid; None for an object that is not in the frame before."""
    result = []
    for i, (_, _, _, box) in enumerate(objects):
        j = in_frame(objects, videos, i, -1)
        if j is None:
            result.append(None)
            continue
        before = objects[j][3]
        dx = (box[0] + box[2]) / 2 - (before[0] + before[2]) / 2
        dy = (box[1] + box[3]) / 2 - (before[1] + before[3]) / 2
        result.append(max(abs(dx), abs(dy)) * 512 / longest_side / 4)
    return result


def class_agnostic(objects, detections, moved, bounds):
    """Return (points of (score, hits, false positives), pairs) of the objects that moved from low to below high.

    `moved` as `displacement` returns it; `bounds` are (low, high) of the group.
    """
    groups = [(0.0, 2.0), (2.0, 4.0), (4.0, math.inf)]

    def within(j, low, high):
        return moved[j] is not None and low <= moved[j] < high

    pairs = [sum(within(j, *group) for j in range(len(objects))) for group in groups]
    found = match(objects, detections)
    points, hits, alarms = [], 0, 0.0
    for i in by_falling_score(detections, range(len(detections))):
        row, _, _, box = detections[i]
        if found[i] is not None:
            hits += within(found[i], *bounds)
        else:
            frame = [j for j, each in enumerate(objects) if each[0] == row]
            top = max([iou(box, objects[j][3]) for j in frame], default=0.0)
            nearest = [j for j in frame if iou(box, objects[j][3]) == top] if top > 0 else []
            shares = []
            for group in groups:
                if nearest:
                    kinds = {next((g for g in groups if within(j, *g)), None) for j in nearest}
                    shares.append((group in kinds) / len(kinds))
                elif frame:
                    shares.append(sum(within(j, *group) for j in frame) / len(frame))
                else:
                    shares.append(pairs[len(shares)] / sum(pairs) if sum(pairs) else 0.0)
            alarms += sum(s for s, (low, high) in zip(shares, groups, strict=True) if bounds[0] <= low < bounds[1])
        points.append((detections[i][2], hits, alarms))
    return points, sum(p for p, (low, _) in zip(pairs, groups, strict=True) if bounds[0] <= low < bounds[1])
