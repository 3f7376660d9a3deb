"""Bytes of an image -> its values as stored, or what is wrong with them.

JPEG is decoded by libjpeg-turbo through simplejpeg, which reports what libjpeg would print on standard error;
other kinds by OpenCV, after a check of their structure; GIF by libav, for OpenCV reads it from 4.11 on only.
"""

from __future__ import annotations

import io
import re
import struct
import tempfile
import zlib
from pathlib import Path

import av
import cv2
import numpy as np
import simplejpeg

from heatprop.io.file_bytes import Bytes
from heatprop.io.image_headers import PNG_START, ImageHeader, kind_of, png_chunks, read_header, too_large
from heatprop.io.silence import opencv_silence
from heatprop.io.tiff_directories import pages, plain_tiff
from heatprop.types import ImageArray

JPEG_END = b"\xff\xd9"

_DECODE = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
# What is said of whole images, such as those of some telephones, and of forms left to other decoders.
_OTHER_FORMS = re.compile(
    "Invalid SOS parameters|JFIF revision|Adobe color transform|subsampling|colorspace|conversion|precision"
)
# What a decoder needs of a PNG; other chunks make libpng print remarks, or hold further images.
_NEEDED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})


class ProblemError(Exception):
    """What is wrong with the bytes of an image."""


def unread(data: Bytes) -> str:
    """Return what is wrong with bytes whose header cannot be read."""
    if not len(data):
        return "is empty"
    return (
        "is cut off or damaged: its header is not whole"
        if kind_of(data)
        else "is damaged, or no image of a known kind"
    )


def decode(data: bytes) -> tuple[np.ndarray, ImageHeader]:
    """Return the values of an image ``(H, W, 3)``, of JPEG RGB, of other kinds BGR, not turned, and its header.

    Raises:
        ProblemError: they are damaged or too large.
    """
    header = read_header(data)
    if header is None:
        raise ProblemError(unread(data))
    problem = too_large(header.width, header.height)
    if problem is not None:
        raise ProblemError(problem)
    image = _values(data, header)
    if image is None:
        raise ProblemError(f"is damaged, or {header.kind} of a form that is not read: it cannot be decoded")
    if image.shape[:2] != (header.height, header.width):
        raise ProblemError("is damaged: its size is not what its header says")
    if header.crop is not None:
        left, top, width, height = header.crop
        image = image[top : top + height, left : left + width]
    return image, header


def _values(data: bytes, header: ImageHeader) -> np.ndarray | None:
    if header.kind == "JPEG":
        return _decode_jpeg(data)
    if header.kind == "GIF":
        return _decode_gif(data)
    if header.kind == "PNG":
        data = _checked_png(data)
    elif header.kind == "TIFF":
        try:
            data = plain_tiff(data, next(pages(data)))
        except struct.error:
            return None
    elif len(data) < _min_length(data, header):
        raise ProblemError("is cut off: its end is missing")
    image = _opencv(data)
    return _opencv_by_file(data) if image is None and header.kind == "TIFF" else image


def _opencv(data: bytes) -> np.ndarray | None:
    try:
        with opencv_silence():
            return cv2.imdecode(np.frombuffer(data, np.uint8), _DECODE)
    except cv2.error:
        return None


def _opencv_by_file(data: bytes) -> np.ndarray | None:
    """Decode a TIFF from a file: from memory OpenCV does not read tiles without compression of every size."""
    try:
        with opencv_silence(), tempfile.TemporaryDirectory(prefix="heatprop-") as folder:
            path = Path(folder) / "image.tif"
            path.write_bytes(data)
            return cv2.imread(str(path), _DECODE)
    except (cv2.error, OSError):
        return None


def _decode_gif(data: bytes) -> np.ndarray | None:
    try:
        with av.open(io.BytesIO(data), "r") as container:
            return next(container.decode(video=0)).to_ndarray(format="bgr24")
    except (av.FFmpegError, StopIteration, IndexError, ValueError):
        return None


def _decode_jpeg(data: bytes) -> ImageArray:
    """Return the pixels of a JPEG as RGB, not turned; the first thing that libjpeg complains of is damage."""
    try:
        return np.asarray(simplejpeg.decode_jpeg(data, "RGB", strict=True), np.uint8)
    except ValueError as error:
        remark = str(error).removeprefix("Corrupt JPEG data: ").strip()
    if JPEG_END not in data or remark.startswith("Premature end of"):
        raise ProblemError("is cut off: its end is missing")
    if not _OTHER_FORMS.search(remark):
        raise ProblemError(f"is damaged: {remark}")
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
            raise ProblemError(f"is damaged: {error.strerror}") from None
        frames = []
    if frames and len(frames[0].format.components) < 4:  # with black, for print, its colours are not those
        return np.asarray(frames[0].to_ndarray(format="rgb24"), np.uint8)
    image = _opencv(data)
    if image is None:
        raise ProblemError("is damaged, or JPEG of a form that is not read: it cannot be decoded")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _checked_png(data: bytes) -> bytes:
    """Return a PNG of what a decoder needs, after a check of the checksums and of the end."""
    view, has_end = memoryview(data), False
    parts: list[bytes | memoryview] = [PNG_START]
    for name, start, end in png_chunks(data):
        if name not in _NEEDED:
            continue
        if zlib.crc32(view[start - 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise ProblemError(f"is damaged: the checksum of its part {name.decode()} is wrong")
        parts.append(view[start - 8 : end + 4])
        if name == b"IEND":
            has_end = True
            break
    if not has_end:
        raise ProblemError("is cut off or damaged: its end is missing")
    return b"".join(parts)


def _min_length(data: bytes, header: ImageHeader) -> int:
    """Return how many bytes a WebP, or a BMP without compression, must have; 0 where that is not known."""
    if header.kind == "WebP":
        return 8 + int.from_bytes(data[4:8], "little")
    if header.kind != "BMP":
        return 0
    start, is_old = int.from_bytes(data[10:14], "little"), int.from_bytes(data[14:18], "little") == 12
    bits = int.from_bytes(data[24:26] if is_old else data[28:30], "little")
    compression = 0 if is_old else int.from_bytes(data[30:34], "little")
    return 0 if compression not in (0, 3) else start + (header.width * bits + 31) // 32 * 4 * header.height
