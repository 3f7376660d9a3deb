"""What a video file says of its own length: a file that was cut off between two packets reads like a whole one."""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path
from typing import BinaryIO

import av

from heatprop.io.sources import DEFAULT_FRAME_RATE

_HEAD = 1 << 16
_MAX_BOXES = 10_000
# Boxes that a file of the kind of mp4 begins with.
_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})
_EBML, _SEGMENT = bytes.fromhex("1a45dfa3"), bytes.fromhex("18538067")
_ASF, _ASF_FILE = bytes.fromhex("3026b2758e66cf11"), bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
# RIFF counts 8 bytes less than the file has, which some writers do not know, and rounds up to even.
_RIFF_INEXACT = 16
# Heads of AVI, and lengths in seconds, are wrong by so many frames in whole files.
_INEXACT = 2


def missing_frames(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    path: Path | None,
    *,
    taken: int,
    end: float | None,
) -> int | None:
    """Return how many frames a file announces that did not come; None where nothing says that it lacks any.

    0 means that it was cut off, and that none is known to be missing. What is still written announces nothing.

    Args:
        container: the file, read to the end.
        stream: whose frames were read.
        path: the file; None where it lies elsewhere.
        taken: how many packets came.
        end: what the clock of the container shows at the end of the last of them, in seconds.
    """
    kind = container.format.name
    share = 1.0 if path is None else _share_there(path)
    has_less = share < 1
    if "mov" in kind:
        # An edit list may leave samples out: of the table, and of the length.
        index = getattr(stream, "index_entries", None)
        count = (stream.frames if index is None else min(stream.frames, len(index))) - taken
        return count if count > 0 and (has_less or _ends_early(stream, end)) else None
    if not has_less:
        return None
    if kind == "avi":
        return count if (count := stream.frames - taken) > _INEXACT else None
    length = clock_seconds(stream.metadata.get("DURATION", "")) or (container.duration or 0) / av.time_base
    count = 0 if end is None else round((length - end) * (stream.average_rate or stream.guessed_rate or 0))
    if "matroska" in kind:
        return max(count, 0)
    if count <= _INEXACT:
        return None
    # The length may be that of sound which lasts longer.
    return min(count, math.ceil(taken / share) - taken) if container.streams.audio else count


def _share_there(path: Path) -> float:
    """Return which share is there of the bytes that a file announces, at most 1."""
    try:
        return min(1.0, path.stat().st_size / max(announced_bytes(path) or 0, 1))
    except OSError:  # it is gone meanwhile
        return 1.0


def _ends_early(stream: av.VideoStream, end: float | None) -> bool:
    if end is None or not stream.duration or not stream.time_base:
        return False
    step = 1 / (stream.average_rate or DEFAULT_FRAME_RATE)
    return end < (stream.duration + (stream.start_time or 0)) * stream.time_base - step / 2


def clock_seconds(text: str) -> float | None:
    """Return the seconds of a Matroska stream's length, such as ``00:00:05.280000000``."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", text)
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]) or None if match else None


def announced_bytes(path: Path) -> int | None:
    """Return how long a file is by its own word: mp4 and mov, Matroska and WebM, AVI, FLV, ASF.

    None where it does not say so: of another kind, or written without going back to its head, as while it grows.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if head[4:8] in _FIRST_BOXES:
            return _end_of_boxes(file)
        if head.startswith(b"RIFF"):
            return _end_of_riff(file)
    if head.startswith(_EBML):
        return _end_of_segment(head)
    if head.startswith(b"FLV"):
        place = head.find(b"filesize\0") + 9
        return int(min(struct.unpack_from(">d", head, place)[0], 1e18)) if 9 <= place <= len(head) - 8 else None
    if head.startswith(_ASF):
        place = head.find(_ASF_FILE) + 40
        return int(struct.unpack_from("<Q", head, place)[0]) if 40 <= place <= len(head) - 8 else None
    return None


def _end_of_boxes(file: BinaryIO) -> int | None:
    """Return where the data of an mp4 file end; None of one in fragments, which may go on at any time."""
    place, end = 0, None
    for _ in range(_MAX_BOXES):
        file.seek(place)
        head = file.read(16)
        if len(head) < 8:
            break
        size, kind = struct.unpack(">I4s", head[:8])
        if size == 1 and len(head) == 16:
            (size,) = struct.unpack(">Q", head[8:])
        if kind == b"moof":
            return None
        if size < 8:  # 0: to the end
            break
        place += size
        if kind == b"mdat":
            end = place
    return end


def _end_of_riff(file: BinaryIO) -> int:
    """Return where the last of the parts ends that an AVI file, larger than 1 GB, may have."""
    place = end = 0
    for _ in range(_MAX_BOXES):
        file.seek(place)
        head = file.read(12)
        if len(head) < 12 or head[:4] != b"RIFF":
            break
        place += 8 + struct.unpack("<I", head[4:8])[0]
        end = place
        place += place % 2
    return end - _RIFF_INEXACT


def _end_of_segment(head: bytes) -> int | None:
    place = head.find(_SEGMENT) + len(_SEGMENT)
    if not len(_SEGMENT) <= place < len(head) - 8:
        return None
    width = 9 - head[place].bit_length()
    size = int.from_bytes(head[place : place + width]) & ((1 << 7 * width) - 1)
    is_unknown = width > 8 or size == (1 << 7 * width) - 1
    return None if is_unknown else place + width + size
