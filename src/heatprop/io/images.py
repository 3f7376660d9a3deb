"""A folder of images, one image, or a pattern, read as a video."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from heatprop.errors import SourceError, SourceNotFoundError
from heatprop.io.animations import several_in
from heatprop.io.silence import opencv_silence
from heatprop.io.sources import OpenSource, SourceInfo
from heatprop.types import Frame, ImageArray

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
IMAGE_RATE = Fraction(25)


def is_pattern(path: Path) -> bool:
    """Return whether `path` names files by a pattern (``*``, ``?`` or ``[...]``) and is not itself a file."""
    return glob.has_magic(str(path)) and not path.exists()


def find_images(path: Path) -> list[Path]:
    """Return the images in a folder, of a pattern, or the one image, with numbers in their names in order.

    Example:
        >>> sorted([Path("shot10.png"), Path("shot9.png")], key=natural_order)[0].name
        'shot9.png'

    Raises:
        SourceNotFoundError: nothing has that name, or nothing fits the pattern.
        SourceError: there are no images among what was found, or it cannot be read.
    """
    try:
        found = _find(path)
        images = [one for one in found if one.suffix.lower() in IMAGE_SUFFIXES and one.is_file()]
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"{path}: cannot look there ({error.strerror}); check name and rights") from None
    if not images:
        kinds = " ".join(sorted(IMAGE_SUFFIXES))
        raise SourceError(f"{path}: no images among {len(found)} files; images end in {kinds}")
    return sorted(images, key=natural_order)


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


def read_image(path: Path) -> ImageArray | None:
    """Return an image as uint8 RGB ``(H, W, 3)``, upright; None when it is damaged.

    Grey, 16-bit and transparent images become plain RGB; a JPEG's orientation tag is followed.

    Raises:
        SourceError: the file cannot be read.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise SourceError(f"{path}: cannot read it ({error.strerror}); check the file") from None
    try:
        with opencv_silence():
            image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:
        return None
    return None if image is None else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def try_read_image(path: Path) -> ImageArray | None:
    """Return what `read_image` does; None also when the file cannot be read."""
    try:
        return read_image(path)
    except SourceError:
        return None


class ImageSource(OpenSource):
    """Images as a video, 25 a second since images carry no times; they may differ in size.

    A damaged image is left out and counted; the time it would have had stays empty.

    Args:
        path: a folder, one image, or a pattern.

    Raises:
        SourceNotFoundError: nothing is there.
        SourceError: there are no images, or none can be decoded.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self._paths = find_images(Path(path))
        first = next((image for image in map(read_image, self._paths) if image is not None), None)
        if first is None:
            raise SourceError(f"{path}: none of its {len(self._paths)} images can be decoded; check the files")
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
        )

    def _frames(self) -> Iterator[Frame]:
        self.skipped = 0
        self._iteration += 1
        self.notes.clear()
        iteration, index, origin = self._iteration, 0, 0
        for position, path in enumerate(self._paths):
            self._require_open()
            if iteration != self._iteration:
                return
            image = read_image(path)
            if image is None:
                self.skipped += 1
                continue
            if index == 0:
                origin = position
            if several_in(path) is not None:
                whole = (
                    "it holds several pictures" if len(self._paths) == 1 else "images here hold several pictures"
                )
                self.note(f"{whole}; only the first of them is read")
            yield Frame(image, index, float((position - origin) / IMAGE_RATE))
            index += 1

    def close(self) -> None:
        """End the source; calling it again does nothing."""
        self._is_open = False
