"""What one method scores on a dataset: all figures that the tables and curves are made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop.io.whole_files import read_json, write_json
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.average_precision import PrecisionRecall
from heatprop.lab.evaluation.metrics.class_agnostic import RECALLS, ClassAgnosticResult, class_agnostic_result
from heatprop.lab.evaluation.metrics.matching import match
from heatprop.lab.evaluation.metrics.official import official_result
from heatprop.lab.evaluation.runs.cache import OutputCache
from heatprop.lab.evaluation.runs.cached_methods import run_cached
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.lab.evaluation.tables import json_number
from heatprop.lab.synthesis.causes import CAUSES_FILE, read_causes

Scores: TypeAlias = Mapping[Method, Mapping[str, Any]]
"""What each method scores; see `measure`."""

_CURVE_POINTS = 200
_WORK_VERSION = 1


def measure(dataset: VideoDataset, method: Method, table: DetectionTable) -> dict[str, Any]:
    """Return what a method's detections score, for JSON; shares of 1, None for what does not exist.

    Keys: ``mAP``; ``ap``, of each class; ``agnostic``, by speed of the objects; ``causes``, mAP on the frames of
    each cause of difficulty, where the dataset says; ``detections``, how many there are.
    """
    del method
    matching = match(dataset, table)
    official = official_result(matching)
    return {
        "mAP": json_number(official.mean_average_precision),
        "ap": [json_number(value) for value in official.average_precisions],
        "agnostic": _agnostic(class_agnostic_result(matching)),
        "causes": {
            name: json_number(official_result(matching, where).mean_average_precision)
            for name, where in causes_of(dataset).items()
        },
        "detections": len(table),
    }


def measure_all(
    dataset: VideoDataset,
    cache: OutputCache,
    methods: Sequence[Method],
    folder: Path,
    *,
    jobs: int,
    advance: Callable[[int], None] = lambda _: None,
) -> Scores:
    """Measure methods on cached network outputs; what a folder keeps already is not measured again.

    Args:
        dataset: what the cache is of.
        cache: whole.
        methods: which, each once.
        folder: keeps a file for each method.
        jobs: processes at once.
        advance: called with how many frames times methods more are done.

    Raises:
        HeatpropError: see `run_cached`; a file of the folder cannot be written.
    """
    paths = {method: folder / f"{_name(cache, method)}.json" for method in methods}
    to_do = [method for method, path in paths.items() if not path.exists()]
    advance(dataset.frame_count * (len(methods) - len(to_do)))
    found = run_cached(dataset, cache, to_do, measure, jobs=jobs, advance=advance)
    for method, figures in zip(to_do, found, strict=True):
        write_json(paths[method], figures)
    return {method: read_json(path) for method, path in paths.items()}


def causes_of(dataset: VideoDataset) -> dict[str, NDArray[np.bool_]]:
    """Return where each cause of difficulty is at work, bool ``(F,)``; empty where the dataset says nothing."""
    path = Path(dataset.root) / CAUSES_FILE
    if not path.exists() or not dataset.videos:
        return {}
    split = dataset.videos[0].name.partition("/")[0]
    return {name: where for name, where in read_causes(dataset, split).items() if where.any()}


def _agnostic(result: ClassAgnosticResult) -> dict[str, Any]:
    return {
        group.name: {
            "pairs": group.curve.positives,
            "ap": json_number(group.curve.average_precision),
            "points": {
                f"{recall:g}": {
                    name: json_number(getattr(group.at_recall(recall), name))
                    for name in ("false_negatives", "false_positives", "precision", "score")
                }
                for recall in RECALLS
            },
            **_thinned(group.curve),
        }
        for group in result.groups
    }


def _thinned(curve: PrecisionRecall) -> dict[str, list[float]]:
    """Return a curve at a few hundred points, evenly spread over the objects found."""
    at = curve.spread(_CURVE_POINTS)
    return {
        "recall": [round(value, 5) for value in curve.recall[at].tolist()],
        "precision": [round(value, 5) for value in curve.precision[at].tolist()],
    }


def _name(cache: OutputCache, method: Method) -> str:
    """Return a name for the figures of a method on a cache, which no other has."""
    what: Mapping[str, Any] = {
        "version": _WORK_VERSION,
        "outputs": cache.manifest.to_json(),
        "method": method.to_json(),
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]
