"""Another rule and another kind of evidence need no other file: the propagator knows neither form nor network."""

# ruff: noqa: ARG002 - they are given what all rules and all evidence are

from dataclasses import dataclass, replace

import numpy as np

from heatprop.boxes import boxes_around, iou
from heatprop.propagation import Claims, HeatmapPropagator, PropagationConfig, Tracklets
from heatprop.propagation.evidence import Form, Near
from heatprop.types import HeadOutput


@dataclass(frozen=True)
class Momentum:
    """A third rule: the score of the same cell goes on as an exponential mean."""

    share: float
    tracklets: type[Tracklets] = Tracklets
    window: int = 3

    def claim(self, tracklets, seen):
        near = seen.near(tracklets.labels, tracklets.centres, 0)
        order = np.argsort(near.sites[:, 0])
        return Claims(near.sites[order, 0], order, np.zeros(len(order), np.int64))

    def balance(self, network, claims, tracklets, area, /):
        mean = (1 - self.share) * network + self.share * tracklets.scores[claims.sources]
        return mean.astype(np.float32)

    def settle(self, seen, network, claims):
        pass

    def mix(self, network, sizes, sources, tracklets):
        return sizes

    def renew(self, found, network, sources, tracklets, /):
        return found

    def displace(self, tracklets):
        return tracklets


class Boxes:
    """A third kind of evidence: the boxes of any detector, each a site; one class, near where boxes overlap."""

    def __init__(self, boxes, scores):
        self.scores, self._boxes = np.array(scores, np.float32), np.array(boxes, np.float32)
        self.form = Form(1, 100, 100, 2)

    def read(self, sites):
        return self.scores[sites]

    def places(self, sites):
        corners = self._boxes[sites]
        return np.zeros(len(sites), np.int64), np.rint((corners[:, :2] + corners[:, 2:]) / 2).astype(np.int64)

    def near(self, labels, centres, radii, sizes, /):
        sites = np.arange(len(self.scores))
        steps = centres[:, None] - self.places(sites)[1]
        within = np.abs(steps).max(axis=2, initial=0) <= np.reshape(radii, (-1, 1))
        return Near(np.broadcast_to(sites, within.shape), within, (steps**2).sum(axis=2))

    def beside(self, sites):
        return self.near(*self.places(sites), 1, self.sizes(sites))

    def add_unseen(self, labels, centres, sizes):
        return np.full(len(labels), -1)

    def sizes(self, sites):
        return self._boxes[sites, 2:] - self._boxes[sites, :2]

    def boxes(self, sites, centres, sizes):
        return boxes_around(centres.astype(np.float32), sizes)

    def peaks(self, threshold, window, known):
        return np.flatnonzero(self.scores >= threshold)


def test_a_third_rule():
    propagator = HeatmapPropagator(rule=Momentum(0.5))
    for score in (0.8, 0.4, 0.0):
        heatmap = np.zeros((1, 9, 9), np.float32)
        heatmap[0, 4, 4] = score
        found = propagator.update(HeadOutput(heatmap, np.full((2, 9, 9), 3.0)))
    np.testing.assert_allclose(found.scores, [0.3])
    assert (found.lengths.tolist(), found.track_ids.tolist()) == ([3], [0])


def test_a_third_kind_of_evidence_with_either_rule():
    for config in (PropagationConfig(radius=8), replace(PropagationConfig.adaptive(), radius=8)):
        propagator = HeatmapPropagator(config)
        for step, score in enumerate((0.9, 0.9, 0.9, 0.2)):
            left = 40.0 + 2 * step
            found = propagator.update(Boxes([[left, 40, left + 20, 60], [2, 2, 6, 8]], [score, 0.5]))
        assert found.labels.tolist() == [0, 0]
        best = int(np.argmax(iou(found.boxes, np.float32([46, 40, 66, 60]))))
        assert found.scores[best] > 0.7
        assert found.lengths.tolist() == [4, 4]
        assert sorted(found.track_ids.tolist()) == [0, 1]
        assert propagator.update(Boxes(np.empty((0, 4)), [])).scores.tolist() == []
