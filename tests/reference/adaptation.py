"""Propagation that adapts to each object, dense and in float64: loops over objects and over cells.

What one frame hands to the next is rounded to float32 once, before it is compared, since both versions carry that;
boxes are in float32, as the package places them.
"""

import math

import numpy as np

from reference.boxes import iou, nms
from reference.peaks import peaks


class LoopingFollower:
    def __init__(self, config):
        self.config = config
        self.objects = []  # of the last frame, by falling score: dicts, see `update`

    def update(self, heatmap, size, offset=None, area=None):
        """Return the detections of the next frame as a list of dicts with box and label besides."""
        config, settings = self.config, self.config.adaptation
        network = heatmap.astype(np.float32).astype(np.float64)
        size = size.astype(np.float32).astype(np.float64)

        if area is None:
            area = (0, 0, network.shape[2], network.shape[1])
        followed_to = self.places(network, size)
        balanced = network.copy()
        for cell, carried in followed_to.items():
            balanced[cell] = self.balance(network[cell], carried, area)
        balanced = balanced.astype(np.float32)
        if settings.holds_peaks:
            self.hold(balanced, network, followed_to)

        def preference(cell):
            if cell in followed_to:
                return -network[cell], squared(cell, expected(followed_to[cell]))
            return -float(balanced[cell]), 0

        cells = peaks(balanced, 3, config.score_threshold, preference)
        cells.sort(key=lambda cell: -balanced[cell])  # stable: equal scores stay in index order
        cells = cells[: config.max_detections]

        found = []
        for cell in cells:
            seen = network[cell] if cell in followed_to else float(balanced[cell])
            new = {
                "cell": cell,
                "label": cell[0],
                "score": float(balanced[cell]),
                "size": size[:, cell[1], cell[2]],
                "length": 1,
                "velocity": (0.0, 0.0),  # rows and columns a frame
                "error": float(max(config.radius - settings.least_radius, 0)),
                "best": seen,
            }
            if cell in followed_to:
                old = followed_to[cell]
                new["size"] = mixed(seen, new["size"], old["score"], old["size"], settings.trust)
                new["length"] = old["length"] + 1
                lately = old["best"] + settings.best_decay * (new["score"] - old["best"])
                new["best"] = max(rounded(lately), seen)
                new["velocity"], new["error"] = old["velocity"], old["error"]
                if seen >= np.float32(config.score_threshold):
                    steps = (cell[1] - old["cell"][1], cell[2] - old["cell"][2])
                    new["velocity"] = tuple(
                        rounded(v + settings.velocity * (step - v))
                        for v, step in zip(old["velocity"], steps, strict=True)
                    )
                    off = reach(cell, expected(old))
                    new["error"] = rounded(old["error"] + 0.5 * (off - old["error"]))
            new["box"] = box(cell, new["size"], None if offset is None else offset[:, cell[1], cell[2]])
            found.append(new)

        boxes = np.array([new["box"] for new in found], np.float32).reshape(-1, 4)
        self.objects = [found[i] for i in nms(boxes, [new["label"] for new in found], config.nms_iou)]
        self.balanced = balanced
        return self.objects

    def places(self, network, size):
        """Return which object boosts which cell, as a dict from cells to objects."""
        config, settings = self.config, self.config.adaptation
        if settings.max_length == 0:
            return {}
        chosen = {}
        for carried in self.objects:
            if carried["score"] == 0:  # carries nothing
                continue
            place = expected(carried)
            radius = min(config.radius, math.floor(settings.least_radius + carried["error"] + 0.5))
            candidates = [
                cell
                for cell in np.ndindex(network.shape)
                if cell[0] == carried["label"]
                and reach(cell, place) <= radius
                and cell not in chosen  # they come by falling score
                and self.is_same(cell, carried, network, size)
            ]
            if not candidates:
                continue
            cell = min(candidates, key=self.worth(carried, place, network))
            chosen[cell] = carried
        if settings.second_chance > 0:
            for cell, carried in self.second_chances(network, size, chosen).items():
                chosen = {other: one for other, one in chosen.items() if one is not carried and other != cell}
                chosen[cell] = carried
        return chosen

    def second_chances(self, network, size, chosen):
        """Return which lost objects take which peaks farther away."""
        config, settings, again = self.config, self.config.adaptation, {}
        threshold = np.float32(config.score_threshold)
        seen = {cell for cell in chosen if network[cell] >= threshold}
        for carried in self.objects:
            where = [cell for cell, one in chosen.items() if one is carried]
            place = expected(carried)
            radius = min(config.radius, math.floor(settings.least_radius + carried["error"] + 0.5))
            if carried["score"] == 0 or radius >= config.radius or any(network[c] >= threshold for c in where):
                continue
            needed = max(np.float32(settings.second_chance) * np.float32(carried["score"]), threshold)
            candidates = [
                cell
                for cell in np.ndindex(network.shape)
                if cell[0] == carried["label"]
                and radius < reach(cell, place) <= config.radius
                and cell not in again
                and network[cell] >= needed
                and self.overlap(cell, carried, size) >= settings.min_iou / 2
                and all(
                    network[other] <= network[cell] and other not in seen
                    for other in np.ndindex(network.shape)
                    if other[0] == cell[0] and reach(other, cell) <= 1
                )
            ]
            if candidates:
                again[min(candidates, key=self.worth(carried, place, network))] = carried
        return again

    def worth(self, carried, place, network):
        """Return a key that is smallest for the best of cells, of equal ones for the nearest, then the first."""
        nearness, score = self.config.adaptation.nearness, carried["score"]
        return lambda cell: (
            -(network[cell] - nearness * score * squared(cell, place)),
            squared(cell, place),
            cell,
        )

    def is_same(self, cell, carried, network, size):
        """Whether what the network sees in a cell may be the object; what it hardly sees may be anything."""
        if network[cell] < np.float32(self.config.score_threshold):
            return True
        return self.overlap(cell, carried, size) >= self.config.adaptation.min_iou

    def overlap(self, cell, carried, size):
        """By how much the box seen in a cell overlaps the expected one."""
        own = box(cell, size[:, cell[1], cell[2]], None)
        awaited = box(expected(carried), carried["size"], None)
        return iou(own.tolist(), awaited.tolist())

    def balance(self, seen, carried, area):
        """Equations 5 and 6 at one cell, adapted."""
        config, settings, score = self.config, self.config.adaptation, carried["score"]
        b = config.beta * min(carried["length"], settings.max_length)
        gain = config.alpha * (1.0 if math.isinf(b) else b / (1.0 + b))
        needed = settings.support * score
        gain *= min(max(seen / needed, settings.decay), 1.0) if needed > 0 else 1.0
        if seen < score and self.leaves(carried, area):
            gain *= settings.leaving
        target = score
        if seen >= np.float32(config.score_threshold):
            target += settings.boost * (carried["best"] - score)
        if seen > target:
            gain *= settings.rising_weight
        return seen + gain * (target - seen)

    def hold(self, balanced, network, placed):
        """Lower what the network sees around a lowered cell, no stronger than there, to that cell's height."""
        for cell in placed:
            if balanced[cell] >= np.float32(network[cell]):
                continue
            for other in np.ndindex(network.shape):
                is_around = other[0] == cell[0] and reach(other, cell) == 1
                if is_around and other not in placed and network[other] <= network[cell]:
                    balanced[other] = min(balanced[other], balanced[cell])

    def leaves(self, carried, area):
        left, top, right, bottom = area
        x1, y1, x2, y2 = box(expected(carried), carried["size"], None)
        vy, vx = carried["velocity"]
        speed = self.config.adaptation.leaving_speed
        return (
            (x1 < left and vx < -speed)
            or (x2 > right - 1 and vx > speed)
            or (y1 < top and vy < -speed)
            or (y2 > bottom - 1 and vy > speed)
        )


def expected(carried):
    """Where an object is looked for: one step on from its cell, maybe outside of the map."""
    label, row, column = carried["cell"]
    vy, vx = carried["velocity"]
    return label, row + round(vy), column + round(vx)  # halves to even, as in numpy


def reach(cell, other):
    return max(abs(cell[1] - other[1]), abs(cell[2] - other[2]))


def squared(cell, other):
    return (cell[1] - other[1]) ** 2 + (cell[2] - other[2]) ** 2


def rounded(value):
    return float(np.float32(value))


def mixed(seen, size, score, carried_size, trust):
    """Equation 7 for a trust of 0, else with squared scores."""
    own, past = (seen, score) if trust == 0 else (trust * seen**2, score**2)
    return ((own * size + past * carried_size) / (own + past)).astype(np.float32).astype(np.float64)


def box(cell, size, offset):
    """Equation 1 in float32."""
    size = size.astype(np.float32)
    center = np.array([cell[2], cell[1]], np.float32)
    if offset is not None:
        center = center + offset.astype(np.float32)
    low, high = (size / np.float32(2), size / np.float32(2)) if len(size) == 2 else (size[:2], size[2:])
    return np.concatenate([center - low, center + high])
