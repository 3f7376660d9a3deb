"""The method, and nothing else: `equations` is the index of the paper.

A frame goes from `evidence`, what a detector says of it, through a rule (`paper` or `adaptive`), which puts that
together with the `tracklets` of the last frame, to detections; `identities` says which object each is, and
`propagator` remembers. `box_evidence` and
`detection_propagator` are for detectors that give only boxes, `pyramid_evidence` for heads of several strides.
"""

from heatprop.heatmaps import Known
from heatprop.propagation.box_evidence import BoxEvidence
from heatprop.propagation.config import (
    AdaptationConfig,
    DecodingConfig,
    IdentityConfig,
    PropagationConfig,
    require_propagation,
)
from heatprop.propagation.decoding import decode
from heatprop.propagation.detection_propagator import DetectionPropagator
from heatprop.propagation.evidence import Evidence, Form, ImageArea, Near
from heatprop.propagation.grid_evidence import GridEvidence
from heatprop.propagation.identities import Identities
from heatprop.propagation.propagator import HeatmapPropagator, Memory
from heatprop.propagation.pyramid_evidence import PyramidEvidence
from heatprop.propagation.rule import Rule, rule_of
from heatprop.propagation.tracklets import Claims, Own, Tracklets

__all__ = [
    "AdaptationConfig",
    "BoxEvidence",
    "Claims",
    "DecodingConfig",
    "DetectionPropagator",
    "Evidence",
    "Form",
    "GridEvidence",
    "HeatmapPropagator",
    "Identities",
    "IdentityConfig",
    "ImageArea",
    "Known",
    "Memory",
    "Near",
    "Own",
    "PropagationConfig",
    "PyramidEvidence",
    "Rule",
    "Tracklets",
    "decode",
    "require_propagation",
    "rule_of",
]
