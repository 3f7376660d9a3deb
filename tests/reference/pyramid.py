"""Which cells of a pyramid see the same object, and which are peaks: by loops over all pairs of cells."""

import numpy as np

from reference.boxes import iou

SAME = 0.6


def sites(output, floor):
    """Return the cells of at least `floor` that have an area, best first; equal ones by level and cell."""
    found = []
    for level, (head, stride) in enumerate(zip(output.levels, output.strides, strict=True)):
        scores = head.heatmap
        for label, row, column in np.ndindex(scores.shape):
            dx, dy = head.offset[:, row, column]
            left, top, right, bottom = head.size[:, row, column]
            sides = column + dx - left, row + dy - top, column + dx + right, row + dy + bottom
            box = np.array([stride * side for side in sides], np.float32)
            if scores[label, row, column] >= np.float32(floor) and box[0] < box[2] and box[1] < box[3]:
                place = {"level": level, "label": label, "row": row, "column": column}
                found.append({**place, "box": box, "score": scores[label, row, column]})
    return sorted(found, key=lambda site: -site["score"])  # stable


def see_the_same(one, other, strides):
    """Say whether two cells see the same object."""
    if one["label"] != other["label"] or iou(one["box"], other["box"]) < SAME:
        return False
    fine, coarse = sorted((one, other), key=lambda site: site["level"])
    if coarse["level"] == fine["level"]:
        return max(abs(one["row"] - other["row"]), abs(one["column"] - other["column"])) == 1
    if coarse["level"] - fine["level"] > 1:
        return False
    stride, larger = strides[fine["level"]], strides[coarse["level"]]
    return all((fine[axis] + 0.5) * stride // larger == coarse[axis] for axis in ("row", "column"))


def beside(found, strides):
    """Return for each site the set of the others that see the same."""
    numbers = range(len(found))
    return [{j for j in numbers if j != i and see_the_same(found[i], found[j], strides)} for i in numbers]


def peaks(found, strides):
    """Return, as numbers, the sites that none which sees the same is above; of equal ones the first."""
    around = beside(found, strides)
    return [
        i
        for i, others in enumerate(around)
        if all((found[j]["score"], -j) < (found[i]["score"], -i) for j in others)
    ]
