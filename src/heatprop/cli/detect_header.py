"""What a run of `heatprop detect` says of itself in its outputs, and whether another would say the same."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from heatprop.detector import VideoDetector
from heatprop.errors import SourceError, shortened
from heatprop.io import SourceInfo
from heatprop.io.addresses import is_address
from heatprop.io.images import find_images
from heatprop.io.results import ResultsHeader
from heatprop.seqnms import SeqNmsConfig


def make_header(
    source: str,
    info: SourceInfo,
    model: str,
    detector: VideoDetector,
    *,
    score_threshold: float,
    seq_nms: bool,
    max_frames: int | None,
) -> ResultsHeader:
    """Return the header of a run's results: everything that shapes them.

    Args:
        source: what the user gave.
        info: of the opened source.
        model: what the user gave; of a file, its hash goes into the header.
        detector: made from it.
        score_threshold: what is shown.
        seq_nms: whether the detections are rescored.
        max_frames: at most so many frames; None for all.
    """
    settings: dict[str, Any] = {
        "propagation": detector.propagation,
        "seq_nms": SeqNmsConfig() if seq_nms else None,
        "score_threshold": score_threshold,
        "forget_at_cuts": detector.forget_at_cuts,
        "keyframes": None if detector.keyframes.looks_everywhere else detector.keyframes,
        "backend": detector.backend.description,
    }
    if detector.input_size is not None:
        settings["input_size"] = detector.input_size
    if max_frames is not None:
        settings["max_frames"] = max_frames
    if os.path.isfile(model):
        settings["model_sha256"] = _hash_of(Path(model))
    facts = {**info.to_json(), **_stamp_of(source)}
    return ResultsHeader(detector.card.name, detector.card.classes, facts, settings)


def header_of_video(header: ResultsHeader, *, compare: bool) -> ResultsHeader:
    """Return what the annotated video of a run says of itself: it can be two pictures side by side, too."""
    return replace(header, settings={**header.settings, "compare": compare})


def first_difference(before: ResultsHeader, now: ResultsHeader) -> str | None:
    """Return in a few words what another run would do otherwise; None where it would do the same.

    Example:
        >>> small, large = (ResultsHeader("tiny", ["cat"], settings={"radius": r}) for r in (2, 3))
        >>> first_difference(small, large)
        'radius 2, now 3'
        >>> first_difference(small, small) is None
        True
    """
    first, second = (json.loads(json.dumps(header.to_json())) for header in (before, now))
    if first["model"] != second["model"]:
        return f"model {first['model']}, now {second['model']}"
    if first["classes"] != second["classes"]:
        return "other classes of the model"
    for name in ("settings", "source"):
        one, other = _flat(first[name]), _flat(second[name])
        # The same file may be called by another name.
        passed = {"name"} if name == "source" and "bytes" in one and "bytes" in other else set()
        for key in [*one, *(key for key in other if key not in one)]:
            if key not in passed and one.get(key) != other.get(key):
                what = f"source's {key}" if name == "source" else key
                return f"{what} {shortened(str(one.get(key)))}, now {shortened(str(other.get(key)))}"
    return None


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= {key: "on"} | {f"{key}.{each}": deeper for each, deeper in _flat(value).items()}
        else:
            flat[key] = value
    # What only one of them has is named by its own name where that is clear.
    return {key.removeprefix("propagation."): value for key, value in flat.items()}


def _stamp_of(source: str) -> dict[str, Any]:
    """Return the size in bytes and the time of the last change of the files of a source; nothing for others."""
    if is_address(source) or source.startswith(("camera:", "/dev/")):
        return {}
    path = Path(source)
    try:
        files = [path] if path.is_file() else find_images(path)[0]
        stats = [file.stat() for file in files]
    except (OSError, SourceError, ValueError):
        return {}
    return {
        "bytes": sum(each.st_size for each in stats),
        "modified": round(max(each.st_mtime for each in stats), 3),
    }


def _hash_of(model: Path) -> str:
    weights = [model.with_suffix(".bin")] if model.suffix == ".xml" else []
    digest = hashlib.sha256()
    for path in (model, *weights):
        if path.is_file():
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
