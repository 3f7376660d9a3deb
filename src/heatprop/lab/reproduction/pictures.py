"""Frames of a report as JPEG: what the network alone says, and what propagation makes of it."""

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
from heatprop.lab.reproduction.scenes import RULES, Scene
from heatprop.types import Detections

_WIDTH = 480  # pixels
_QUALITY = 80
_AT_ITS_PLACE = 0.3  # overlap; in the frames before and after it has moved a little


def picture_scenes(
    dataset: VideoDataset, scenes: Sequence[Scene], tables: Mapping[str, DetectionTable], *, threshold: float
) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Draw scenes; those whose pictures cannot be read are left out.

    Args:
        dataset: its pictures.
        scenes: which frames.
        tables: detections of "network" and "propagation".
        threshold: detections below it are not drawn.

    Returns:
        What stands in the report about each, and the pictures, JPEG, by their names.
    """
    reader = SequenceReader(dataset.image_paths)
    videos = dataset.video_of_rows()
    entries: list[dict[str, Any]] = []
    pictures: dict[str, bytes] = {}
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
            pictures |= drawn
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
    return entries, pictures


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
