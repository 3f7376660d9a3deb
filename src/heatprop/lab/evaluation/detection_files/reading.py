"""Detections made anywhere, read from a file: official text, JSON Lines, COCO's JSON, or MOTChallenge's text.

    1 4 0.8315 104.2 77 260.4 311.8                                   frame_index class_id score x1 y1 x2 y2
    {"frame": "ILSVRC2015_val_00000000/000000", "class": 4, "score": 0.8315, "x1": 104.2, ...}
    [{"image_id": 1, "category_id": 4, "score": 0.8315, "bbox": [104.2, 77, 156.2, 234.8]}, ...]

Frames and classes are the dataset's official numbers (`VideoDataset.frame_ids`, `class_ids`); a line of JSON may
name its frame, or number it as `frame_id`, or both. COCO's list may stand in an object, as its `annotations`,
`results`, `predictions` or `detections`. Whole numbers may be written as floats, 7.0, but not as texts. Which a
file is, its first line says. `one_video` reads MOTChallenge's text, and what `heatprop detect --json` writes: they
are of one video, so a folder of them is read, too. A file is taken whole or not at all.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heatprop.io.regular_files import LARGEST_DETECTIONS, read_regular
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detection_files.json_entries import parse_coco, parse_objects
from heatprop.lab.evaluation.detection_files.one_video import (
    files_of_videos,
    is_of_one_video,
    parse_video,
    the_only_video,
)
from heatprop.lab.evaluation.detection_files.raw import DetectionFileError, RawDetections, parse_text, positions
from heatprop.lab.evaluation.detections import DetectionTable

_PARSERS = {"[": parse_coco, "{": parse_objects}
_STANDARD_INPUT = Path("/dev/stdin")
_FARTHEST = 2.0**53  # pixels; areas of larger boxes overflow


def read_detections(path: str | Path, dataset: VideoDataset, *, tracks: bool = False) -> DetectionTable:
    """Read the detections of a dataset, in the order of the file; an empty file holds none.

    Args:
        path: a regular file, a folder with a file a video, or ``/dev/stdin``, which may be a pipe.
        dataset: what the detections are of.
        tracks: refuse an id that stands in a frame twice, too.

    Raises:
        DetectionFileError: the file cannot be read, is cut off, or a detection in it is not possible: an unknown
            frame or class, a number that is none or not finite, a box whose sides are crossed or far beyond any
            image. Or a folder lacks the file of a video.
    """
    path = Path(path)
    if not path.is_dir():
        return _read(path, dataset, None, tracks)
    files = enumerate(files_of_videos(path, dataset))
    return DetectionTable.joined([_read(file, dataset, number, tracks) for number, file in files])


def _read(path: Path, dataset: VideoDataset, video: int | None, tracks: bool) -> DetectionTable:
    """Read a file: of a video, or, where that is None, of all or of the only one."""
    text = _text(path)
    first = text.lstrip().partition("\n")[0]
    if not first:
        return DetectionTable.from_frames(())
    if video is None and is_of_one_video(first):
        video = the_only_video(path, dataset)
    if video is None:
        raw = _PARSERS.get(first[0], parse_text)(text, path, dataset)
    else:
        raw = parse_video(text, path, dataset, video)
    if tracks:
        _check_ids(raw, path)
    return _checked(raw, path, dataset)


def _text(path: Path) -> str:
    try:
        return _contents(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DetectionFileError(f"{path} is no text; give official text, JSON or MOTChallenge's text") from None
    except OSError as error:
        raise DetectionFileError(f"{path} cannot be read ({error.strerror}); give a file of detections") from None


def _contents(path: Path) -> bytes:
    if path != _STANDARD_INPUT:
        return read_regular(path, LARGEST_DETECTIONS)
    content = sys.stdin.buffer.read(LARGEST_DETECTIONS + 1)
    if len(content) > LARGEST_DETECTIONS:
        raise DetectionFileError(f"{path} gives more than {LARGEST_DETECTIONS:,} bytes; give a smaller file")
    return content


def _checked(raw: RawDetections, path: Path, dataset: VideoDataset) -> DetectionTable:
    """Turn what a file says into a table, or say what is wrong with the first detection that is."""
    finite: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(raw.numbers), axis=1)
    labels = positions(np.array(dataset.class_ids), raw.numbers[:, 0])
    _, _, x1, y1, x2, y2 = raw.numbers.T
    upright = (x1 <= x2) & (y1 <= y2)
    near: NDArray[np.bool_] = np.logical_and.reduce(np.abs(raw.numbers[:, 2:]) <= _FARTHEST, axis=1)
    wrong = np.flatnonzero(~finite | (raw.frames < 0) | (labels < 0) | ~upright | ~near)
    if len(wrong):
        first = int(wrong[0])
        class_id, score, *box = raw.numbers[first].tolist()
        if not finite[first]:
            problem = f"class {class_id:g}, score {score:g}, box {box} are not all finite; drop such detections"
        elif raw.frames[first] < 0:
            problem = f"frame {raw.frame_text(first)} is not in the dataset; check root and split"
        elif labels[first] < 0:
            ids = dataset.class_ids
            problem = f"class {class_id:g} is unknown; the dataset has {len(ids)}, from {min(ids)} to {max(ids)}"
        elif not near[first]:
            problem = f"box {box} lies beyond any image; it must be in pixels"
        else:
            problem = f"box {box} has crossed sides; it must be x1 <= x2 and y1 <= y2"
        raise DetectionFileError(f"{path}, {raw.place(first)}: {problem}")
    boxes, scores = np.ascontiguousarray(raw.numbers[:, 2:]), np.ascontiguousarray(raw.numbers[:, 1])
    return DetectionTable(raw.frames, labels, scores, boxes, raw.ids)  # type: ignore[arg-type]


def _check_ids(raw: RawDetections, path: Path) -> None:
    """Refuse an id that stands in its frame twice."""
    if raw.ids is None:
        return
    named = np.flatnonzero(raw.ids >= 0)
    _, first = np.unique(np.stack([raw.frames, raw.ids])[:, named], axis=1, return_index=True)
    again = np.delete(named, first)
    if len(again):
        number = int(again[0])
        text = f"id {raw.ids[number]} stands in frame {raw.frame_text(number)} already; an id is one object"
        raise DetectionFileError(f"{path}, {raw.place(number)}: {text}")
