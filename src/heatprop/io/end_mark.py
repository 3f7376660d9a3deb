"""The end mark of an annotated video: what a whole file says of itself, where players do not read.

The last bytes of the file are a box (mp4, mov) or an element (Matroska) that every reader skips. It holds the two
lines that JSON Lines begin and end with. A copy that was cut, or that another program made, no longer has them:

    {"format": "heatprop-video", "version": 2, "model": ..., "settings": ..., "source": ..., ...}
    {"end": {"frames": 120, "complete": true}}

A file that heatprop is still writing, or was killed while it wrote, has a comment in its head and no mark: an mp4
file goes on in fragments then, and a Matroska file does not know its length. In brackets the comment has the
fingerprint of what makes it, since the header comes last.
"""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MATROSKA = (".mkv", ".webm")
COMMENT = "made by heatprop"
FORMAT = "heatprop-video"
_FINGERPRINT = re.compile(rf"{COMMENT} \[([0-9a-f]{{16,64}})\]".encode())
_BOX_ID = b"heatprop end box"
_TAIL = struct.Struct(">I8s")
_MAGIC = b"heatprop"
_MAX_BYTES = 1 << 24
_HEAD_BYTES = 1 << 16
_SEGMENT = bytes.fromhex("18538067")
_SEGMENT_OF_UNKNOWN_SIZE = _SEGMENT + bytes.fromhex("01ffffffffffffff")


def comment(made_from: str) -> str:
    """Return the comment for the head of a video.

    Args:
        made_from: fingerprint of source, model and settings, in hexadecimal digits; empty where nobody asks.

    Example:
        >>> comment("0123456789abcdef"), comment("")
        ('made by heatprop [0123456789abcdef]', 'made by heatprop')
    """
    return f"{COMMENT} [{made_from}]" if made_from else COMMENT


def read_fingerprint(path: Path) -> str | None:
    """Return the fingerprint in the head of a video, of what made it; None where there is none.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        found = _FINGERPRINT.search(file.read(_HEAD_BYTES))
    return None if found is None else found[1].decode()


def end_mark(suffix: str, header: Mapping[str, Any], frames: int, *, complete: bool) -> bytes:
    """Return the bytes to append to a closed video.

    Args:
        suffix: of the file, which says its container.
        header: what made it, as JSON holds it.
        frames: how many are in it.
        complete: whether the source was written to its end.

    Example:
        >>> end_mark(".mp4", {"model": "tiny"}, 3, complete=True)[4:8]
        b'uuid'
    """
    lines = [{**header, "format": FORMAT}, {"end": {"frames": frames, "complete": complete}}]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines).encode()
    payload = text + _TAIL.pack(len(text), _MAGIC)
    if suffix.lower() in MATROSKA:  # a Void element with a size of 8 bytes
        return b"\xec" + struct.pack(">Q", 1 << 56 | len(payload)) + payload
    return struct.pack(">I4s", 8 + len(_BOX_ID) + len(payload), b"uuid") + _BOX_ID + payload


def segment_with_mark(head: bytes, length: int) -> tuple[int, bytes] | None:
    """Return where the size of a closed Matroska file's segment stands, and what it is with a mark of `length`.

    An element behind the segment would be skipped, too, but readers complain of it. None where there is no size.
    """
    place = head.find(_SEGMENT) + len(_SEGMENT)
    size = head[place : place + 8]
    if place < len(_SEGMENT) or len(size) < 8 or size[0] != 1:  # a size of 8 bytes begins with 1
        return None
    return place, struct.pack(">Q", struct.unpack(">Q", size)[0] + length)


def read_end_mark(path: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the header and what ``"end"`` says of the mark at the end of a file; None where there is none.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < _TAIL.size:
            return None
        file.seek(size - _TAIL.size)
        length, magic = _TAIL.unpack(file.read(_TAIL.size))
        if magic != _MAGIC or not 0 < length <= min(size - _TAIL.size, _MAX_BYTES):
            return None
        file.seek(size - _TAIL.size - length)
        lines = file.read(length).splitlines()
    try:
        header, last = (json.loads(line) for line in lines)
        end = last["end"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (header, end) if isinstance(header, dict) and isinstance(end, dict) else None


def is_left_open(path: Path) -> bool:
    """Return whether heatprop began this video and did not close it.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if COMMENT.encode() not in head:
            return False
        if path.suffix.lower() in MATROSKA:
            return _SEGMENT_OF_UNKNOWN_SIZE in head
    # The box that says that a file goes on in fragments.
    return b"mvex" in head
