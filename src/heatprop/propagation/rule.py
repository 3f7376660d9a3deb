"""What a rule of propagation decides, and which one settings ask for."""

from __future__ import annotations

from typing import Any, Protocol

from heatprop.propagation.adaptive import AdaptiveRule
from heatprop.propagation.config import PropagationConfig
from heatprop.propagation.evidence import Evidence, ImageArea
from heatprop.propagation.paper import PaperRule
from heatprop.propagation.tracklets import Claims, Own, Tracklets
from heatprop.types import FloatArray, IntArray


class Rule(Protocol):
    """How tracklets and what is seen are put together; its steps, in the order in which they are asked for.

    The tracklets are of the kind that the rule itself hands on (`tracklets`).
    """

    @property
    def tracklets(self) -> type[Tracklets]:
        """What it hands from frame to frame."""

    @property
    def window(self) -> int:
        """Side of the square in which a peak is the largest; see `Evidence.peaks`."""

    def claim(self, tracklets: Any, seen: Evidence) -> Claims:
        """Say which sites each tracklet claims; a site has at most one."""

    def balance(self, network: FloatArray, claims: Claims, tracklets: Any, area: ImageArea, /) -> FloatArray:
        """Return the balanced scores at the claimed sites, from the network's there; float32 ``(M,)``."""

    def settle(self, seen: Evidence, network: FloatArray, claims: Claims) -> None:
        """Change, in place, what must be changed around claimed sites when they are balanced."""

    def mix(self, network: FloatArray, sizes: FloatArray, sources: IntArray, tracklets: Any) -> FloatArray:
        """Return the sizes of detections at claimed sites, from the network's scores and sizes there."""

    def renew(self, found: Tracklets, network: Own, sources: IntArray, tracklets: Any, /) -> Tracklets:
        """Return what the next frame is handed.

        Args:
            found: the detections, with balanced scores and mixed sizes.
            network: the network's own scores and sizes there.
            sources: the tracklet that each came from, -1 for none; int64 ``(N,)``.
            tracklets: the tracklets that this frame was handed.
        """

    def displace(self, tracklets: Any) -> Tracklets:
        """Return tracklets that something other than the network has moved."""


def rule_of(config: PropagationConfig) -> Rule:
    """Return the rule that settings ask for."""
    if config.adaptation is None:
        return PaperRule(config.radius, config.alpha, config.beta, config.carries, config.peak_window)
    return AdaptiveRule(
        config.adaptation,
        config.radius,
        config.alpha,
        config.beta,
        config.score_threshold,
        config.peak_window,
    )
