"""The one reader of images: what it finds damaged, too large or turned is so for everybody who reads any.

Docs: docs/decisions/024-one-reader-of-pictures.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from heatprop.errors import SourceError, UnfitFileError
from heatprop.io.file_bytes import FileBytes
from heatprop.io.image_colours import to_bt709
from heatprop.io.image_decoders import JPEG_END, ProblemError, decode, unread
from heatprop.io.image_headers import ImageHeader, kind_of, read_header, too_large
from heatprop.io.levels import Levels, to_eight_bits
from heatprop.io.regular_files import GB, open_regular, read_regular
from heatprop.types import ImageArray

LARGEST_FILE = 2 * GB

_TAIL = 1 << 12  # bytes that are searched for the mark of the end when nothing is decoded
_ENDS = {"JPEG": JPEG_END, "PNG": b"IEND"}


class ImageError(SourceError):
    """An image is damaged or too large: `problem` says what, without the name."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: this image {problem}; replace it")
        self.path, self.problem = path, problem

    def __reduce__(self) -> tuple[type[ImageError], tuple[str, str]]:
        """Say how it is made again in another process."""
        return type(self), (self.path, self.problem)


@dataclass(frozen=True, slots=True)
class ImageState:
    """What was seen of an image file.

    Attributes:
        size: width and height in pixels of the upright image; None where not even that could be read.
        problem: what is wrong; None: nothing was found.
        is_missing: there is no such file.
        holds_several: the file holds more images than the one that is read.
    """

    size: tuple[int, int] | None
    problem: str | None = None
    is_missing: bool = False
    holds_several: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class StoredImage:
    """An image as it is stored.

    Attributes:
        values: ``(H, W, 3)``, uint8 or deeper, not turned; of JPEG RGB, of other kinds BGR.
        header: what the file says of it.
    """

    values: np.ndarray
    header: ImageHeader

    @property
    def needs_levels(self) -> bool:
        """Whether the file does not say which value is white."""
        return self.values.dtype != np.uint8 and self.header.depth is None

    def shown(self, levels: Levels | None = None) -> ImageArray:
        """Return it as uint8 RGB ``(H, W, 3)`` of BT.709, upright.

        Args:
            levels: what is white where `needs_levels`; None: what this image holds.
        """
        header, values = self.header, self.values
        if values.dtype == np.uint8:
            levels = Levels(255.0)
        elif header.depth is not None:
            levels = Levels(2.0**header.depth - 1)
        elif levels is None:
            levels = Levels.of([values])
        if header.colours.name is not None:
            image = to_bt709(values if header.kind == "JPEG" else values[..., ::-1], levels.white, header.colours)
        else:
            image = to_eight_bits(values, levels)
            if header.kind != "JPEG":
                image = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        return np.ascontiguousarray(header.orientation.apply(255 - image if header.is_negative else image))


def read_image(path: str | Path) -> ImageArray:
    """Return an image as uint8 RGB ``(H, W, 3)`` of BT.709, upright by what the file says of it.

    Grey images and palettes become RGB; transparency is dropped, so that colours stand as they are stored. Of
    several images in a file the first is read. Deeper images than 8 bits are scaled by what they hold, or by
    what their kind fixes; those of a sequence are read by `SequenceReader`, all alike.

    Args:
        path: the file; its content says of which kind it is.

    Raises:
        ImageError: it is damaged, no image, or has more than `LARGEST_IMAGE` pixels.
        SourceError: it is missing or cannot be read.
    """
    return read_stored(path).shown()


def image_of(data: bytes) -> ImageArray:
    """Return the image that bytes hold, as `read_image` does of a file.

    Raises:
        ImageError: they are damaged or too large.
    """
    return stored_in(data, "a part").shown()


def read_stored(path: str | Path) -> StoredImage:
    """Return an image as it is stored; errors as of `read_image`."""
    try:
        data = read_regular(path, LARGEST_FILE)
    except UnfitFileError as error:
        raise SourceError(str(error)) from None
    except OSError as error:
        raise SourceError(f"{path}: cannot read it ({error.strerror}); check the file") from None
    return stored_in(data, str(path))


def stored_in(data: bytes, name: str) -> StoredImage:
    """Return the image that bytes hold as it is stored.

    Args:
        data: of a whole file.
        name: what they are called in messages.

    Raises:
        ImageError: they are damaged or too large.
    """
    try:
        return StoredImage(*decode(data))
    except ProblemError as error:
        raise ImageError(name, str(error)) from None


def inspect_image(path: Path, *, quick: bool = False) -> ImageState:
    """Check whether an image is whole: `read_image` reads what has no problem, and refuses what has one.

    An image that is cut off is always found. One that is overwritten within is found by checksums in PNG; of JPEG
    mostly, for it has none and some damage makes another valid image; of other kinds where decoding fails.

    Args:
        path: the file.
        quick: of JPEG and PNG, read only the header and the end, whose mark a cut-off file lacks.
    """
    try:
        state = _glance(path) if quick else None
        return _state(read_regular(path, LARGEST_FILE)) if state is None else state
    except FileNotFoundError:
        return ImageState(None, "is missing", is_missing=True)
    except OSError as error:
        return ImageState(None, f"cannot be read ({error.strerror})")


def _state(data: bytes) -> ImageState:
    header = read_header(data)
    size, holds_several = (header.size, header.holds_several) if header else (None, False)
    try:
        decode(data)
    except ProblemError as error:
        return ImageState(size, str(error), holds_several=holds_several)
    return ImageState(size, holds_several=holds_several)


def _glance(path: Path) -> ImageState | None:
    """Return what header and end say; None where they do not say enough."""
    with open_regular(path, LARGEST_FILE) as file:
        data = FileBytes(file)
        end = _ENDS.get(kind_of(data) or "")
        if end is None or end not in data[max(0, len(data) - _TAIL) :]:  # much may stand behind it
            return None
        header = read_header(data)
        if header is None:
            return ImageState(None, unread(data))
    return ImageState(header.size, too_large(header.width, header.height), holds_several=header.holds_several)
