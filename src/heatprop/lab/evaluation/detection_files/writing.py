"""Detections written for others: official text, COCO's JSON, MOTChallenge text; each file appears whole.

Numbers are written with as many digits as they need to be read back the same; the published code writes scores
with 4 and boxes with 2 decimals, which makes ties. Detections come in the order of the table, which among equal
scores decides who comes first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from heatprop.errors import OutputError
from heatprop.io.outputs import OutputFile
from heatprop.lab.datasets.annotations import Video, VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable

_LONGEST_NAME = 200  # bytes
_ROWS_AT_ONCE = 50_000  # as Python's numbers they take several times the room that they have in the table


def write_official_text(
    path: str | Path, dataset: VideoDataset, detections: DetectionTable, *, overwrite: bool = False
) -> None:
    """Write ``frame_index class_id score x1 y1 x2 y2`` for each detection, in official numbers.

    Raises:
        OutputError: the file exists and is not to be overwritten, or cannot be written.
    """
    _write(path, official_lines(dataset, detections), overwrite)


def official_lines(dataset: VideoDataset, detections: DetectionTable) -> Iterator[str]:
    """Yield the lines of `write_official_text`."""
    for frame, label, score, (x1, y1, x2, y2) in _rows(dataset, detections):
        yield f"{frame} {label} {score!r} {x1!r} {y1!r} {x2!r} {y2!r}\n"


def write_coco_json(
    path: str | Path, dataset: VideoDataset, detections: DetectionTable, *, overwrite: bool = False
) -> None:
    """Write COCO's list of results, a line a detection: image_id, category_id, bbox (x, y, width, height), score.

    Detections whose object is known have its number as ``track_id``, too.

    Width and height are differences, so that x2 and y2 are read back to the last digit or the one before.

    Raises:
        OutputError: the file exists and is not to be overwritten, or cannot be written.
    """
    _write(path, coco_lines(dataset, detections), overwrite)


def coco_lines(dataset: VideoDataset, detections: DetectionTable) -> Iterator[str]:
    """Yield the text of `write_coco_json`, a detection at a time."""
    ids = detections.track_ids.tolist()
    for number, (frame, label, score, (x1, y1, x2, y2)) in enumerate(_rows(dataset, detections)):
        entry = {"image_id": frame, "category_id": label, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score}
        if ids[number] >= 0:
            entry["track_id"] = ids[number]
        yield f"{',' if number else '['}\n{json.dumps(entry)}"
    yield "\n]\n" if len(detections) else "[]\n"


def write_mot_text(
    folder: str | Path, dataset: VideoDataset, detections: DetectionTable, *, overwrite: bool = False
) -> None:
    """Write a file for each video, ``<folder>/<name of the video>.txt``, as MOTChallenge has detections.

    Its name is that of `file_names`.

    A line is ``frame,id,left,top,width,height,score,class,-1,-1``: frames count from 1 in their video; the number
    of the object, from 1, or -1 where nothing is propagated; the eighth field, unused there, holds the official
    class.
    Pixels are counted as in the dataset. A video without detections gets an empty file.

    Raises:
        OutputError: a file exists and is not to be overwritten, or cannot be written.
    """
    order = np.argsort(detections.frames, kind="stable")
    ordered = detections.select(order)
    for video, name in zip(dataset.videos, file_names(dataset.videos), strict=True):
        begin, end = np.searchsorted(ordered.frames, [video.start, video.start + video.length])
        part = ordered.select(np.arange(begin, end))
        ids = np.where(part.track_ids >= 0, part.track_ids + 1, -1)
        lines = (
            f"{frame - video.start + 1},{track},{x1!r},{y1!r},{x2 - x1!r},{y2 - y1!r},{score!r},{label},-1,-1\n"
            for frame, track, (_, label, score, (x1, y1, x2, y2)) in zip(
                part.frames.tolist(), ids.tolist(), _rows(dataset, part), strict=True
            )
        )
        path = Path(folder) / f"{name}.txt"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{path.parent} cannot be made ({error.strerror}); choose another folder") from None
        _write(path, lines, overwrite)


def file_names(videos: Sequence[Video]) -> list[str]:
    """Return a name for a file of each video: its own, or a number where that would not do.

    A name will not do that leads out of the folder, cannot be that of a file everywhere, or is that of an earlier
    video except in case.

    >>> file_names([Video(name, 0, 1) for name in ("val/a", "../a", "Val/A", "b", "")])
    ['val/a', 'video-000002', 'video-000003', 'b', 'video-000005']
    """
    taken: set[str] = set()
    names = []
    for number, video in enumerate(videos, start=1):
        name = video.name if all(map(_is_file_name, video.name.split("/"))) else f"video-{number:06d}"
        if name.casefold() in taken:
            name = f"video-{number:06d}"
        while name.casefold() in taken:
            name += "-"
        taken.add(name.casefold())
        names.append(name)
    return names


def _is_file_name(part: str) -> bool:
    return (
        part.strip(". ") == part.strip() != ""
        and part.isprintable()
        and not set(part) & set('\\:*?"<>|')
        and len(part.encode("utf-8", "replace")) <= _LONGEST_NAME
    )


def _rows(dataset: VideoDataset, detections: DetectionTable) -> Iterator[tuple[int, int, float, list[float]]]:
    """Yield official frame, official class, score and box of each detection."""
    class_ids = np.array(dataset.class_ids)
    for start in range(0, len(detections), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        yield from zip(
            dataset.frame_ids[detections.frames[part]].tolist(),
            class_ids[detections.labels[part]].tolist(),
            detections.scores[part].tolist(),
            detections.boxes[part].tolist(),
            strict=True,
        )


def _write(path: str | Path, lines: Iterable[str], overwrite: bool) -> None:
    with OutputFile(path, overwrite=overwrite) as output, output.partial.open("w", encoding="utf-8") as file:
        file.writelines(lines)
