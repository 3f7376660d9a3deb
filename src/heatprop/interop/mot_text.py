"""MOTChallenge's text: a detection or a tracklet's box a line, frames counted from 1.

    frame,id,left,top,width,height,score,class,...          1,-1,794.2,47.5,71.2,174.8,0.83,1,-1,-1

What stands behind the score may be missing; a class that is missing or below 1 is class 1. Source: the development
kit of motchallenge.net.
"""

from __future__ import annotations

import configparser
from collections.abc import Iterable, Iterator
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import InvalidArrayError
from heatprop.types import Detections

_FIELDS = "frame, id, left, top, width, height, score"
_FEWEST = 7


class MotDetections(NamedTuple):
    """Detections of one video.

    Attributes:
        frames: number of the frame of each, from 1, int64 ``(N,)``; ascending.
        detections: boxes in pixels, labels as the text has them; in the order of the text within a frame.
    """

    frames: NDArray[np.int64]
    detections: Detections

    def by_frame(self, last: int) -> Iterator[tuple[int, Detections]]:
        """Yield the detections of each frame from 1 to `last`, also of those that have none."""
        bounds = np.searchsorted(self.frames, np.arange(1, last + 2))
        for frame, (begin, end) in enumerate(pairwise(bounds), start=1):
            yield frame, self.detections.select(np.arange(begin, end))


def parse_mot(text: str) -> MotDetections:
    """Read a text; its ids are passed over, `parse_mot_rows` has them.

    Raises:
        InvalidArrayError: a line is no detection; the message begins with its number.
    """
    rows = parse_mot_rows(text)
    outside = np.flatnonzero(~((rows.scores >= 0) & (rows.scores <= 1)))
    if len(outside):
        score = rows.scores[outside[0]]
        raise InvalidArrayError(f"line {rows.lines[outside[0]]}: score {score:g}; scores must lie in [0, 1]")
    order = np.argsort(rows.frames, kind="stable")
    boxes, scores = rows.boxes[order].astype(np.float32), rows.scores[order].astype(np.float32)
    return MotDetections(rows.frames[order], Detections(boxes, scores, np.maximum(rows.labels[order], 1)))


class MotRows(NamedTuple):
    """A text, line by line, in its order.

    Attributes:
        lines: number of each, from 1, int64 ``(N,)``.
        frames: from 1, int64 ``(N,)``.
        ids: as written, int64 ``(N,)``; of detections usually -1.
        boxes: float64 ``(N, 4)`` as (x1, y1, x2, y2) in pixels.
        scores: as written, float64 ``(N,)``.
        labels: int64 ``(N,)``; -1 where the text has none.
    """

    lines: NDArray[np.int64]
    frames: NDArray[np.int64]
    ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.int64]


def parse_mot_rows(text: str) -> MotRows:
    """Read the lines of a text as they stand there.

    Raises:
        InvalidArrayError: a line is no detection; the message begins with its number.
    """
    rows: list[list[float]] = []
    for number, line in enumerate(StringIO(text), start=1):
        if not line.strip():
            continue
        try:
            row = [float(word) for word in line.split(",")]
        except ValueError:
            raise InvalidArrayError(f"line {number}: {line.strip()[:60]!r} is not {_FIELDS}") from None
        rows.append(_checked(row, number))
    table = np.array(rows, np.float64).reshape(-1, _FEWEST + 2)
    left, top, width, height = table[:, 3:7].T
    lines, frames, ids, labels = (table[:, column].astype(np.int64) for column in (0, 1, 2, 8))
    boxes = np.stack([left, top, left + width, top + height], axis=1)
    return MotRows(lines, frames, ids, boxes, np.ascontiguousarray(table[:, 7]), labels)


def _checked(row: list[float], number: int) -> list[float]:
    if len(row) < _FEWEST:
        raise InvalidArrayError(f"line {number}: {len(row)} fields; a detection has {_FIELDS}")
    row = [*row[: _FEWEST + 1], *([-1.0] if len(row) == _FEWEST else [])]
    if not np.isfinite(row).all():
        raise InvalidArrayError(f"line {number}: a number is not finite; drop such detections")
    frame, track, _, _, width, height, _, label = row
    if frame != int(frame) or not 1 <= frame < 1 << 31:
        raise InvalidArrayError(f"line {number}: frame {frame:g}; frames are whole numbers from 1")
    if track != int(track) or abs(track) >= 1 << 53:
        raise InvalidArrayError(f"line {number}: id {track:g} is no whole number")
    if label != int(label) or abs(label) >= 1 << 31:
        raise InvalidArrayError(f"line {number}: class {label:g} is no whole number")
    if width < 0 or height < 0:
        raise InvalidArrayError(f"line {number}: width {width:g} and height {height:g}; none may be negative")
    return [number, *row]


def mot_lines(frames: Iterable[tuple[int, Detections]]) -> Iterator[str]:
    """Yield the lines of detections with ids: number of the frame and what is in it; ids count from 1.

    >>> list(mot_lines([(7, Detections([[1, 2, 4, 6]], [0.5], [1], track_ids=[0]))]))
    ['7,1,1,2,3,4,0.5,1,-1,-1\\n']
    """
    for frame, found in frames:
        ids = (found.track_ids + 1).tolist()
        corners = found.boxes.astype(np.float64)
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1).tolist()
        for track, box, score, label in zip(ids, boxes, found.scores.tolist(), found.labels.tolist(), strict=True):
            sides = ",".join(f"{side:.7g}" for side in box)
            yield f"{frame},{track},{sides},{score:.6g},{label},-1,-1\n"


def read_sequence_info(path: Path) -> tuple[tuple[int, int] | None, int | None]:
    """Return height and width of the frames, and how many there are, as ``seqinfo.ini`` says; None where not.

    It lies beside the text, or in the folder above, as MOTChallenge has it.
    """
    for folder in (path.parent, path.parent.parent):
        parser = configparser.ConfigParser(interpolation=None)
        try:
            with (folder / "seqinfo.ini").open(encoding="utf-8") as file:
                parser.read_file(file)
            section = parser["Sequence"]
            size = section.getint("imHeight", 0), section.getint("imWidth", 0)
            length = section.getint("seqLength", 0)
        except (OSError, ValueError, KeyError, configparser.Error):
            continue
        return (size if min(size) > 0 else None), (length if length > 0 else None)
    return None, None
