"""Detections of one video: MOTChallenge's text, or JSON Lines of ``heatprop detect``; a folder has a file a video.

    1,3,794.2,47.5,71.2,174.8,0.83,1,-1,-1                frame,id,left,top,width,height,score,class,...

Frames count from 1 in their video. A score of -1 stands for none: such a box always counts. The class is the
dataset's official number; where it is missing or below 1, it is the only class that is scored in the video.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from heatprop.errors import HeatpropError, InvalidArrayError
from heatprop.interop.mot_text import parse_mot_rows
from heatprop.io.results import FORMAT as RESULTS_FORMAT
from heatprop.io.results_frames import read_results
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detection_files.raw import DetectionFileError, RawDetections
from heatprop.lab.evaluation.detection_files.writing import file_names
from heatprop.lab.evaluation.runs.class_matching import match_classes
from heatprop.types import Detections

_SUFFIXES = (".txt", ".jsonl")


def is_of_one_video(first: str) -> bool:
    """Return whether a file that begins with this line is of one video."""
    return _is_results(first) or (not first.startswith(("[", "{")) and "," in first)


def the_only_video(path: Path, dataset: VideoDataset) -> int:
    """Return the number of the video that a file by itself is of.

    Raises:
        DetectionFileError: the dataset has more than one.
    """
    if len(dataset.videos) != 1:
        raise DetectionFileError(
            f"{path} is of one video, and the dataset has {len(dataset.videos)}; give a folder with a file for "
            f"each, such as {file_names(dataset.videos)[0]}.txt"
        )
    return 0


def files_of_videos(folder: Path, dataset: VideoDataset) -> list[Path]:
    """Return the file of each video in a folder; others in it are passed over.

    Its name is that of `file_names`, or the last part of the video's own, with one of `_SUFFIXES`.

    Raises:
        DetectionFileError: a video has none.
    """
    found: list[Path] = []
    for video, name in zip(dataset.videos, file_names(dataset.videos), strict=True):
        stems = dict.fromkeys((name, name.split("/")[-1], Path(video.name.split("/")[-1]).stem))
        places = (folder / f"{stem}{suffix}" for stem in stems for suffix in _SUFFIXES)
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            raise DetectionFileError(
                f"{folder}: no {name}.txt in it, the file of video {video.name}; an empty one says that nothing "
                "was found"
            )
        found.append(path)
    return found


def parse_video(text: str, path: Path, dataset: VideoDataset, number: int) -> RawDetections:
    """Read the detections of a video.

    Raises:
        DetectionFileError: a line is no detection, lies beyond the video, or has no class that could be known.
    """
    if _is_results(text.lstrip().partition("\n")[0]):
        return _of_results(path, dataset, number)
    try:
        rows = parse_mot_rows(text)
    except InvalidArrayError as error:
        raise DetectionFileError(f"{path}, {error}") from None
    video = dataset.videos[number]
    beyond = np.flatnonzero(rows.frames > video.length)
    if len(beyond):
        frame, line = rows.frames[beyond[0]], rows.lines[beyond[0]]
        raise DetectionFileError(f"{path}, line {line}: frame {frame}; video {video.name} has {video.length}")
    scored = sorted(range(len(dataset.classes)) if video.evaluated is None else video.evaluated)
    nameless = np.flatnonzero(rows.labels < 1)
    if len(nameless) and len(scored) != 1:
        raise DetectionFileError(
            f"{path}, line {rows.lines[nameless[0]]}: no class, and {len(scored)} are scored in the video; write "
            "its number as the eighth field"
        )
    classes = np.where(rows.labels < 1, dataset.class_ids[scored[0]] if scored else -1, rows.labels)
    scores = np.where(rows.scores == -1, 1.0, rows.scores)
    return RawDetections(
        rows.frames - 1 + video.start,
        np.column_stack([classes, scores, rows.boxes]),
        lambda index: str(rows.frames[index]),
        lambda index: f"line {rows.lines[index]}",
        np.maximum(rows.ids, -1),
    )


def _is_results(first: str) -> bool:
    return first.startswith("{") and f'"{RESULTS_FORMAT}"' in first


def _of_results(path: Path, dataset: VideoDataset, number: int) -> RawDetections:
    """Read what ``heatprop detect --json`` wrote; classes of names that the dataset lacks are left out."""
    video = dataset.videos[number]
    try:
        header, frames = read_results(path)
        classes = match_classes(header.classes, dataset.classes)
        kept = [(index, each.select(np.isin(each.labels, classes.channels))) for index, _, each in frames]
    except HeatpropError as error:
        text = str(error)
        raise DetectionFileError(text if text.startswith(str(path)) else f"{path}: {text}") from None
    if kept and kept[-1][0] >= video.length:
        raise DetectionFileError(f"{path}: has frame {kept[-1][0]} from 0; video {video.name} has {video.length}")
    indices = np.repeat([index for index, _ in kept], [len(each) for _, each in kept]).astype(np.int64)
    found = [each for _, each in kept] or [Detections.empty()]
    labels, scores, boxes, ids = (
        np.concatenate([getattr(each, name) for each in found])
        for name in ("labels", "scores", "boxes", "track_ids")
    )
    label_of = np.zeros(len(header.classes), np.int64)
    label_of[classes.channels] = classes.labels
    official = np.array(dataset.class_ids)[label_of[labels]]
    return RawDetections(
        indices + video.start,
        np.column_stack([official, scores, boxes]).astype(np.float64),
        lambda index: f"{indices[index]} from 0",
        lambda index: f"frame {indices[index]} from 0",
        ids,
    )
