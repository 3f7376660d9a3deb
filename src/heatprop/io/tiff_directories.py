"""The directories of a TIFF: which of them are pages, and a page by itself.

Sources: TIFF 6.0, and the description of BigTIFF by its authors. EXIF is kept in the same form.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from heatprop.io.file_bytes import Bytes, unpack

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WIDTH, HEIGHT, ORIENTATION = 256, 257, 274

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
_MAX_TAGS = 4096
_KIND, _OLD_KIND = 254, 255
_REDUCED, _MASK, _OLD_REDUCED = 1, 4, 2
_BITS, _PHOTOMETRIC, _EXTRA_SAMPLES, _SAMPLE_FORM = 258, 262, 338, 339
_MIN_IS_WHITE, _MIN_IS_BLACK = 0, 1
_MULTIPLIED, _NOT_MULTIPLIED = 1, 2
# Where strips or tiles lie, and how long they are.
_PIXELS = {273: 279, 324: 325}
# What points to further directories.
_POINTERS = frozenset({330, 34665, 34853, 40965})


@dataclass(frozen=True, slots=True)
class Field:
    """Where the values of a tag are, of which type, and how many."""

    kind: int
    count: int
    at: int


@dataclass(frozen=True, slots=True)
class Directory:
    """What is said of one image.

    Attributes:
        start: where it lies.
        order: "<" or ">", as `struct` has it.
        is_big: whether it is of a BigTIFF.
        fields: by tag.
        following: where the next directory is; 0 if there is none.
    """

    start: int
    order: str
    is_big: bool
    fields: dict[int, Field]
    following: int

    def numbers(self, data: Bytes, tag: int) -> tuple[int, ...]:
        """Return the whole numbers of a tag; none where it is not there."""
        field = self.fields.get(tag)
        if field is None or field.kind not in _NUMBERS:
            return ()
        return unpack(f"{self.order}{field.count}{_NUMBERS[field.kind]}", data, field.at)

    def number(self, data: Bytes, tag: int, otherwise: int = 0) -> int:
        """Return the first number of a tag."""
        return next(iter(self.numbers(data, tag)), otherwise)

    def is_page(self, data: Bytes) -> bool:
        """Return whether it is an image to be seen: no smaller copy of another, and no mask."""
        kind = self.number(data, _KIND) & (_REDUCED | _MASK)
        return not kind and self.number(data, _OLD_KIND) != _OLD_REDUCED and WIDTH in self.fields

    def is_negative(self, data: Bytes) -> bool:
        """Return whether 0 is white in values deeper than 8 bits, which decoders give as they are."""
        is_white = self.number(data, _PHOTOMETRIC, _MIN_IS_BLACK) == _MIN_IS_WHITE
        return is_white and self.number(data, _BITS, 1) > 8 and self.number(data, _SAMPLE_FORM, 1) == 1


def directory_at(data: Bytes, start: int | None = None) -> Directory:
    """Return the directory at a place, the first if it is not said where.

    Raises:
        struct.error: the data ends before.
        ValueError: it is none.
    """
    order = "<" if data[:2] == b"II" else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")
    word, count_form, size, wide = ("Q", "Q", 20, 8) if is_big else ("I", "H", 12, 4)
    if start is None:
        (start,) = unpack(order + word, data, 8 if is_big else 4)
    (count,) = unpack(order + count_form, data, start)
    if count > _MAX_TAGS:
        raise ValueError("a directory of no sensible length")
    first = start + struct.calcsize(count_form)
    table = data[first : first + count * size + wide]
    fields = {}
    for number in range(count):
        tag, kind, values = unpack(f"{order}HH{word}", table, number * size)
        at = first + number * size + size - wide
        if values * _SIZES.get(kind, 1) > wide:
            (at,) = unpack(order + word, table, number * size + size - wide)
        if len(table) < (number + 1) * size:
            raise ValueError("a directory that is cut off")
        fields[tag] = Field(kind, values, at)
    end = table[count * size :]
    following = struct.unpack(order + word, end)[0] if len(end) == wide else 0
    return Directory(start, order, is_big, fields, following)


def pages(data: Bytes) -> Iterator[Directory]:
    """Yield the pages of a TIFF, as far as its directories are whole; the first directory where none is a page."""
    first: Directory | None = None
    start: int | None = None
    seen: set[int] = set()
    found = False
    while start != 0 and start not in seen:
        try:
            directory = directory_at(data, start)
            is_page = directory.is_page(data)
        except (struct.error, ValueError):
            break
        seen.add(directory.start)
        first, start = first or directory, directory.following
        if is_page:
            found = True
            yield directory
    if first is not None and not found:
        yield first


def plain_tiff(data: bytes, page: Directory) -> bytes:
    """Return a TIFF that begins with this page, and that decoders give as it is stored.

    It says of itself that it is upright, that 0 is black where `Directory.is_negative` says otherwise, and that
    its colours are multiplied by their transparency, so that nobody does so.
    """
    changed = bytearray(data)
    struct.pack_into(page.order + ("Q" if page.is_big else "I"), changed, 8 if page.is_big else 4, page.start)
    for tag, before, after in (
        (ORIENTATION, None, 1),
        (_PHOTOMETRIC, _MIN_IS_WHITE if page.is_negative(data) else _MIN_IS_BLACK, _MIN_IS_BLACK),
        (_EXTRA_SAMPLES, _NOT_MULTIPLIED, _MULTIPLIED),
    ):
        field = page.fields.get(tag)
        if field is None or field.kind != 3:
            continue
        for place, value in enumerate(page.numbers(data, tag)):
            if before in (None, value):
                struct.pack_into(page.order + "H", changed, field.at + 2 * place, after)
    return bytes(changed)


def cut_page(data: Bytes, page: Directory) -> bytes:
    """Return a page as a TIFF of its own, so that the rest need not be in memory.

    Raises:
        struct.error: what its directory points to is not in the file.
        ValueError: it is not said where its pixels are.
    """
    word, count_form, wide = ("Q", "Q", 8) if page.is_big else ("I", "H", 4)
    offsets_tag = next((tag for tag in _PIXELS if tag in page.fields), None)
    if offsets_tag is None:
        raise ValueError("no pixels")
    offsets = page.numbers(data, offsets_tag)
    counts = page.numbers(data, _PIXELS[offsets_tag]) or (0,) * len(offsets)
    body = bytearray(data[: 16 if page.is_big else 8])
    places = []
    for at, count in zip(offsets, counts, strict=True):
        places.append(len(body))
        body += data[at : at + (count or len(data) - at)]
    entries = b""
    fields = sorted(each for each in page.fields.items() if each[0] not in _POINTERS)
    for tag, field in fields:
        kind, length = field.kind, field.count * _SIZES.get(field.kind, 1)
        content = data[field.at : field.at + length]
        if len(content) < length:
            raise struct.error("values beyond the end")
        if tag == offsets_tag:
            kind, content = 16 if page.is_big else 4, struct.pack(f"{page.order}{len(places)}{word}", *places)
        if len(content) > wide:
            body += bytes(len(body) % 2)
            content, body = struct.pack(page.order + word, len(body)), body + content
        entries += struct.pack(f"{page.order}HH{word}", tag, kind, field.count) + content.ljust(wide, b"\0")
    body += bytes(len(body) % 2)
    struct.pack_into(page.order + word, body, 8 if page.is_big else 4, len(body))
    return bytes(body + struct.pack(page.order + count_form, len(fields)) + entries + bytes(wide))
