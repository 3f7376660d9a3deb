"""Detections held against detections."""

from __future__ import annotations

import numpy as np

from heatprop.types import Detections


def assert_same_detections(found: Detections, wanted: Detections) -> None:
    """Every box, score, label and length is equal, to the last bit."""
    for name in ("boxes", "scores", "labels", "lengths"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)
