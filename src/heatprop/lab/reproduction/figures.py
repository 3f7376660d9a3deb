"""Figures 3 and 4 of a report: scenes with their images, and the scores of one object over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from heatprop.boxes import iou
from heatprop.drawing import draw
from heatprop.errors import SourceError
from heatprop.io.sequence_reader import SequenceReader
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.matching import scored_only
from heatprop.lab.evaluation.runs.cached_methods import run_cached
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.lab.reproduction.chosen_scenes import RULES, Scene, choose_scenes
from heatprop.lab.reproduction.model_outputs import ModelOutputs
from heatprop.lab.reproduction.plan import BASES, Steps
from heatprop.lab.reproduction.tracks import best_track, what_is_seen
from heatprop.types import Detections

_SHOWN = 0.3  # scores from here on are drawn
_LOST = 0.05  # the paper's threshold
_SCENES_OF_EACH = 3
_WIDTH = 480  # pixels
_QUALITY = 80
_AT_ITS_PLACE = 0.3  # overlap; in the frames before and after it has moved a little


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
    """Return the scenes, their images, and the object of figure 4."""
    truth, _ = scored_only(dataset, tables["network"])
    truth = truth.select(~truth.crowd)
    seen = {name: what_is_seen(dataset, truth, table) for name, table in tables.items()}
    scenes = choose_scenes(dataset, truth, tables, seen, threshold=_SHOWN, of_each=_SCENES_OF_EACH)
    entries, images = image_scenes(dataset, scenes, tables, threshold=_SHOWN)
    track = best_track(dataset, truth, seen, threshold=_LOST)
    if track is None:
        return entries, images, None
    video = dataset.videos[track.video]
    frames = (track.rows - video.start).tolist()
    lost = track.scores["network"] < _LOST
    return (
        entries,
        images,
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


def image_scenes(
    dataset: VideoDataset, scenes: Sequence[Scene], tables: Mapping[str, DetectionTable], *, threshold: float
) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Draw scenes; those whose images cannot be read are skipped.

    Args:
        dataset: its images.
        scenes: which frames.
        tables: detections of "network" and "propagation".
        threshold: detections below it are not drawn.

    Returns:
        What stands in the report about each, and the images, JPEG, by their names.
    """
    reader = SequenceReader(dataset.image_paths)
    videos = dataset.video_of_rows()
    entries: list[dict[str, Any]] = []
    images: dict[str, bytes] = {}
    for scene in scenes:
        number = len(entries) + 1
        steps: list[dict[str, Any]] = []
        drawn: dict[str, bytes] = {}
        for place, row in enumerate(scene.rows, 1):
            image = reader.try_read(Path(dataset.image_paths[row]))
            if image is None:
                break
            step: dict[str, Any] = {"frame": dataset.frame_names[row]}
            for name, table in tables.items():
                found = _of_frame(table, row)
                shown = found.select(found.scores >= threshold)
                file = f"scene-{number}-{place}-{name}.jpg"
                drawn[file] = _jpeg(image, shown, dataset.classes)
                step |= {name: file, f"{name}_says": _words(found, scene, dataset.classes)}
            steps.append(step)
        else:
            images |= drawn
            entries.append(
                {
                    "kind": scene.kind,
                    "rule": RULES[scene.kind].format(threshold=threshold),
                    "caption": f"{dataset.classes[scene.label]}, {dataset.videos[videos[scene.rows[0]]].name}",
                    "video": dataset.videos[videos[scene.rows[0]]].name,
                    "threshold": threshold,
                    "steps": steps,
                }
            )
    return entries, images


def _of_frame(table: DetectionTable, row: int) -> Detections:
    part = table.select(np.flatnonzero(table.frames == row))
    return Detections(
        part.boxes.astype(np.float32),
        part.scores.astype(np.float32),
        part.labels,
        np.full(len(part), 3, np.int64),
    )


def _jpeg(image: np.ndarray[Any, np.dtype[np.uint8]], found: Detections, classes: Sequence[str]) -> bytes:
    height, width = image.shape[:2]
    scale = _WIDTH / width
    large = cv2.resize(image, (_WIDTH, max(1, round(height * scale))), interpolation=cv2.INTER_AREA)
    boxes = (found.boxes * np.float32(scale)).astype(np.float32)
    drawing = draw(np.asarray(large, np.uint8), replace(found, boxes=boxes), classes)
    done, encoded = cv2.imencode(".jpg", drawing[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise SourceError("a frame cannot be encoded as JPEG")
    return encoded.tobytes()


def _words(found: Detections, scene: Scene, classes: Sequence[str]) -> str:
    """Say how sure a method is of what the scene is about, in a frame: of its class, at about its place."""
    is_there = iou(found.boxes, np.array([scene.box], np.float32)) >= _AT_ITS_PLACE
    scores = found.scores[(found.labels == scene.label) & is_there]
    name = classes[scene.label]
    return f"{name} there {scores.max():.2f}" if len(scores) else f"no {name} there"
