"""The one reader of pictures: what it finds damaged, too large or turned is so for everybody who reads any.

JPEG is decoded by libjpeg-turbo through simplejpeg, which reports what libjpeg would print on standard error;
other kinds by OpenCV, after their structure was looked at. Docs: docs/decisions/024-one-reader-of-pictures.md.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import simplejpeg

from heatprop.errors import SourceError, UnfitFileError
from heatprop.io.levels import Levels, to_eight_bits
from heatprop.io.picture_headers import (
    PNG_START,
    PictureHeader,
    kind_of,
    png_chunks,
    read_header,
    too_large,
    unturned_tiff,
)
from heatprop.io.regular_files import GB, open_regular, read_regular
from heatprop.io.silence import opencv_silence
from heatprop.types import ImageArray

LARGEST_FILE = 2 * GB

_HEAD, _TAIL = 1 << 16, 1 << 12  # bytes read at the ends of a file when nothing is decoded
_JPEG_END, _PNG_END = b"\xff\xd9", b"IEND"
_DECODE = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
# What is said of whole pictures, such as those of some telephones, and of forms left to other decoders.
_OTHER_FORMS = re.compile(
    "Invalid SOS parameters|JFIF revision|Adobe color transform|subsampling|colorspace|conversion|precision"
)
# What a decoder needs of a PNG; other chunks make libpng print remarks, or hold further pictures.
_NEEDED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})


class PictureError(SourceError):
    """A picture is damaged or too large: `problem` says what, without the name."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: this picture {problem}; replace it")
        self.path, self.problem = path, problem

    def __reduce__(self) -> tuple[type[PictureError], tuple[str, str]]:
        """Say how it is made again in another process."""
        return type(self), (self.path, self.problem)


class _ProblemError(Exception):
    """What is wrong with the bytes of a picture."""


@dataclass(frozen=True, slots=True)
class PictureState:
    """What was seen of a picture file.

    Attributes:
        size: width and height in pixels of the upright picture; None where not even that could be read.
        problem: what is wrong; None: nothing was found.
        is_missing: there is no such file.
        holds_several: the file holds more pictures than the one that is read.
    """

    size: tuple[int, int] | None
    problem: str | None = None
    is_missing: bool = False
    holds_several: bool = False


def read_picture(path: str | Path, levels: Callable[[], Levels] | None = None) -> ImageArray:
    """Return a picture as uint8 RGB ``(H, W, 3)``, upright by its orientation tag.

    Grey pictures and palettes become RGB; transparency is left out, so that colours stand as they are stored. Of
    several pictures in a file the first is read. Deeper pictures than 8 bits are scaled by `levels`.

    Args:
        path: the file; its content says of which kind it is.
        levels: says what deeper values than 8 bits mean, the same for all pictures of a sequence; asked only where
            there are such values. Left out: what this picture holds.

    Raises:
        PictureError: it is damaged, no picture, or has more than `LARGEST_PICTURE` pixels.
        SourceError: it is missing or cannot be read.
    """
    stored, header = _read(Path(path))
    return _finished(stored, header, levels)


def picture_of(data: bytes) -> ImageArray:
    """Return the picture that bytes hold, as `read_picture` does of a file.

    Raises:
        PictureError: they are damaged or too large.
    """
    try:
        return _finished(*_decoded(data), None)
    except _ProblemError as error:
        raise PictureError("a part", str(error)) from None


def read_stored(path: str | Path) -> np.ndarray:
    """Return the values as they are stored, ``(H, W, 3)``, uint8 or deeper, not turned; as `read_picture`."""
    return _read(Path(path))[0]


def inspect_picture(path: Path, *, quick: bool = False) -> PictureState:
    """Look whether a picture is whole: `read_picture` reads what has no problem, and refuses what has one.

    A picture that is cut off is always found. One that is overwritten within is found by checksums in PNG; of JPEG
    mostly, for it has none and some damage makes another valid picture; of other kinds where decoding fails.

    Args:
        path: the file.
        quick: of JPEG and PNG, look only at the header and for the mark of the end, which a cut-off file lacks.
    """
    try:
        return _glance(path) if quick else _state(_contents(path))
    except FileNotFoundError:
        return PictureState(None, "is missing", is_missing=True)
    except OSError as error:
        return PictureState(None, f"cannot be read ({error.strerror})")


def _contents(path: Path) -> bytes:
    return read_regular(path, LARGEST_FILE)


def _read(path: Path) -> tuple[np.ndarray, PictureHeader]:
    try:
        return _decoded(_contents(path))
    except _ProblemError as error:
        raise PictureError(str(path), str(error)) from None
    except UnfitFileError as error:
        raise SourceError(str(error)) from None
    except OSError as error:
        raise SourceError(f"{path}: cannot read it ({error.strerror}); check the file") from None


def _finished(stored: np.ndarray, header: PictureHeader, levels: Callable[[], Levels] | None) -> ImageArray:
    image = stored
    if stored.dtype != np.uint8:
        image = to_eight_bits(stored, Levels.of([stored]) if levels is None else levels())
    if header.kind != "JPEG":
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
    return np.ascontiguousarray(header.orientation.apply(image))


def _state(data: bytes) -> PictureState:
    header = read_header(data)
    size, holds_several = (header.size, header.holds_several) if header else (None, False)
    try:
        _decoded(data)
    except _ProblemError as error:
        return PictureState(size, str(error), holds_several=holds_several)
    return PictureState(size, holds_several=holds_several)


def _glance(path: Path) -> PictureState:
    with open_regular(path, LARGEST_FILE) as file:
        head = file.read(_HEAD)
        kind, header = kind_of(head), read_header(head)
        if kind not in ("JPEG", "PNG"):
            return _state(head + file.read())
        length = file.seek(0, 2)
        file.seek(max(0, length - _TAIL))
        tail = file.read()
        if header is None:  # long comments may stand before the size
            file.seek(0)
            header = read_header(file.read())
    if header is None:
        return PictureState(None, _unread(head))
    if (_JPEG_END if kind == "JPEG" else _PNG_END) not in tail:  # or much stands behind it
        return _state(_contents(path))
    return PictureState(header.size, too_large(header.width, header.height), holds_several=header.holds_several)


def _unread(data: bytes) -> str:
    if not data:
        return "is empty"
    return (
        "is cut off or damaged: its header is not whole"
        if kind_of(data)
        else "is damaged, or no picture of a known kind"
    )


def _decoded(data: bytes) -> tuple[np.ndarray, PictureHeader]:
    """Return a picture as stored, of JPEG RGB and of other kinds BGR, and its header."""
    header = read_header(data)
    if header is None:
        raise _ProblemError(_unread(data))
    problem = too_large(header.width, header.height)
    if problem is not None:
        raise _ProblemError(problem)
    if header.kind == "JPEG":
        return _decode_jpeg(data), header
    if header.kind == "PNG":
        data = _checked_png(data)
    elif header.kind == "TIFF":
        data = unturned_tiff(data)  # OpenCV follows its tag even where it is told not to
    elif len(data) < _least_length(data, header):
        raise _ProblemError("is cut off: its end is missing")
    image = _opencv(data)
    if image is None:
        raise _ProblemError(f"is damaged, or {header.kind} of a form that is not read: it cannot be decoded")
    if image.shape[:2] != (header.height, header.width):
        raise _ProblemError("is damaged: its size is not what its header says")
    return image, header


def _opencv(data: bytes) -> np.ndarray | None:
    try:
        with opencv_silence():
            return cv2.imdecode(np.frombuffer(data, np.uint8), _DECODE)
    except cv2.error:
        return None


def _decode_jpeg(data: bytes) -> ImageArray:
    """Return the pixels of a JPEG as RGB, not turned; the first thing that libjpeg complains of is damage."""
    try:
        return np.asarray(simplejpeg.decode_jpeg(data, "RGB", strict=True), np.uint8)
    except ValueError as error:
        remark = str(error).removeprefix("Corrupt JPEG data: ").strip()
    if _JPEG_END not in data or remark.startswith("Premature end of"):
        raise _ProblemError("is cut off: its end is missing")
    if not _OTHER_FORMS.search(remark):
        raise _ProblemError(f"is damaged: {remark}")
    return _decode_other_jpeg(data)


def _decode_other_jpeg(data: bytes) -> ImageArray:
    """Return the pixels of a JPEG that libjpeg-turbo does not turn into RGB, or whose header it remarks upon."""
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.options = {"err_detect": "explode"}
    decoder.thread_count = 1
    try:
        frames = decoder.decode(av.Packet(data))
    except av.error.FFmpegError as error:
        if not isinstance(error, av.error.PatchWelcomeError):
            raise _ProblemError(f"is damaged: {error.strerror}") from None
        frames = []
    if frames and len(frames[0].format.components) < 4:  # with black, for print, its colours are not those
        return np.asarray(frames[0].to_ndarray(format="rgb24"), np.uint8)
    image = _opencv(data)
    if image is None:
        raise _ProblemError("is damaged, or JPEG of a form that is not read: it cannot be decoded")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _checked_png(data: bytes) -> bytes:
    """Return a PNG of what a decoder needs, after a look at the checksums and at the end."""
    view, has_end = memoryview(data), False
    parts: list[bytes | memoryview] = [PNG_START]
    for name, start, end in png_chunks(data):
        if name not in _NEEDED:
            continue
        if zlib.crc32(view[start - 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise _ProblemError(f"is damaged: the checksum of its part {name.decode()} is wrong")
        parts.append(view[start - 8 : end + 4])
        if name == b"IEND":
            has_end = True
            break
    if not has_end:
        raise _ProblemError("is cut off or damaged: its end is missing")
    return b"".join(parts)


def _least_length(data: bytes, header: PictureHeader) -> int:
    """Return how many bytes a WebP, or a BMP without compression, must have; 0 where that is not known."""
    if header.kind == "WebP":
        return 8 + int.from_bytes(data[4:8], "little")
    if header.kind != "BMP":
        return 0
    start, is_old = int.from_bytes(data[10:14], "little"), int.from_bytes(data[14:18], "little") == 12
    bits = int.from_bytes(data[24:26] if is_old else data[28:30], "little")
    compression = 0 if is_old else int.from_bytes(data[30:34], "little")
    return 0 if compression not in (0, 3) else start + (header.width * bits + 31) // 32 * 4 * header.height
