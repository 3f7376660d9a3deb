"""A folder of images, one image, or a pattern, read as a video."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from heatprop.errors import SourceError, SourceNotFoundError
from heatprop.io.picture_headers import header_of
from heatprop.io.pictures import PictureError
from heatprop.io.sequence_reader import SequenceReader
from heatprop.io.sources import OpenSource, SourceInfo
from heatprop.types import Frame, ImageArray

_PICTURES = ".avif .bmp .dib .jfif .jp2 .jpe .jpeg .jpg .pbm .pgm .png .pnm .ppm .tif .tiff .webp"
_OTHER_PICTURES = ".arw .cr2 .cr3 .dng .exr .gif .hdr .heic .heif .ico .jxl .nef .psd .svg .tga"
_VIDEOS = ".avi .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ts .webm .wmv"
IMAGE_SUFFIXES = frozenset(_PICTURES.split())
"""Endings of pictures that are read."""
OTHER_SUFFIXES = frozenset(f"{_OTHER_PICTURES} {_VIDEOS}".split())
"""Endings of other pictures and of videos: where they lie beside pictures, they are named as left out."""
IMAGE_RATE = Fraction(25)
_MOST_NAMES = 3


def is_pattern(path: Path) -> bool:
    """Return whether `path` names files by a pattern (``*``, ``?`` or ``[...]``) and is not itself a file."""
    return glob.has_magic(str(path)) and not path.exists()


def find_images(path: Path) -> tuple[list[Path], list[Path]]:
    """Return the images in a folder, of a pattern, or the one image, with numbers in their names in order.

    Returns:
        The images, and pictures of other kinds and videos that were found beside them.

    Example:
        >>> sorted([Path("shot10.png"), Path("shot9.png")], key=natural_order)[0].name
        'shot9.png'

    Raises:
        SourceNotFoundError: nothing has that name, or nothing fits the pattern.
        SourceError: there are no images among what was found, or it cannot be read.
    """
    try:
        found = _find(path)
        files = [one for one in found if one.is_file()]
        images = [one for one in files if one.suffix.lower() in IMAGE_SUFFIXES]
        others = [one for one in files if one.suffix.lower() in OTHER_SUFFIXES]
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"{path}: cannot look there ({error.strerror}); check name and rights") from None
    if not images:
        kinds = " ".join(sorted(IMAGE_SUFFIXES))
        raise SourceError(f"{path}: no images among {len(found)} files; images end in {kinds}")
    return sorted(images, key=natural_order), sorted(others, key=natural_order)


def _find(path: Path) -> list[Path]:
    if is_pattern(path):
        found = [Path(name) for name in glob.glob(str(path), recursive=True)]
        if not found:
            raise SourceNotFoundError(f"{path}: nothing fits this pattern; check it, and quote it in a shell")
        return found
    if path.is_dir():
        return list(path.iterdir())
    if path.exists():
        return [path]
    raise SourceNotFoundError(f"{path}: no such file; check the path")


def natural_order(path: Path) -> list[tuple[int, int, str]]:
    """Return a sorting key that puts ``shot9`` before ``shot10``, folder by folder."""
    return [
        (1, int(piece), "") if piece.isdecimal() else (0, 0, piece.casefold())
        for part in path.parts
        for piece in ["", *re.split(r"(\d+)", part)]
    ]


class ImageSource(OpenSource):
    """Images as a video, 25 a second since images carry no times; they may differ in size.

    A damaged image is left out, counted and named; the time it would have had stays empty. Images of more than 8
    bits are scaled by what they hold, all alike.

    Args:
        path: a folder, one image, or a pattern.

    Raises:
        SourceNotFoundError: nothing is there.
        SourceError: there are no images, or none can be decoded.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self._paths, left_out = find_images(Path(path))
        self._reader = SequenceReader(self._paths)
        self._lasting: list[str] = []
        if left_out:
            kinds = ", ".join(sorted({one.suffix.lower() for one in left_out}))
            self._lasting.append(
                f"{len(left_out)} files beside the pictures are left out ({kinds}); give them by themselves"
            )
        self._found: dict[Path, str] = {}
        first = next((image for image in map(self._read, self._paths) if image is not None), None)
        if first is None:
            if len(self._paths) == 1:
                raise SourceError(f"{path}: this picture {self._found[self._paths[0]]}; check the file")
            raise SourceError(
                f"{path}: none of its {len(self._paths)} images can be decoded (the first "
                f"{self._found[self._paths[0]]}); check the files"
            )
        self._lasting += self._reader.notes()
        self.notes = [*self._lasting, *self.notes]
        self._iteration = 0
        self.info = SourceInfo(
            name=str(path),
            width=first.shape[1],
            height=first.shape[0],
            frame_rate=IMAGE_RATE,
            frame_count=len(self._paths),
            duration=float(len(self._paths) / IMAGE_RATE),
            is_live=False,
            has_audio=False,
            colour=self._reader.colour,
        )

    def _frames(self) -> Iterator[Frame]:
        self.skipped = 0
        self._iteration += 1
        self.notes[:] = self._lasting
        self._found.clear()
        iteration, index, origin = self._iteration, 0, 0
        for position, path in enumerate(self._paths):
            self._require_open()
            if iteration != self._iteration:
                return
            image = self._read(path)
            if image is None:
                self.skipped += 1
                continue
            if index == 0:
                origin = position
            header = header_of(path)
            if header is not None and header.holds_several:
                whole = (
                    "it holds several pictures" if len(self._paths) == 1 else "images here hold several pictures"
                )
                self.note(f"{whole}; only the first of them is read")
            yield Frame(image, index, float((position - origin) / IMAGE_RATE))
            index += 1
        for line in self._reader.notes():
            self.note(line)

    def _read(self, path: Path) -> ImageArray | None:
        """Return an image; None, and name it, where it is damaged."""
        try:
            return self._reader.read(path)
        except PictureError as error:
            if path not in self._found and len(self._found) < _MOST_NAMES:
                self.note(f"damaged, left out: {path.name} {error.problem}")
            self._found[path] = error.problem
            return None

    def close(self) -> None:
        """End the source; calling it again does nothing."""
        self._is_open = False
