"""The pages of a TIFF as a video, 25 a second since they carry no times."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from heatprop.errors import SourceError, UnfitFileError
from heatprop.io.file_bytes import FileBytes
from heatprop.io.image_files import ImageError, StoredImage, stored_in
from heatprop.io.image_headers import tiff_header, too_large
from heatprop.io.regular_files import open_regular
from heatprop.io.sequence_levels import SequenceLevels
from heatprop.io.sources import DEFAULT_FRAME_RATE, OpenSource, SourceInfo
from heatprop.io.tiff_directories import cut_page, pages
from heatprop.types import Frame, ImageArray


class TiffSource(OpenSource):
    """The pages of a TIFF, without smaller copies of them and masks; one after the other is in memory.

    A damaged page is skipped and counted; the time it would have had stays empty. Pages of more than 8 bits are
    scaled by what they hold, all alike.

    Args:
        path: the file.

    Raises:
        SourceError: it cannot be read, a page is too large, or none can be decoded.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._iteration = 0
        try:
            with open_regular(path) as file:
                data = FileBytes(file)
                self._pages = list(pages(data))
                headers = [tiff_header(data, page) for page in self._pages]
        except (OSError, UnfitFileError, struct.error) as error:
            raise SourceError(f"{path}: cannot read it ({error}); check the file") from None
        largest = max(headers, key=lambda header: header.width * header.height, default=None)
        problem = too_large(largest.width, largest.height) if largest is not None else None
        if problem is not None:
            raise SourceError(f"{path}: an image in it {problem}; make it smaller first")
        self._levels = SequenceLevels(len(self._pages), self._stored)
        first = next((image for _, image in self._images() if image is not None), None)
        if first is None:
            raise SourceError(f"{path}: none of its images can be decoded; it needs repair")
        self.notes = self._levels.notes("pages")
        self.info = SourceInfo(
            name=str(path),
            width=first.shape[1],
            height=first.shape[0],
            frame_rate=DEFAULT_FRAME_RATE,
            frame_count=len(self._pages),
            duration=float(len(self._pages) / DEFAULT_FRAME_RATE),
            is_live=False,
            has_audio=False,
        )

    def _stored(self, number: int) -> StoredImage:
        try:
            with open_regular(self._path) as file:
                data = cut_page(FileBytes(file), self._pages[number])
        except (OSError, ValueError, struct.error):
            raise ImageError(str(self._path), "cannot be read") from None
        return stored_in(data, str(self._path))

    def _images(self) -> Iterator[tuple[int, ImageArray | None]]:
        """Yield each page and its number; None for what is damaged."""
        for number in range(len(self._pages)):
            try:
                yield number, self._levels.show(self._stored(number), number)
            except SourceError:
                yield number, None

    def _frames(self) -> Iterator[Frame]:
        self.skipped = 0
        self._iteration += 1
        iteration, index, origin = self._iteration, 0, 0
        for number, image in self._images():
            self._require_open()
            if iteration != self._iteration:
                return
            if image is None:
                self.skipped += 1
                continue
            if index == 0:
                origin = number
            yield Frame(image, index, float((number - origin) / DEFAULT_FRAME_RATE))
            index += 1
        for line in self._levels.notes("pages"):
            self.note(line)

    def close(self) -> None:
        """End the source; calling it again does nothing."""
        self._is_open = False
