"""Whether an output holds all that was to be in it, by what stands in the file and by nothing else."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any

from heatprop.io.end_mark import COMMENT, is_left_open, read_end_mark, read_fingerprint
from heatprop.io.results_header import FORMAT, ResultsError, ResultsHeader, header_of, parse_header, parse_line
from heatprop.io.table_notes import PARQUET_MAGIC, TABLE_HEAD, notes_of_csv, notes_of_parquet

CROPS_FORMAT = "heatprop-crops"
COUNT_TABLE_HEAD = "frame,time,what,name,direction,class,count"
_TAIL_BYTES = 4096
_MAX_HEADER_BYTES = 1 << 24
_HEAD_BYTES = 1 << 16
_SMALLEST_HEAD = 64
_COUNTS_END = re.compile(rb"\d*,[^,]*,end,(complete|unfinished),,,(\d+)\n")


class Completeness(Enum):
    """What is known of an output."""

    COMPLETE = "complete"
    """The source was written to its end, or as far as was asked for."""
    UNFINISHED = "unfinished"
    """Writing was stopped, or ended with an error or a kill."""
    UNKNOWN = "unknown"
    """The file does not say: it is of an earlier heatprop, or of another program."""


@dataclass(frozen=True, slots=True)
class OutputState:
    """What a file says of itself.

    Attributes:
        completeness: whether it is whole.
        frames: how many frames it says it holds; None where it does not say.
        header: what made it; None where it does not say.
        made_from: fingerprint of what made it, in the head of an unfinished video; None where there is none.
    """

    completeness: Completeness
    frames: int | None = None
    header: ResultsHeader | None = None
    made_from: str | None = None


_UNKNOWN = OutputState(Completeness.UNKNOWN)


def state_of(path: str | Path) -> OutputState:
    """Return what detections, counts or an annotated video say of themselves; of any other file, that is unknown.

    Only the head and the tail of the file are read; of detections as CSV all of it, and the metadata beside it.

    Raises:
        OSError: it cannot be read.
    """
    path = Path(path)
    with path.open("rb") as file:
        head = file.read(_SMALLEST_HEAD)
    if head.startswith(TABLE_HEAD.encode()):
        notes = notes_of_csv(path)
        return OutputState(Completeness.UNFINISHED) if notes is None else _state_by(*notes, path)
    if head.startswith(PARQUET_MAGIC):
        notes = notes_of_parquet(path)
        return _UNKNOWN if notes is None else _state_by(*notes, path)
    if head.startswith(COUNT_TABLE_HEAD.encode()):
        return _counts_state(path)
    if CROPS_FORMAT.encode() in head:
        return _crops_state(path)
    return _results_state(path) if FORMAT.encode() in head else _video_state(path)


def count_frames(path: str | Path) -> int:
    """Count the frames in detections, counts or a video, be they whole or cut short; 0 where there are none.

    The whole file is read; frames are not decoded.

    Raises:
        OSError: it cannot be read.
    """
    path = Path(path)
    with path.open("rb") as file:
        head = file.read(_SMALLEST_HEAD)
        file.seek(0)
        if head.startswith(COUNT_TABLE_HEAD.encode()):
            return sum(line.endswith(b"\n") and b",objects,,,all," in line for line in file)
        if head.startswith(TABLE_HEAD.encode()):
            return len({line.split(b",", 1)[0] for line in islice(file, 1, None) if line.endswith(b"\n")})
        if CROPS_FORMAT.encode() in head:
            return max((_frame_of_crop(line) + 1 for line in file), default=0)
        if FORMAT.encode() in head:
            return sum(line.endswith(b"\n") and line.startswith(b'{"frame"') for line in file)
    import av  # it takes 50 ms, which who reads results need not wait for  # noqa: PLC0415

    try:
        with av.open(str(path)) as container:
            return sum(packet.size > 0 for packet in container.demux(container.streams.video[0]))
    except (av.FFmpegError, ValueError, IndexError):
        return 0


def is_begun(path: Path) -> bool:
    """Return whether heatprop began to write this file, be it results, counts or a video, as far as its head says.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    # A run that was killed at once left nothing, or the first box of a video.
    tables = (COUNT_TABLE_HEAD.encode(), TABLE_HEAD.encode(), PARQUET_MAGIC)
    is_lines = any(each.encode() in head[:_SMALLEST_HEAD] for each in (FORMAT, CROPS_FORMAT))
    is_text = is_lines or head.startswith(tables)
    return len(head) < _SMALLEST_HEAD or is_text or COMMENT.encode() in head


def is_annotated(path: Path) -> bool:
    """Return whether this is a video that `heatprop detect` wrote or is writing, by its mark or its head.

    What `heatprop.io.VideoSink` wrote for others has no header, and is a video like any other.

    Raises:
        OSError: it cannot be read.
    """
    state = _video_state(path)
    return state.header is not None or read_fingerprint(path) is not None


def read_end(path: Path) -> tuple[int, bool] | None:
    """Return the number of frames and whether they are all, as the last line of JSON Lines says; None without one.

    Raises:
        OSError: it cannot be read.
    """
    return parse_end(_last_line(path))


def parse_end(line: bytes) -> tuple[int, bool] | None:
    """Return the number of frames and whether they are all, if `line` is a whole end line.

    >>> parse_end(b'{"end":{"frames":3,"complete":true}}\\n')
    (3, True)
    """
    if not line.startswith(b'{"end"') or not line.endswith(b"\n"):
        return None
    try:
        end = json.loads(line)["end"]
        frames, complete = end["frames"], end["complete"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (frames, complete) if isinstance(frames, int) and isinstance(complete, bool) else None


def _last_line(path: Path) -> bytes:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read()
    return tail[tail.rfind(b"\n", 0, -1) + 1 :]


def _counts_state(path: Path) -> OutputState:
    end = _COUNTS_END.fullmatch(_last_line(path))
    if end is None:
        return OutputState(Completeness.UNFINISHED)
    return OutputState(_COMPLETENESS[end[1] == b"complete"], int(end[2]))


def _results_state(path: Path) -> OutputState:
    with path.open("rb") as file:
        line = file.readline(_MAX_HEADER_BYTES)
    try:
        header = parse_header(line, path)
    except ResultsError:
        return _UNKNOWN if line.endswith(b"\n") else OutputState(Completeness.UNFINISHED)
    end = read_end(path)
    if end is None:
        return OutputState(Completeness.UNKNOWN if header.version == 1 else Completeness.UNFINISHED, None, header)
    return OutputState(_COMPLETENESS[end[1]], end[0], header)


def _crops_state(path: Path) -> OutputState:
    with path.open("rb") as file:
        line = file.readline(_MAX_HEADER_BYTES)
    end = read_end(path)
    try:
        header = header_of(parse_line(line, path, 1), path)
    except (ResultsError, KeyError):
        return _UNKNOWN if line.endswith(b"\n") else OutputState(Completeness.UNFINISHED)
    if end is None:
        return OutputState(Completeness.UNFINISHED, None, header)
    return OutputState(_COMPLETENESS[end[1]], end[0], header)


def _frame_of_crop(line: bytes) -> int:
    """Return the number of the frame that a line of a list of crops is of; -1 where it is no such line."""
    try:
        frame = json.loads(line).get("frame")
    except (ValueError, AttributeError, RecursionError):
        return -1
    return frame if isinstance(frame, int) else -1


def _video_state(path: Path) -> OutputState:
    mark = read_end_mark(path)
    if mark is None:
        if not is_left_open(path):
            return _UNKNOWN
        return OutputState(Completeness.UNFINISHED, made_from=read_fingerprint(path))
    return _state_by(*mark, path)


def _state_by(value: dict[str, Any], end: dict[str, Any], path: Path) -> OutputState:
    """Return what a header and an end say, each as JSON holds it."""
    try:
        header = header_of(value, path)
    except (ResultsError, KeyError):
        header = None
    if not end:  # it was begun
        return OutputState(Completeness.UNFINISHED, None, header)
    frames, complete = end.get("frames"), end.get("complete")
    if not isinstance(frames, int) or not isinstance(complete, bool):
        return _UNKNOWN
    return OutputState(_COMPLETENESS[complete], frames, header)


_COMPLETENESS = {True: Completeness.COMPLETE, False: Completeness.UNFINISHED}
