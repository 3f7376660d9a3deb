"""Whether a picture file is whole: its size from the header, its end, and, if asked, every bit of it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from heatprop.io.silence import opencv_silence

_HEAD, _TAIL = 1 << 16, 1 << 12  # bytes read at the ends of a file when nothing is decoded
_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND"
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})


@dataclass(frozen=True, slots=True)
class PictureState:
    """What was seen of a picture file.

    Attributes:
        size: width and height in pixels as stored; None where not even that could be read.
        problem: what is wrong; None: nothing was found.
        is_missing: there is no such file.
    """

    size: tuple[int, int] | None
    problem: str | None = None
    is_missing: bool = False


def inspect_picture(path: Path, *, quick: bool = False) -> PictureState:
    """Look whether a picture is whole.

    A JPEG is decoded by FFmpeg, told to fail at the first error where other decoders fill up with grey; of other
    kinds OpenCV is asked. A JPEG that is cut off is always found; one that is overwritten within, mostly: it has
    no checksum, and some damage makes another valid picture.

    Args:
        path: the file.
        quick: of JPEG and PNG, look only at the header and for the mark of the end, which a cut-off file lacks.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
            is_short = quick and head.startswith((_JPEG, _PNG))
            rest = _last(path, len(head)) if is_short else file.read()
    except FileNotFoundError:
        return PictureState(None, "is missing", is_missing=True)
    except OSError as error:
        return PictureState(None, f"cannot be read ({error.strerror})")
    if not head:
        return PictureState(None, "is empty")
    tail = (head + rest)[-_TAIL:]
    if head.startswith(_JPEG):
        size = jpeg_size(head) or jpeg_size(path.read_bytes())  # long comments may stand before the size
        problem = None if _JPEG_END in tail else "is cut off: its end is missing"
        if size is None:
            problem = "is cut off or damaged: its header is not whole"
        if problem is None and not quick:
            problem = _jpeg_problem(head + rest)
        return PictureState(size, problem)
    if head.startswith(_PNG) and len(head) >= 24:
        size = struct.unpack(">II", head[16:24])
        problem = None if _PNG_END in tail else "is cut off: its end is missing"
        return PictureState(size, problem) if quick or problem else _decoded(head + rest)
    return _decoded(head + rest)


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a JPEG from its frame header; None when the header is not in `data`.

    Source: ITU-T T.81, annex B.
    """
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            position += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAME_HEADERS:
            if position + 9 > len(data):
                return None
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return (width, height) if width and height else None
        if marker in (0xD9, 0xDA):
            return None
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None


def _last(path: Path, already: int) -> bytes:
    """Return the last bytes of a file, as far as they lie behind the first `already`."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        file.seek(max(already, size - _TAIL))
        return file.read()


def _jpeg_problem(data: bytes) -> str | None:
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.options = {"err_detect": "explode"}
    decoder.thread_count = 1
    try:
        frames = decoder.decode(av.Packet(data))
    except av.error.PatchWelcomeError:  # a kind of JPEG that it does not know
        return _decoded(data).problem
    except av.error.FFmpegError as error:
        return f"is damaged: {error.strerror}"
    return None if frames else "is damaged: no picture comes out"


def _decoded(data: bytes) -> PictureState:
    try:
        with opencv_silence():
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        return PictureState(None, "is no picture, or damaged: it cannot be decoded")
    return PictureState((image.shape[1], image.shape[0]))
