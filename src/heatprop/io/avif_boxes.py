"""What the boxes of an AVIF say of its image: size, part that is shown, way up, colours, and whether it moves.

Sources: ISO/IEC 14496-12 (boxes), ISO/IEC 23008-12 (HEIF: items and their properties), ISO/IEC 23000-22 (MIAF),
the AV1 Image File Format. EXIF may repeat how it is turned; HEIF says that only the properties count.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from heatprop.io.colour import UNSAID, ColourSpace
from heatprop.io.file_bytes import Bytes, unpack
from heatprop.io.orientation import UPRIGHT, Orientation

Box = tuple[bytes, int, int]
_SAMPLE_SIZE = 28  # from the name of a sample's description to its width


@dataclass(frozen=True, slots=True)
class AvifImage:
    """What is said of the image that stands for the file.

    Attributes:
        width: in pixels, as stored.
        height: in pixels, as stored.
        crop: left, top, width and height of the part that is shown, in stored pixels; None: all.
        orientation: how this part is laid to be upright.
        colours: what it is said to be in.
        depth: bits of a value.
        is_sequence: there are more images, with times.
    """

    width: int
    height: int
    crop: tuple[int, int, int, int] | None = None
    orientation: Orientation = UPRIGHT
    colours: ColourSpace = UNSAID
    depth: int | None = None
    is_sequence: bool = False


def read_avif(data: Bytes) -> AvifImage | None:
    """Return what the boxes say; None where they do not say how large the image is.

    Raises:
        struct.error, IndexError, ValueError: they are not whole.
    """
    top = {name: (start, end) for name, start, end in _boxes(data, 0, len(data))}
    moving = data[slice(*top[b"moov"])] if b"avis" in data[8:64] and b"moov" in top else b""
    samples = (unpack(">I", moving, match.end() + 8)[0] for match in re.finditer(b"stsz", moving))
    is_sequence = max(samples, default=0) > 1
    if b"meta" not in top:
        entry = moving.find(b"av01", moving.find(b"stsd"))
        if entry < 0:
            return None
        width, height = unpack(">HH", moving, entry + _SAMPLE_SIZE)
        return AvifImage(width, height, is_sequence=is_sequence)
    all_properties, own = _properties(data, *top[b"meta"])
    sizes = [unpack(">II", data, start + 4) for name, start, _ in own if name == b"ispe"]
    if not sizes:
        return None
    width, height = sizes[0]
    return AvifImage(
        width,
        height,
        next((_aperture(data, start, width, height) for name, start, _ in own if name == b"clap"), None),
        _orientation(data, own),
        next((found for box in own if (found := _colours(data, box)) is not None), UNSAID),
        # The whole of a grid may leave it to its tiles.
        next((depth for box in (*own, *all_properties) if (depth := _depth(data, box)) is not None), None),
        is_sequence,
    )


def _boxes(data: Bytes, start: int, end: int) -> Iterator[Box]:
    """Yield name, start and end of the content of each box."""
    while start + 8 <= end:
        size, name = unpack(">I4s", data, start)
        first = start + 8
        if size == 1:
            (size,) = unpack(">Q", data, first)
            first += 8
        elif size == 0:
            size = end - start
        if start + size < first:
            return
        yield name, first, min(start + size, end)
        start += size


def _properties(data: Bytes, start: int, end: int) -> tuple[list[Box], list[Box]]:
    """Return all properties in a box of metadata, and those of the image that stands for the file, in order."""
    meta = {name: (first, last) for name, first, last in _boxes(data, start + 4, end)}
    if b"pitm" not in meta or b"iprp" not in meta:
        raise ValueError("no image stands for the file")
    place = meta[b"pitm"][0]
    (primary,) = unpack(">I" if data[place : place + 1] != b"\0" else ">H", data, place + 4)
    parts = list(_boxes(data, *meta[b"iprp"]))
    properties = [box for name, first, last in parts if name == b"ipco" for box in _boxes(data, first, last)]
    own: list[Box] = []
    for name, first, last in parts:
        if name == b"ipma":
            numbers = _associated(data[first:last], primary)
            own += [properties[number - 1] for number in numbers if 0 < number <= len(properties)]
    return properties, own


def _associated(content: bytes, item: int) -> list[int]:
    """Return the numbers, from 1 on, of the properties of an item."""
    version, flags, count = content[0], content[3], int.from_bytes(content[4:8], "big")
    number_form, place = ">I" if version else ">H", 8
    index_form, mask = (">H", 0x7FFF) if flags & 1 else (">B", 0x7F)
    for _ in range(count):
        (number,) = unpack(number_form, content, place)
        place += struct.calcsize(number_form)
        many, place = content[place], place + 1
        size = struct.calcsize(index_form)
        if number == item:
            return [unpack(index_form, content, place + size * each)[0] & mask for each in range(many)]
        place += many * size
    return []


def _orientation(data: Bytes, properties: list[Box]) -> Orientation:
    """Return what turning (``irot``) and mirroring (``imir``) come to, in the order in which they are listed."""
    transposed = flipped = mirrored = False
    for name, start, _ in properties:
        if name == b"irot":
            quarters = data[start : start + 1][0] & 3  # against the clock
            if quarters % 2:
                transposed, flipped, mirrored = not transposed, mirrored, flipped
            flipped ^= quarters in (1, 2)
            mirrored ^= quarters in (2, 3)
        elif name == b"imir":
            is_left_right = bool(data[start : start + 1][0] & 1)
            flipped ^= not is_left_right
            mirrored ^= is_left_right
    return Orientation(transposed, flipped, mirrored)


def _aperture(data: Bytes, start: int, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Return left, top, width and height of the clean aperture; None where it is not of whole pixels within."""
    numbers = unpack(">4IiIiI", data, start)
    if 0 in numbers[1::2]:
        return None
    wide, high, right, down = (Fraction(*numbers[at : at + 2]) for at in (0, 2, 4, 6))
    sides = (right + (width - wide) / 2, down + (height - high) / 2, wide, high)
    if any(side.denominator > 1 or side < 0 for side in sides) or not wide or not high:
        return None
    left, top, wide, high = sides
    return (int(left), int(top), int(wide), int(high)) if left + wide <= width and top + high <= height else None


def _colours(data: Bytes, box: Box) -> ColourSpace | None:
    name, start, _ = box
    if name != b"colr" or data[start : start + 4] != b"nclx":
        return None
    primaries, transfer = unpack(">HH", data, start + 4)
    return ColourSpace(transfer, primaries)


def _depth(data: Bytes, box: Box) -> int | None:
    name, start, _ = box
    if name == b"pixi":
        return data[start + 5 : start + 6][0]
    if name == b"av1C":
        flags = data[start + 2 : start + 3][0]
        return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10
    return None
