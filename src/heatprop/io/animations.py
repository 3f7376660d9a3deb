"""Picture files that hold several pictures: how to tell them; animated WebP and multi-page TIFF as a video.

Animated PNG and GIF, and sequences in AVIF, are read through libav, as videos are.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from heatprop.errors import SourceError
from heatprop.io.levels import Levels, to_eight_bits
from heatprop.io.picture_headers import page_sizes, read_header, too_large
from heatprop.io.silence import opencv_silence
from heatprop.io.sources import OpenSource, SourceInfo
from heatprop.types import Frame, ImageArray

PAGE_RATE = Fraction(25)
_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Before the pictures of a PNG or JPEG there may be so many blocks of data about them.
_MOST_BLOCKS = 1000
# What browsers take for a picture that is to be shown for no time, in seconds.
_LEAST_SECONDS = 0.011
_USUAL_SECONDS = 0.1
_AT_ONCE = 32
_LOOKED_AT = 16
_HEAD = 1 << 16
_DECODE = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH


class Several(Enum):
    """How a picture file holds several pictures."""

    ANIMATED_PNG = "animated PNG"
    ANIMATED_GIF = "GIF"
    ANIMATED_WEBP = "animated WebP"
    AVIF_SEQUENCE = "AVIF sequence"
    TIFF_PAGES = "TIFF of several pages"
    JPEG_AND_OTHERS = "JPEG with other pictures behind it"


def several_in(path: Path) -> Several | None:
    """Return how a file holds several pictures, by its contents; None where it holds one, or cannot be read."""
    tests = {
        Several.ANIMATED_PNG: _is_animated_png,
        Several.ANIMATED_GIF: _is_gif,
        Several.ANIMATED_WEBP: _is_animated_webp,
        Several.AVIF_SEQUENCE: _is_avif_sequence,
        Several.JPEG_AND_OTHERS: _has_picture_index,
    }
    try:
        with path.open("rb") as file:
            for kind, holds in tests.items():
                file.seek(0)
                if holds(file):
                    return kind
            file.seek(0)
            is_tiff = file.read(4) in _TIFF
    except (OSError, struct.error, IndexError):
        return None
    with opencv_silence():
        return Several.TIFF_PAGES if is_tiff and cv2.imcount(str(path)) > 1 else None


def _is_gif(file: BinaryIO) -> bool:
    return file.read(6) in (b"GIF87a", b"GIF89a")


def _is_animated_webp(file: BinaryIO) -> bool:
    head = file.read(21)
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20] & 0x02)


def _is_avif_sequence(file: BinaryIO) -> bool:
    head = file.read(64)
    return head[4:8] == b"ftyp" and b"avis" in head[8:]


def _is_animated_png(file: BinaryIO) -> bool:
    if file.read(len(_PNG)) != _PNG:
        return False
    for _ in range(_MOST_BLOCKS):
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind == b"acTL":
            (count,) = struct.unpack(">I", file.read(4))
            return bool(count > 1)
        if kind in (b"IDAT", b"IEND"):
            return False
        file.seek(length + 4, 1)
    return False


def _has_picture_index(file: BinaryIO) -> bool:
    """Return whether a JPEG holds an index of several pictures (CIPA DC-007, the multi-picture format)."""
    if file.read(2) != b"\xff\xd8":
        return False
    for _ in range(_MOST_BLOCKS):
        marker, length = struct.unpack(">2sH", file.read(4))
        if marker[0] != 0xFF or marker == b"\xff\xda":
            return False
        if marker == b"\xff\xe2" and length >= 6 and file.read(4) == b"MPF\0":
            return True
        file.seek(length - 2 - (4 if marker == b"\xff\xe2" and length >= 6 else 0), 1)
    return False


def refuse_large(path: Path, kind: Several) -> None:
    """Refuse a file that holds several pictures if one of them is too large to be decoded.

    Raises:
        SourceError: it says so of one.
    """
    with path.open("rb") as file:
        if kind is Several.TIFF_PAGES:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                size = max(page_sizes(data), key=lambda size: size[0] * size[1], default=(0, 0))
        else:
            header = read_header(file.read(_HEAD))
            size = (header.width, header.height) if header else (0, 0)
    problem = too_large(*size)
    if problem is not None:
        raise SourceError(f"{path}: a picture in it {problem}; make it smaller first")


class AnimationSource(OpenSource):
    """An animated WebP with its times, or the pages of a TIFF, 25 a second since they carry no times.

    Pages of more than 8 bits are scaled by what some of them hold, all alike.

    Args:
        path: the file.
        kind: which of the two it is.

    Raises:
        SourceError: it is damaged, or OpenCV is too old for it.
    """

    def __init__(self, path: Path, kind: Several) -> None:
        super().__init__()
        self._path, self._kind = path, kind
        self._iteration = 0
        if kind is Several.ANIMATED_WEBP and not hasattr(cv2, "imreadanimation"):
            raise SourceError(f"{path} is an animated WebP, which OpenCV reads from 4.11 on; update it")
        with opencv_silence():
            count = cv2.imcount(str(path))
        self._levels = self._find_levels(count) if kind is Several.TIFF_PAGES else None
        if self._levels is not None and self._levels.is_part:
            bits = self._levels.bits
            self.note(f"the pages hold {bits} bits in a file of more; they are scaled to these")
        first = next(iter(self._pictures(1)), None)
        if first is None:
            raise SourceError(f"{path}: none of its pictures can be decoded; it needs repair")
        (height, width, _), seconds = first[0].shape, first[1]
        self.info = SourceInfo(
            name=str(path),
            width=width,
            height=height,
            frame_rate=Fraction(1 / seconds).limit_denominator(1000),
            frame_count=max(count, 1),
            duration=None if kind is Several.ANIMATED_WEBP else count * seconds,
            is_live=False,
            has_audio=False,
        )

    def _find_levels(self, count: int) -> Levels | None:
        """Return what is white in pages of more than 8 bits; None where the first page has no more."""
        places = np.unique(np.linspace(0, max(count - 1, 0), _LOOKED_AT).round().astype(int))
        deep = []
        for place in places.tolist():
            pages = self._read_pages(place, 1)
            if place == 0 and pages and pages[0].dtype == np.uint8:
                return None
            deep += [page for page in pages if page.dtype != np.uint8]
        return Levels.of(deep) if deep else None

    def _pictures(self, at_once: int = _AT_ONCE) -> Iterator[tuple[ImageArray, float]]:
        """Yield each picture as RGB, and for how many seconds it is shown."""
        start = 0
        while True:
            pictures, seconds = self._read(start, at_once)
            for picture, shown in zip(pictures, seconds, strict=True):
                colours = cv2.COLOR_BGRA2RGB if picture.shape[2] == 4 else cv2.COLOR_BGR2RGB
                yield np.asarray(cv2.cvtColor(picture, colours), np.uint8), shown
            start += len(pictures)
            if len(pictures) < at_once:
                return

    def _read(self, start: int, count: int) -> tuple[list[ImageArray], list[float]]:
        if self._kind is Several.TIFF_PAGES:
            pages = [self._to_eight_bits(page) for page in self._read_pages(start, count)]
            return pages, [float(1 / PAGE_RATE)] * len(pages)
        try:
            with opencv_silence():
                _, animation = cv2.imreadanimation(str(self._path), start, count)
        except cv2.error:
            return [], []
        milliseconds = np.asarray(animation.durations, np.float64).reshape(-1).tolist()
        shown = [each / 1000 if each / 1000 >= _LEAST_SECONDS else _USUAL_SECONDS for each in milliseconds]
        return [np.asarray(frame, np.uint8) for frame in animation.frames], shown[: len(animation.frames)]

    def _read_pages(self, start: int, count: int) -> list[np.ndarray]:
        try:
            with opencv_silence():
                return [
                    np.asarray(page) for page in cv2.imreadmulti(str(self._path), start, count, flags=_DECODE)[1]
                ]
        except cv2.error:
            return []

    def _to_eight_bits(self, page: np.ndarray) -> ImageArray:
        if page.dtype == np.uint8:
            return page
        return to_eight_bits(page, self._levels or Levels.of([page]))

    def _frames(self) -> Iterator[Frame]:
        self.skipped = 0
        self._iteration += 1
        iteration, time = self._iteration, 0.0
        count = 0
        for index, (image, seconds) in enumerate(self._pictures()):
            self._require_open()
            if iteration != self._iteration:
                return
            yield Frame(image, index, time)
            time += seconds
            count += 1
        self.skipped = max((self.info.frame_count or 0) - count, 0)

    def close(self) -> None:
        """End the source; calling it again does nothing."""
        self._is_open = False
