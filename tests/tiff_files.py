"""TIFFs written by hand, for what other writers do not write."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Page:
    """An image without compression.

    Attributes:
        image: grey ``(H, W)`` or RGB, perhaps with transparency, ``(H, W, 3 or 4)``; of any depth.
        tags: further tags of 16-bit numbers, or others than usual.
        rows: of a strip; None: all in one.
    """

    image: np.ndarray
    tags: dict[int, int]
    rows: int | None = None


def tiff(image: np.ndarray, orientation: int = 1, order: str = "<", *, big: bool = False) -> bytes:
    """Return a TIFF of one page."""
    return tiff_of([Page(image, {274: orientation})], order, big=big)


def tiff_of(pages: list[Page], order: str = "<", *, big: bool = False) -> bytes:
    """Return a TIFF of some pages, each with its directory behind its pixels."""
    word, wide = ("Q", 8) if big else ("I", 4)
    version = struct.pack(order + "HHH", 43, 8, 0) if big else struct.pack(order + "H", 42)
    data = (b"II" if order == "<" else b"MM") + version
    link = len(data)
    data += bytes(wide)
    for page in pages:
        image = page.image
        height, width = image.shape[:2]
        channels = image.shape[2] if image.ndim > 2 else 1
        pixels = image.astype(image.dtype.newbyteorder(order)).tobytes()
        rows = page.rows or height
        length = rows * len(pixels) // height
        starts = range(0, len(pixels), length)
        places = [len(data) + start for start in starts]
        counts = [min(length, len(pixels) - start) for start in starts]
        data += pixels
        lists = []
        for numbers in (places, counts):
            lists.append(numbers[0] if len(numbers) == 1 else len(data))
            data += struct.pack(f"{order}{len(numbers)}I", *numbers) if len(numbers) > 1 else b""
        form = {"u": 1, "i": 2, "f": 3}[image.dtype.kind]
        values = {
            256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, image.dtype.itemsize * 8), 259: (3, 1, 1),
            262: (3, 1, 2 if channels > 2 else 1), 273: (4, len(places), lists[0]), 277: (3, 1, channels),
            278: (4, 1, rows), 279: (4, len(places), lists[1]), 339: (3, 1, form),
        } | {tag: (3, 1, value) for tag, value in page.tags.items()}  # fmt: skip
        at = len(data)
        data = data[:link] + struct.pack(order + word, at) + data[link + wide :]
        data += struct.pack(order + ("Q" if big else "H"), len(values))
        for tag, (kind, count, value) in sorted(values.items()):
            form_of_value = "I" if count > 1 else {3: "H", 4: "I"}[kind]
            if big and count > 1:
                form_of_value = "Q"
            data += struct.pack(f"{order}HH{word}", tag, kind, count)
            data += struct.pack(order + form_of_value, value).ljust(wide, b"\0")
        link = len(data)
        data += bytes(wide)
    return data
