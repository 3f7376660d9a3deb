"""What a run of `heatprop detect` says of itself in its outputs, and whether another would say the same."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from heatprop.cli.detect_request import Drawing, Request
from heatprop.errors import shortened
from heatprop.io import SourceInfo
from heatprop.io.results import ResultsHeader
from heatprop.io.source_files import files_of
from heatprop.offline.joining import JoiningConfig
from heatprop.offline.seqnms import SeqNmsConfig
from heatprop.runtime.detector import VideoDetector
from heatprop.zoo.model_files import digests_of_model


def make_header(request: Request, info: SourceInfo, detector: VideoDetector) -> ResultsHeader:
    """Return the header of a run's results: everything that shapes them.

    Args:
        request: what the user asked for; of a model file, its hash goes into the header.
        info: of the opened source.
        detector: made from the request.
    """
    settings: dict[str, Any] = {
        "propagation": detector.propagation,
        "seq_nms": SeqNmsConfig() if request.seq_nms else None,
        "score_threshold": request.score_threshold,
        "forget_at_cuts": detector.forget_at_cuts,
        "keyframes": None if detector.keyframes.every_frame else detector.keyframes,
        "backend": detector.backend.description,
    }
    if request.seq_nms and detector.propagation is not None:
        settings["joining"] = JoiningConfig()
    if detector.card.gives_boxes:
        settings["layout"] = detector.card.layout
    if detector.class_agnostic_nms:
        settings["class_agnostic_nms"] = True
    if detector.only is not None:
        settings["only"] = detector.only
    if detector.input_size is not None:
        settings["input_size"] = detector.input_size
    if request.max_frames is not None:
        settings["max_frames"] = request.max_frames
    settings |= request.frames.to_json()
    if os.path.isfile(request.model):
        settings["model_sha256"] = _hash_of(Path(request.model))
    settings |= request.counts.settings
    facts = {**info.to_json(), **_stamp_of(request.source)}
    return ResultsHeader(detector.card.name, detector.card.classes, facts, settings)


def header_of_video(header: ResultsHeader, drawing: Drawing) -> ResultsHeader:
    """Return what the annotated video of a run says of itself: how it is drawn, too."""
    return replace(header, settings={**header.settings, **drawing.settings()})


def first_difference(before: ResultsHeader, now: ResultsHeader) -> str | None:
    """Return in a few words what another run would do otherwise; None where it would do the same.

    Example:
        >>> small, large = (ResultsHeader("tiny", ["cat"], settings={"radius": r}) for r in (2, 3))
        >>> first_difference(small, large)
        'radius 2, now 3'
        >>> first_difference(small, small) is None
        True
    """
    one, other = _compared(before), _compared(now)
    for key in [*one, *(key for key in other if key not in one)]:
        if one.get(key) != other.get(key):
            if key == "classes":
                return "other classes of the model"
            if key in ("source's bytes", "source's modified"):
                return "another source, or one that was changed since"
            then, now_it_is = (shortened(str(each.get(key, "not set"))) for each in (one, other))
            return f"{key} {then}, now {now_it_is}"
    return None


def fingerprint_of(header: ResultsHeader) -> str:
    """Return what two headers have in common exactly where `first_difference` finds none.

    Example:
        >>> len(fingerprint_of(ResultsHeader("tiny", ["cat"], settings={"radius": 2})))
        32
    """
    text = json.dumps(_compared(header), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _compared(header: ResultsHeader) -> dict[str, Any]:
    """Return what decides whether another run would do the same, by names for people."""
    value = json.loads(json.dumps(header.to_json()))
    source = _flat(value["source"])
    if "bytes" in source:  # the same file may be called by another name
        source.pop("name", None)
    compared = {
        "model": value["model"],
        "classes": value["classes"],
        **_flat(value["settings"]),
        **{f"source's {key}": each for key, each in source.items()},
    }
    return {key: each for key, each in compared.items() if each is not None}


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
    try:
        stats = [file.stat() for file in files_of(source) if file.is_file()]
    except OSError:
        return {}
    if not stats:
        return {}
    return {
        "bytes": sum(each.st_size for each in stats),
        "modified": round(max(each.st_mtime for each in stats), 3),
    }


def _hash_of(model: Path) -> str:
    digest = hashlib.sha256()
    for each in digests_of_model(model):
        digest.update(each)
    return digest.hexdigest()
