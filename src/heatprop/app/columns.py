"""Detections as the page takes them: an object a frame, with short numbers in columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from heatprop.types import Detections

MOST_FRAMES = 512
"""Frames whose detections are in one answer."""


def columns(detections: Detections) -> dict[str, Any]:
    """Return the detections of a frame: boxes in its pixels with one decimal, scores with three."""
    return {
        "boxes": detections.boxes.astype(np.float64).round(1).tolist(),
        "scores": detections.scores.astype(np.float64).round(3).tolist(),
        "labels": detections.labels.tolist(),
        "ids": detections.track_ids.tolist(),
        "lengths": detections.lengths.tolist(),
    }


def range_of_columns(start: int, frames: Sequence[Detections | None]) -> dict[str, Any]:
    """Return the detections of some consecutive frames; null for one that is not ready."""
    return {
        "from": start,
        "to": start + len(frames),
        "frames": [None if each is None else columns(each) for each in frames],
    }
