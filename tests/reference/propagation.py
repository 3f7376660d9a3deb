"""Heatmap propagation, dense and in float64, following section 3.2 of the paper line by line.

Balanced scores are rounded to float32 once, before peaks are looked for, since that is what both versions
compare and carry.
"""

import math

import numpy as np

from reference.boxes import nms
from reference.peaks import peaks


class DensePropagator:
    def __init__(self, config):
        self.config = config
        self.detections = []  # of the last frame: dicts with cell, score, size, length

    def update(self, heatmap, size, offset=None):
        """Return the detections of the next frame as a list of dicts with box and label besides."""
        config = self.config
        network = heatmap.astype(np.float32).astype(np.float64)
        size = size.astype(np.float32).astype(np.float64)
        h, length, carried_size, distance = self.propagation_heatmap(network.shape, len(size))

        # Equation 5, with beta -> infinity as its limit: h where something is carried, else the network's.
        if math.isinf(config.beta):
            long_term = np.where(length > 0, h, network)
        else:
            long_term = (network + config.beta * h * length) / (1 + config.beta * length)
        balanced = (1 - config.alpha) * network + config.alpha * long_term  # equation 6
        balanced = balanced.astype(np.float32)

        # Equation 7: the network's size is the same in every class.
        mixed = np.broadcast_to(size, (network.shape[0], *size.shape)).copy()
        for cell in np.ndindex(network.shape):
            label, y, x = cell
            if h[cell] > 0:
                numerator = network[cell] * size[:, y, x] + h[cell] * carried_size[label, :, y, x]
                mixed[label, :, y, x] = numerator / (network[cell] + h[cell])

        window = 2 * config.radius + 1 if config.radius > 0 else 3
        cells = peaks(balanced, window, config.score_threshold, lambda cell: (-network[cell], distance[cell]))
        cells.sort(key=lambda cell: -balanced[cell])  # stable: equal scores stay in index order
        cells = cells[: config.max_detections]

        boxes = np.array([self.box(cell, mixed, offset) for cell in cells], np.float32).reshape(-1, 4)
        kept = nms(boxes, [cell[0] for cell in cells], config.nms_iou)
        self.detections = [
            {
                "cell": cells[i],
                "score": float(balanced[cells[i]]),
                "size": mixed[cells[i][0], :, cells[i][1], cells[i][2]],
                "network": (network[cells[i]], size[:, cells[i][1], cells[i][2]]),
                "length": int(length[cells[i]]) + 1,
                "label": cells[i][0],
                "box": boxes[i],
            }
            for i in kept
        ]
        self.balanced = balanced
        return self.detections

    def propagation_heatmap(self, shape, components):
        """Equations 2, 3 and 4: the overlay of the extended heatmaps with lengths and sizes."""
        radius = self.config.radius
        h, length, distance = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        size = np.zeros((shape[0], components, *shape[1:]))
        for detection in self.detections:
            label, cy, cx = detection["cell"]
            for y in range(shape[1]):
                for x in range(shape[2]):
                    score, its_size = detection["score"], detection["size"]
                    if self.config.carries == "network":
                        score, its_size = detection["network"]
                    extended = score if max(abs(x - cx), abs(y - cy)) <= radius else 0.0
                    if extended > h[label, y, x]:  # strictly: of equal scores the first detection wins
                        h[label, y, x] = extended
                        length[label, y, x] = detection["length"]
                        size[label, :, y, x] = its_size
                        distance[label, y, x] = (y - cy) ** 2 + (x - cx) ** 2
        return h, length, size, distance

    @staticmethod
    def box(cell, mixed, offset):
        """Equation 1, in float32 as the package places boxes."""
        label, y, x = cell
        size = mixed[label, :, y, x].astype(np.float32)
        center = np.array([x, y], np.float32)
        if offset is not None:
            center = center + offset[:, y, x].astype(np.float32)
        low, high = (size / np.float32(2), size / np.float32(2)) if len(size) == 2 else (size[:2], size[2:])
        return np.concatenate([center - low, center + high])


class DenseInterpolator:
    """Equation 11 in every cell, with the network's own output of both frames."""

    def __init__(self, config):
        self.config = config
        self.last = None

    def update(self, heatmap, size, offset=None):
        """Return the detections of the next frame as (cell, score, box), best first."""
        network = heatmap.astype(np.float32).astype(np.float64)
        size = size.astype(np.float32).astype(np.float64)
        last, last_size = (network, size) if self.last is None else self.last
        averaged = (0.5 * (network + last)).astype(np.float32)  # equation 11
        mixed = np.broadcast_to(size, (network.shape[0], *size.shape)).copy()
        for label, y, x in np.ndindex(network.shape):
            now, then = network[label, y, x], last[label, y, x]
            if self.last is not None and now + then > 0:
                mixed[label, :, y, x] = (now * size[:, y, x] + then * last_size[:, y, x]) / (now + then)
        cells = peaks(averaged, 3, self.config.score_threshold)
        cells.sort(key=lambda cell: -averaged[cell])
        cells = cells[: self.config.max_detections]
        boxes = np.array([DensePropagator.box(cell, mixed, offset) for cell in cells], np.float32).reshape(-1, 4)
        kept = nms(boxes, [cell[0] for cell in cells], self.config.nms_iou)
        self.last, self.averaged = (network, size), averaged
        return [(cells[i], float(averaged[cells[i]]), boxes[i]) for i in kept]
