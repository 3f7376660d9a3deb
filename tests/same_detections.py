"""Detections held against detections."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from heatprop.types import Detections


def assert_same_detections(found: Detections, wanted: Detections) -> None:
    """Every box, score, label, length and id is equal, to the last bit."""
    for name in ("boxes", "scores", "labels", "lengths", "track_ids"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)


def without_ids(found: Detections) -> Detections:
    """Return detections as they are where nothing is propagated."""
    return replace(found, track_ids=np.full(len(found), -1))
