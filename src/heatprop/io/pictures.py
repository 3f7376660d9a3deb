"""The one reader of pictures: what it finds damaged, too large or turned is so for everybody who reads any.

Docs: docs/decisions/024-one-reader-of-pictures.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from heatprop.errors import SourceError, UnfitFileError
from heatprop.io.file_bytes import FileBytes
from heatprop.io.levels import Levels, to_eight_bits
from heatprop.io.picture_colours import to_bt709
from heatprop.io.picture_decoders import JPEG_END, ProblemError, decode, unread
from heatprop.io.picture_headers import PictureHeader, kind_of, read_header, too_large
from heatprop.io.regular_files import GB, open_regular, read_regular
from heatprop.types import ImageArray

LARGEST_FILE = 2 * GB

_TAIL = 1 << 12  # bytes that are searched for the mark of the end when nothing is decoded
_ENDS = {"JPEG": JPEG_END, "PNG": b"IEND"}


class PictureError(SourceError):
    """A picture is damaged or too large: `problem` says what, without the name."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: this picture {problem}; replace it")
        self.path, self.problem = path, problem

    def __reduce__(self) -> tuple[type[PictureError], tuple[str, str]]:
        """Say how it is made again in another process."""
        return type(self), (self.path, self.problem)


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


@dataclass(frozen=True, slots=True, eq=False)
class StoredPicture:
    """A picture as it is stored.

    Attributes:
        values: ``(H, W, 3)``, uint8 or deeper, not turned; of JPEG RGB, of other kinds BGR.
        header: what the file says of it.
    """

    values: np.ndarray
    header: PictureHeader

    @property
    def needs_levels(self) -> bool:
        """Whether the file does not say which value is white."""
        return self.values.dtype != np.uint8 and self.header.depth is None

    def shown(self, levels: Levels | None = None) -> ImageArray:
        """Return it as uint8 RGB ``(H, W, 3)`` of BT.709, upright.

        Args:
            levels: what is white where `needs_levels`; None: what this picture holds.
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


def read_picture(path: str | Path) -> ImageArray:
    """Return a picture as uint8 RGB ``(H, W, 3)`` of BT.709, upright by what the file says of it.

    Grey pictures and palettes become RGB; transparency is left out, so that colours stand as they are stored. Of
    several pictures in a file the first is read. Deeper pictures than 8 bits are scaled by what they hold, or by
    what their kind fixes; those of a sequence are read by `SequenceReader`, all alike.

    Args:
        path: the file; its content says of which kind it is.

    Raises:
        PictureError: it is damaged, no picture, or has more than `LARGEST_PICTURE` pixels.
        SourceError: it is missing or cannot be read.
    """
    return read_stored(path).shown()


def picture_of(data: bytes) -> ImageArray:
    """Return the picture that bytes hold, as `read_picture` does of a file.

    Raises:
        PictureError: they are damaged or too large.
    """
    return stored_in(data, "a part").shown()


def read_stored(path: str | Path) -> StoredPicture:
    """Return a picture as it is stored; errors as of `read_picture`."""
    try:
        data = read_regular(path, LARGEST_FILE)
    except UnfitFileError as error:
        raise SourceError(str(error)) from None
    except OSError as error:
        raise SourceError(f"{path}: cannot read it ({error.strerror}); check the file") from None
    return stored_in(data, str(path))


def stored_in(data: bytes, name: str) -> StoredPicture:
    """Return the picture that bytes hold as it is stored.

    Args:
        data: of a whole file.
        name: what they are called in messages.

    Raises:
        PictureError: they are damaged or too large.
    """
    try:
        return StoredPicture(*decode(data))
    except ProblemError as error:
        raise PictureError(name, str(error)) from None


def inspect_picture(path: Path, *, quick: bool = False) -> PictureState:
    """Check whether a picture is whole: `read_picture` reads what has no problem, and refuses what has one.

    A picture that is cut off is always found. One that is overwritten within is found by checksums in PNG; of JPEG
    mostly, for it has none and some damage makes another valid picture; of other kinds where decoding fails.

    Args:
        path: the file.
        quick: of JPEG and PNG, read only the header and the end, whose mark a cut-off file lacks.
    """
    try:
        state = _glance(path) if quick else None
        return _state(read_regular(path, LARGEST_FILE)) if state is None else state
    except FileNotFoundError:
        return PictureState(None, "is missing", is_missing=True)
    except OSError as error:
        return PictureState(None, f"cannot be read ({error.strerror})")


def _state(data: bytes) -> PictureState:
    header = read_header(data)
    size, holds_several = (header.size, header.holds_several) if header else (None, False)
    try:
        decode(data)
    except ProblemError as error:
        return PictureState(size, str(error), holds_several=holds_several)
    return PictureState(size, holds_several=holds_several)


def _glance(path: Path) -> PictureState | None:
    """Return what header and end say; None where they do not say enough."""
    with open_regular(path, LARGEST_FILE) as file:
        data = FileBytes(file)
        end = _ENDS.get(kind_of(data) or "")
        if end is None or end not in data[max(0, len(data) - _TAIL) :]:  # much may stand behind it
            return None
        header = read_header(data)
        if header is None:
            return PictureState(None, unread(data))
    return PictureState(header.size, too_large(header.width, header.height), holds_several=header.holds_several)
