"""What the header of an image file says, before anything is decoded: kind, size, way up, colours, number.

Headers are read from bytes, or from a file in which only they are searched. Sources: ITU-T T.81 annex B (JPEG),
CIPA DC-007 (several images in it), W3C PNG third edition, RFC 9649 (WebP), GIF89a,
ISO/IEC 15444-1 (JPEG 2000); `exif`, `tiff_directories`, `avif_boxes`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias

from heatprop.io.avif_boxes import read_avif
from heatprop.io.colour import UNSAID, ColourSpace
from heatprop.io.exif import exif_orientation, orientation_of_number
from heatprop.io.file_bytes import Bytes, FileBytes, unpack
from heatprop.io.orientation import UPRIGHT, Orientation
from heatprop.io.regular_files import open_regular
from heatprop.io.tiff_directories import HEIGHT, ORIENTATION, TIFF_STARTS, WIDTH, Directory, directory_at, pages

ImageKind: TypeAlias = Literal["JPEG", "PNG", "TIFF", "WebP", "BMP", "GIF", "PNM", "JPEG 2000", "AVIF"]
PNG_START = b"\x89PNG\r\n\x1a\n"
LARGEST_IMAGE = 200_000_000
"""Pixels; a decoded image of as many takes 600 MB, and its decoder as much again."""

_BEGINNING = 4096
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
# In the index of a JPEG with others behind it: how many there are, and 16 bytes on each.
_INDEX_COUNT, _INDEX_ENTRIES = 0xB001, 0xB002
_SMALLER_COPY = 1


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the header says.

    Attributes:
        kind: of the content; the file's name is of no importance.
        width: in pixels, as stored.
        height: in pixels, as stored.
        orientation: how the stored pixels are laid to be upright.
        holds_several: an animation, or pages: more images than one.
        crop: left, top, width and height of the part that is shown, in stored pixels; None: all.
        colours: what the colours are said to be, as a video says it; profiles are not read.
        depth: bits of a value where the form fixes what is white; None where a file may hold less than it could.
        is_negative: 0 is white.
    """

    kind: ImageKind
    width: int
    height: int
    orientation: Orientation = UPRIGHT
    holds_several: bool = False
    crop: tuple[int, int, int, int] | None = None
    colours: ColourSpace = UNSAID
    depth: int | None = None
    is_negative: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright image."""
        width, height = (self.width, self.height) if self.crop is None else self.crop[2:]
        return (height, width) if self.orientation.transposed else (width, height)


def kind_of(data: Bytes) -> ImageKind | None:
    """Return the kind of image that the first bytes of a file announce; None: none of those that are read."""
    start = data[:64]
    for kind, starts in _STARTS.items():
        if start.startswith(starts):
            return kind
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WebP"
    if start[4:8] == b"ftyp" and any(brand in start[8:] for brand in (b"avif", b"avis")):
        return "AVIF"
    return None


def read_header(data: Bytes) -> ImageHeader | None:
    """Return what the header says; None: it is no image, or its header is not whole within `data`.

    Example:
        >>> read_header(b"P6 4 2 255 " + bytes(24)).size
        (4, 2)
    """
    kind = kind_of(data)
    if kind is None:
        return None
    try:
        header = _READERS[kind](data)
    except (struct.error, IndexError, ValueError, OverflowError):
        return None
    return header if header is not None and header.width > 0 and header.height > 0 else None


def header_of(path: Path) -> ImageHeader | None:
    """Return what the header of a file says; None also where it cannot be read."""
    try:
        with open_regular(path) as file:
            return read_header(FileBytes(file))
    except OSError:
        return None


def tiff_header(data: Bytes, page: Directory, *, holds_several: bool = False) -> ImageHeader:
    """Return what the directory of a page says."""
    return ImageHeader(
        "TIFF",
        page.number(data, WIDTH),
        page.number(data, HEIGHT),
        orientation_of_number(page.number(data, ORIENTATION, 1)),
        holds_several,
        is_negative=page.is_negative(data),
    )


def png_chunks(data: Bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of the content of each chunk of a PNG; it ends early where the file does."""
    position, length = len(PNG_START), len(data)
    while position + 12 <= length:
        size, name = unpack(">I4s", data, position)
        start, end = position + 8, position + 8 + size
        if end + 4 > length:
            return
        yield name, start, end
        position = end + 4


def too_large(width: int, height: int) -> str | None:
    """Return what is wrong with an image of more than `LARGEST_IMAGE` pixels; None with a smaller one."""
    if width * height <= LARGEST_IMAGE:
        return None
    size, most = width * height / 1e6, LARGEST_IMAGE / 1e6
    return f"has {width:,} x {height:,} pixels, {size:,.0f} million, and at most {most:.0f} are read"


def _jpeg(data: Bytes) -> ImageHeader | None:
    orientation, position, holds_several = UPRIGHT, 2, False
    while position + 4 <= len(data):
        start, marker, length = unpack(">BBH", data, position)
        if start != 0xFF:
            return None
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            position += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAME_HEADERS:
            height, width = unpack(">HH", data, position + 5)
            return ImageHeader("JPEG", width, height, orientation, holds_several)
        if marker in (0xD9, 0xDA):
            return None
        end = position + 2 + length
        if marker == 0xE1 and data[position + 4 : position + 10] == b"Exif\0\0" and orientation is UPRIGHT:
            orientation = exif_orientation(data[position + 10 : end])
        elif marker == 0xE2 and data[position + 4 : position + 8] == b"MPF\0":
            holds_several |= _images_in_index(data[position + 8 : end]) > 1
        position = end
    return None


def _images_in_index(data: bytes) -> int:
    """Return how many images an index in a JPEG names, without smaller copies of others."""
    try:
        index = directory_at(data)
        count = index.number(data, _INDEX_COUNT)
    except (struct.error, ValueError):
        return 0
    entries = index.fields.get(_INDEX_ENTRIES)
    if entries is None:
        return count
    listed = data[entries.at : entries.at + min(entries.count, 16 * count)]
    kinds = [unpack(index.order + "I", listed, at)[0] >> 16 & 0xFF for at in range(0, len(listed) - 15, 16)]
    return count - kinds.count(_SMALLER_COPY)


def _png(data: Bytes) -> ImageHeader | None:
    width, height, depth = unpack(">IIB", data, 16)
    orientation, is_animation, colours = UPRIGHT, False, UNSAID
    for name, start, end in png_chunks(data):
        if name == b"eXIf":
            orientation = exif_orientation(data[start:end])
        elif name == b"acTL":
            is_animation = int.from_bytes(data[start : start + 4], "big") > 1
        elif name == b"cICP" and end - start == 4:
            primaries, transfer = unpack("BB", data, start)
            colours = ColourSpace(transfer, primaries)
    fixed = depth if colours.name else None
    return ImageHeader("PNG", width, height, orientation, is_animation, colours=colours, depth=fixed)


def _webp(data: Bytes) -> ImageHeader | None:
    form = data[12:16]
    if form == b"VP8 ":
        width, height = unpack("<HH", data, 26)
        return ImageHeader("WebP", width & 0x3FFF, height & 0x3FFF)
    if form == b"VP8L":
        (bits,) = unpack("<I", data, 21)
        return ImageHeader("WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    sides = data[24:30]
    if form != b"VP8X" or len(sides) < 6:
        return None
    (flags,) = data[20:21]
    width, height = (int.from_bytes(sides[at : at + 3], "little") + 1 for at in (0, 3))
    orientation, position = UPRIGHT, 12
    while flags & 8 and position + 8 <= len(data):
        name, length = unpack("<4sI", data, position)
        if name == b"EXIF":
            orientation = exif_orientation(data[position + 8 : position + 8 + length].removeprefix(b"Exif\0\0"))
        position += 8 + length + length % 2
    return ImageHeader("WebP", width, height, orientation, bool(flags & 2))


def _tiff(data: Bytes) -> ImageHeader | None:
    first = list(islice(pages(data), 2))
    if not first or WIDTH not in first[0].fields or HEIGHT not in first[0].fields:
        return None
    return tiff_header(data, first[0], holds_several=len(first) > 1)


def _bmp(data: Bytes) -> ImageHeader | None:
    is_old = int.from_bytes(data[14:18], "little") == 12  # the form of OS/2
    width, height = unpack("<HH" if is_old else "<ii", data, 18)
    return ImageHeader("BMP", width, abs(height))


def _gif(data: Bytes) -> ImageHeader | None:
    width, height = unpack("<HH", data, 6)
    return ImageHeader("GIF", width, height, holds_several=len(list(islice(_gif_images(data), 2))) > 1)


def _gif_images(data: Bytes) -> Iterator[int]:
    """Yield where each image of a GIF begins, as far as it is whole up to there."""

    def colours(at: int) -> int:
        flags = data[at : at + 1]
        return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0

    position = 13 + colours(10)
    while (block := data[position : position + 1]) in (b"!", b","):
        if block == b",":
            yield position
            position += 11 + colours(position + 9)
        else:
            position += 2
        while size := data[position : position + 1]:
            position += 1 + size[0]
            if size == b"\0":
                break


def _pnm(data: Bytes) -> ImageHeader | None:
    match = re.match(rb"P[1-6](?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})\s", data[:_BEGINNING])
    return ImageHeader("PNM", int(match[1]), int(match[2])) if match else None


def _jpeg_2000(data: Bytes) -> ImageHeader | None:
    beginning = data[: 1 << 16]
    place = beginning.find(b"ihdr")
    if place < 0:
        return None
    height, width = unpack(">II", beginning, place + 4)
    return ImageHeader("JPEG 2000", width, height)


def _avif(data: Bytes) -> ImageHeader | None:
    said = read_avif(data)
    if said is None:
        return None
    return ImageHeader(
        "AVIF", said.width, said.height, said.orientation, said.is_sequence, said.crop, said.colours, said.depth
    )


_STARTS: dict[ImageKind, bytes | tuple[bytes, ...]] = {
    "JPEG": b"\xff\xd8\xff",
    "PNG": PNG_START,
    "TIFF": TIFF_STARTS,
    "BMP": b"BM",
    "GIF": (b"GIF87a", b"GIF89a"),
    "PNM": tuple(b"P%d" % number for number in range(1, 7)),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
}
_READERS: dict[ImageKind, Callable[[Bytes], ImageHeader | None]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "TIFF": _tiff,
    "WebP": _webp,
    "BMP": _bmp,
    "GIF": _gif,
    "PNM": _pnm,
    "JPEG 2000": _jpeg_2000,
    "AVIF": _avif,
}
