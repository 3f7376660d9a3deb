"""The method, and nothing else: `equations` is the index of the paper.

A frame goes from `evidence`, what a detector says of it, through a rule (`paper` or `adaptive`), which puts that
together with the `tracklets` of the last frame, to detections; `propagator` remembers.
"""

from heatprop.propagation.config import (
    AdaptationConfig,
    DecodingConfig,
    PropagationConfig,
    require_propagation,
)
from heatprop.propagation.evidence import Evidence, GridEvidence, decode
from heatprop.propagation.propagator import HeatmapPropagator, Memory
from heatprop.propagation.rule import Rule, rule_of
from heatprop.propagation.tracklets import Claims, Tracklets

__all__ = [
    "AdaptationConfig",
    "Claims",
    "DecodingConfig",
    "Evidence",
    "GridEvidence",
    "HeatmapPropagator",
    "Memory",
    "PropagationConfig",
    "Rule",
    "Tracklets",
    "decode",
    "require_propagation",
    "rule_of",
]
