"""Detections of Roboflow's `supervision`, which its annotators, trackers and metrics take."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from heatprop.errors import InvalidArrayError, MissingPackageError
from heatprop.types import Detections


def is_supervision(value: object) -> bool:
    """Say whether something is a `supervision.Detections`, without loading that package."""
    loaded = sys.modules.get("supervision")
    return loaded is not None and isinstance(value, loaded.Detections)


def to_supervision(detections: Detections, class_names: Mapping[int, str] | None = None) -> Any:
    """Return a `supervision.Detections` with copies of the arrays.

    Args:
        detections: their track ids become `tracker_id`, which is None where nothing is propagated.
        class_names: by class number; they become ``data["class_name"]``, which its annotators show.

    Raises:
        MissingPackageError: `supervision` is not installed.
    """
    try:
        supervision = import_module("supervision")
    except ImportError:
        raise MissingPackageError(
            "supervision.Detections need supervision, which is not installed; pip install 'heatprop[supervision]'"
        ) from None
    data: dict[str, Any] = {"length": detections.lengths.copy()}
    if class_names:
        names = [class_names.get(label, str(label)) for label in detections.labels.tolist()]
        data["class_name"] = np.array(names, np.str_)
    is_tracked = bool((detections.track_ids >= 0).any())
    return supervision.Detections(
        xyxy=detections.boxes.copy(),
        confidence=detections.scores.copy(),
        class_id=detections.labels.copy(),
        tracker_id=detections.track_ids.copy() if is_tracked else None,
        data=data,
    )


def from_supervision(detections: Any) -> Detections:
    """Return the `Detections` that a `supervision.Detections` holds.

    Args:
        detections: where they have no class, it is 0; where they have no ids, those are -1. Masks are left aside.

    Raises:
        InvalidArrayError: it is something else, has no scores, or an array in it is broken; see `Detections`.
    """
    if not is_supervision(detections):
        raise InvalidArrayError(f"detections are {type(detections).__name__}; give a supervision.Detections")
    if detections.confidence is None and len(detections):
        raise InvalidArrayError("confidence is None; give detections with scores")
    columns: dict[str, Any] = {
        "boxes": detections.xyxy,
        "scores": np.empty(0) if detections.confidence is None else detections.confidence,
        "labels": np.zeros(len(detections), np.int64) if detections.class_id is None else detections.class_id,
        "lengths": detections.data.get("length"),
        "track_ids": detections.tracker_id,
    }
    columns = {name: None if column is None else np.array(column) for name, column in columns.items()}
    return Detections(**columns)


def class_names(detections: Any) -> dict[int, str]:
    """Return the names of the classes in a `supervision.Detections`, by number; none where it says none."""
    names = detections.data.get("class_name")
    if names is None or detections.class_id is None:
        return {}
    return {int(label): str(name) for label, name in zip(detections.class_id, names, strict=True)}
