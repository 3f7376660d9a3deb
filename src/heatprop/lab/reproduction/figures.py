"""Figures 3 and 4 of a report: scenes with their pictures, and the scores of one object over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.matching import scored_only
from heatprop.lab.evaluation.runs.cached_methods import run_cached
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.lab.reproduction.model_outputs import ModelOutputs
from heatprop.lab.reproduction.pictures import picture_scenes
from heatprop.lab.reproduction.plan import BASES
from heatprop.lab.reproduction.scenes import choose_scenes
from heatprop.lab.reproduction.steps import Steps
from heatprop.lab.reproduction.tracks import best_track, what_is_seen

_SHOWN = 0.3  # scores from here on are drawn
_LOST = 0.05  # the paper's threshold
_SCENES_OF_EACH = 3


def keep(dataset: VideoDataset, method: Method, table: DetectionTable) -> DetectionTable:
    """Return the detections as they are; for `run_cached`."""
    del dataset, method
    return table


def shown_tables(
    dataset: VideoDataset,
    outputs: ModelOutputs,
    jobs: int,
    steps: Steps,
) -> dict[str, DetectionTable]:
    """Return what "network" and "propagation" find, of classes that are scored in their video.

    `steps` is told how it goes; `jobs` and errors are those of `run_cached`.
    """
    methods = {"network": BASES["network alone"], "propagation": BASES["HP"]}
    steps.begin("choosing frames", dataset.frame_count * len(methods))
    found = run_cached(
        dataset,
        outputs.cache,
        list(methods.values()),
        keep,
        jobs=jobs,
        advance=steps.advance,
    )
    tables = dict(zip(methods, found, strict=True))
    return {name: scored_only(dataset, table)[1] for name, table in tables.items()}


def scenes_and_track(
    dataset: VideoDataset, tables: Mapping[str, DetectionTable]
) -> tuple[list[dict[str, Any]], dict[str, bytes], dict[str, Any] | None]:
    """Return the scenes, their pictures, and the object of figure 4."""
    truth, _ = scored_only(dataset, tables["network"])
    truth = truth.select(~truth.crowd)
    seen = {name: what_is_seen(dataset, truth, table) for name, table in tables.items()}
    scenes = choose_scenes(dataset, truth, tables, seen, threshold=_SHOWN, of_each=_SCENES_OF_EACH)
    entries, pictures = picture_scenes(dataset, scenes, tables, threshold=_SHOWN)
    track = best_track(dataset, truth, seen, threshold=_LOST)
    if track is None:
        return entries, pictures, None
    video = dataset.videos[track.video]
    frames = (track.rows - video.start).tolist()
    lost = track.scores["network"] < _LOST
    return (
        entries,
        pictures,
        {
            "video": video.name,
            "class": dataset.classes[track.label],
            "rule": (
                f"The object on which propagation bridges most frames in which the network has no detection of "
                f"{_LOST:g} or more that overlaps it by half."
            ),
            "frames": frames,
            "threshold": _LOST,
            "dropouts": [frame for frame, is_lost in zip(frames, lost.tolist(), strict=True) if is_lost],
            **{
                name: [round(score, 4) if score > 0 else None for score in scores.tolist()]
                for name, scores in track.scores.items()
            },
        },
    )
