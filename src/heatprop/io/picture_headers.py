"""What the header of a picture file says, before anything is decoded: kind, size, orientation, several pictures.

Sources: ITU-T T.81 annex B (JPEG), W3C PNG, TIFF 6.0 and BigTIFF, RFC 9649 (WebP), ISO/IEC 14496-12 (AVIF),
ISO/IEC 15444-1 (JPEG 2000), CIPA DC-008 (EXIF).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from mmap import mmap
from typing import Literal, TypeAlias

from heatprop.io.orientation import UPRIGHT, Orientation

PictureKind: TypeAlias = Literal["JPEG", "PNG", "TIFF", "WebP", "BMP", "GIF", "PNM", "JPEG 2000", "AVIF"]
PNG_START = b"\x89PNG\r\n\x1a\n"
LARGEST_PICTURE = 200_000_000
"""Pixels; a decoded picture of as many takes 600 MB, and its decoder as much again."""

_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_TIFF_NUMBERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_WIDTH, _HEIGHT, _ORIENTATION = 256, 257, 274
_MOST_TAGS = 4096
# EXIF's numbers 1 to 8.
_ORIENTATIONS = (
    UPRIGHT,
    Orientation(mirrored=True),
    Orientation(flipped=True, mirrored=True),
    Orientation(flipped=True),
    Orientation(transposed=True),
    Orientation(transposed=True, mirrored=True),
    Orientation(transposed=True, flipped=True, mirrored=True),
    Orientation(transposed=True, flipped=True),
)


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What the header says.

    Attributes:
        kind: of the content; the file's name is of no importance.
        width: in pixels, as stored.
        height: in pixels, as stored.
        orientation: how the stored pixels are laid to be upright.
        holds_several: an animation, or pages: more pictures than one.
    """

    kind: PictureKind
    width: int
    height: int
    orientation: Orientation = UPRIGHT
    holds_several: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture."""
        return (self.height, self.width) if self.orientation.transposed else (self.width, self.height)


def kind_of(data: bytes) -> PictureKind | None:
    """Return the kind of picture that the first bytes of a file announce; None: none of those that are read."""
    for kind, starts in _STARTS.items():
        if data.startswith(starts):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp" and any(brand in data[8:64] for brand in (b"avif", b"avis")):
        return "AVIF"
    return None


def read_header(data: bytes) -> PictureHeader | None:
    """Return what the header says; None: it is no picture, or its header is not whole within `data`.

    Example:
        >>> read_header(b"P6 4 2 255 " + bytes(24))
        PictureHeader(kind='PNM', width=4, height=2, orientation=Orientation(transposed=False, flipped=False, \
mirrored=False, is_exact=True), holds_several=False)
    """
    kind = kind_of(data)
    if kind is None:
        return None
    try:
        header = _READERS[kind](data)
    except (struct.error, IndexError, ValueError, OverflowError):
        return None
    return header if header is not None and header.width > 0 and header.height > 0 else None


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of the content of each chunk of a PNG; it ends early where the file does."""
    position = len(PNG_START)
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        start, end = position + 8, position + 8 + length
        if end + 4 > len(data):
            return
        yield data[position + 4 : start], start, end
        position = end + 4


def _jpeg(data: bytes) -> PictureHeader | None:
    orientation, position = UPRIGHT, 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            position += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return PictureHeader("JPEG", width, height, orientation)
        if marker in (0xD9, 0xDA):
            return None
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == 0xE1 and data[position + 4 : position + 10] == b"Exif\0\0" and orientation is UPRIGHT:
            orientation = _exif(data[position + 10 : end])
        position = end
    return None


def _png(data: bytes) -> PictureHeader | None:
    width, height = struct.unpack_from(">II", data, 16)
    orientation, is_animation = UPRIGHT, False
    for name, start, end in png_chunks(data):
        if name == b"eXIf":
            orientation = _exif(data[start:end])
        elif name == b"acTL":
            is_animation = int.from_bytes(data[start : start + 4], "big") > 1
    return PictureHeader("PNG", width, height, orientation, is_animation)


def _webp(data: bytes) -> PictureHeader | None:
    form = data[12:16]
    if form == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return PictureHeader("WebP", width & 0x3FFF, height & 0x3FFF)
    if form == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return PictureHeader("WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if form != b"VP8X" or len(data) < 30:
        return None
    flags, width, height = data[20], *(int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    orientation = UPRIGHT
    if flags & 8:
        position = 12
        while position + 8 <= len(data):
            length = int.from_bytes(data[position + 4 : position + 8], "little")
            if data[position : position + 4] == b"EXIF":
                orientation = _exif(data[position + 8 : position + 8 + length].removeprefix(b"Exif\0\0"))
            position += 8 + length + length % 2
    return PictureHeader("WebP", width, height, orientation, bool(flags & 2))


def _tiff(data: bytes) -> PictureHeader | None:
    tags, following = _tags(data)
    if _WIDTH not in tags or _HEIGHT not in tags:
        return None
    return PictureHeader("TIFF", tags[_WIDTH], tags[_HEIGHT], _orientation(tags), following > 0)


def _bmp(data: bytes) -> PictureHeader | None:
    if int.from_bytes(data[14:18], "little") == 12:  # the form of OS/2
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return PictureHeader("BMP", width, abs(height))


def _gif(data: bytes) -> PictureHeader | None:
    return PictureHeader("GIF", *struct.unpack_from("<HH", data, 6))


def _pnm(data: bytes) -> PictureHeader | None:
    match = re.match(rb"P[1-6](?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})\s", data[:4096])
    return PictureHeader("PNM", int(match[1]), int(match[2])) if match else None


def _jpeg_2000(data: bytes) -> PictureHeader | None:
    place = data.find(b"ihdr")
    if place < 0:
        return None
    height, width = struct.unpack_from(">II", data, place + 4)
    return PictureHeader("JPEG 2000", width, height)


def _avif(data: bytes) -> PictureHeader | None:
    # Grid pictures have a box for the whole and one for the tiles: the largest is the whole.
    sizes = [struct.unpack_from(">II", data, match.end() + 4) for match in re.finditer(b"ispe", data[: 1 << 20])]
    if not sizes:
        return None
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return PictureHeader("AVIF", width, height, holds_several=b"avis" in data[8:64])


def _exif(data: bytes) -> Orientation:
    """Return the orientation that EXIF says; what cannot be read says nothing."""
    try:
        return _orientation(_tags(data)[0]) if data.startswith(_TIFF_STARTS) else UPRIGHT
    except (struct.error, ValueError):
        return UPRIGHT


def _orientation(tags: dict[int, int]) -> Orientation:
    number = tags.get(_ORIENTATION, 1)
    return _ORIENTATIONS[number - 1] if 1 <= number <= len(_ORIENTATIONS) else UPRIGHT


def _tags(data: bytes | mmap, start: int | None = None) -> tuple[dict[int, int], int]:
    """Return the whole numbers of a directory of TIFF or BigTIFF, and where the next is; 0 if there is none."""
    fields, order, form, next_at = _directory(data, start)
    tags: dict[int, int] = {}
    for tag, kind, at in fields:
        if kind in _TIFF_NUMBERS:
            (tags[tag],) = struct.unpack_from(order + _TIFF_NUMBERS[kind], data, at)
    if len(data) < next_at + struct.calcsize(form):
        return tags, 0
    return tags, struct.unpack_from(order + form, data, next_at)[0]


def page_sizes(data: bytes | mmap) -> Iterator[tuple[int, int]]:
    """Yield width and height of each page of a TIFF, as stored, as far as its directories are whole."""
    start: int | None = None
    seen: set[int] = set()
    while start != 0 and start not in seen:
        if start is not None:
            seen.add(start)
        try:
            tags, start = _tags(data, start)
        except (struct.error, ValueError):
            return
        yield tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0)


def unturned_tiff(data: bytes) -> bytes:
    """Return a TIFF that says of its pixels that they are upright."""
    fields, order, _, _ = _directory(data)
    for tag, kind, at in fields:
        if tag == _ORIENTATION and kind == 3:
            data = data[:at] + struct.pack(order + "H", 1) + data[at + 2 :]
    return data


def too_large(width: int, height: int) -> str | None:
    """Return what is wrong with a picture of more than `LARGEST_PICTURE` pixels; None with a smaller one."""
    if width * height <= LARGEST_PICTURE:
        return None
    size, most = width * height / 1e6, LARGEST_PICTURE / 1e6
    return f"has {width:,} x {height:,} pixels, {size:,.0f} million, and at most {most:.0f} are read"


def _directory(data: bytes | mmap, start: int | None = None) -> tuple[list[tuple[int, int, int]], str, str, int]:
    """Return tag, type and place of each value in a directory, the first if it is not said which.

    Besides, the byte order, and form and place of the number that says where the next directory is.
    """
    order = "<" if data[:2] == b"II" else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")
    offset, count_form, size, wide = ("Q", "Q", 20, 8) if is_big else ("I", "H", 12, 4)
    if start is None:
        (start,) = struct.unpack_from(order + offset, data, 8 if is_big else 4)
    (count,) = struct.unpack_from(order + count_form, data, start)
    if count > _MOST_TAGS:
        raise ValueError("a directory of no sensible length")
    first = start + struct.calcsize(count_form)
    places = [first + number * size for number in range(count)]
    fields = [(*struct.unpack_from(order + "HH", data, at), at + 4 + wide) for at in places]
    return fields, order, offset, first + count * size


_STARTS: dict[PictureKind, bytes | tuple[bytes, ...]] = {
    "JPEG": b"\xff\xd8\xff",
    "PNG": PNG_START,
    "TIFF": _TIFF_STARTS,
    "BMP": b"BM",
    "GIF": (b"GIF87a", b"GIF89a"),
    "PNM": tuple(b"P%d" % number for number in range(1, 7)),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
}
_READERS: dict[PictureKind, Callable[[bytes], PictureHeader | None]] = {
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
