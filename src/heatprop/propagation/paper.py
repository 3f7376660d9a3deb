"""The paper's rule: each tracklet claims all sites in a square around it, and its score is averaged in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from heatprop.propagation.config import Carries
from heatprop.propagation.equations import (
    balance_at_once,
    extend,
    inherit_sizes,
    mix_sizes,
    overlay,
    past_weights,
)
from heatprop.propagation.evidence import SITES_AT_ONCE, Evidence, ImageArea
from heatprop.propagation.tracklets import Claims, Own, Tracklets
from heatprop.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class PaperRule:
    """Equations 2 to 7 as the paper has them; see `heatprop.PropagationConfig` for the numbers.

    Attributes:
        radius: P.
        alpha: share of the past.
        beta: how strongly the tracklet length counts.
        carries: what the next frame is handed.
        window: side of the window of a peak.
    """

    radius: int
    alpha: float
    beta: float
    carries: Carries
    window: int
    tracklets: ClassVar[type[Tracklets]] = Tracklets

    def claim(self, tracklets: Tracklets, seen: Evidence) -> Claims:
        """Give each site to the tracklet of the highest score in whose square it lies.

        That is equation 2, and the maximum of equations 3 and 4. What is inherited comes later: lengths with the
        weights of `balance`, sizes in `mix`.
        """
        order = np.argsort(-tracklets.scores, kind="stable")
        if len(order) * min((2 * self.radius + 1) ** 2, len(seen.scores)) > SITES_AT_ONCE:
            claims = self._claim_large(tracklets, seen, order)
            return claims.with_unseen(tracklets, tracklets.centres, seen)
        near = seen.near(tracklets.labels[order], tracklets.centres[order], self.radius, tracklets.sizes[order])
        sites, rows, columns = overlay(extend(tracklets.scores[order], near.within), near.sites)
        claims = Claims(sites, order[rows], near.distances[rows, columns])
        return claims.with_unseen(tracklets, tracklets.centres, seen)

    def _claim_large(self, tracklets: Tracklets, seen: Evidence, order: IntArray) -> Claims:
        """Do what `claim` does a few squares at a time: the best are laid over the others last."""
        sources, distances = np.full(len(seen.scores), -1), np.zeros(len(seen.scores))
        step = max(SITES_AT_ONCE // (2 * self.radius + 1) ** 2, 1)
        for start in range(len(order) // step * step, -1, -step):
            some = order[start : start + step]
            near = seen.near(tracklets.labels[some], tracklets.centres[some], self.radius, tracklets.sizes[some])
            sites, rows, columns = overlay(extend(tracklets.scores[some], near.within), near.sites)
            sources[sites], distances[sites] = some[rows], near.distances[rows, columns]
        sites = np.flatnonzero(sources >= 0)
        return Claims(sites, sources[sites], distances[sites])

    def balance(self, network: FloatArray, claims: Claims, tracklets: Tracklets, _: ImageArea, /) -> FloatArray:
        """Average the network's scores with the carried ones, by inherited length (equations 3, 5 and 6)."""
        weights = past_weights(tracklets.lengths, self.alpha, self.beta)
        return balance_at_once(network, tracklets.scores[claims.sources], weights[claims.sources])

    def settle(self, seen: Evidence, network: FloatArray, claims: Claims) -> None:
        """Leave all other sites as they are."""

    def mix(self, network: FloatArray, sizes: FloatArray, sources: IntArray, tracklets: Tracklets) -> FloatArray:
        """Average the network's sizes with the inherited ones (equations 4 and 7)."""
        return mix_sizes(network, sizes, tracklets.scores[sources], inherit_sizes(tracklets.sizes, sources))

    def renew(self, found: Tracklets, network: Own, _: IntArray, __: Tracklets, /) -> Tracklets:
        """Hand on the detections as they are, or with the network's own scores and sizes."""
        return found if self.carries == "balanced" else replace(found, **network._asdict())

    def displace(self, tracklets: Tracklets) -> Tracklets:
        """Return them as they are."""
        return tracklets
