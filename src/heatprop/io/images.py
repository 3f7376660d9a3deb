"""A folder of images, one image, or a pattern, read as a video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from heatprop.errors import SourceError
from heatprop.io.folders import SkippedFiles, inspect_folder
from heatprop.io.image_files import ImageError
from heatprop.io.image_headers import header_of
from heatprop.io.sequence_reader import SequenceReader
from heatprop.io.sources import DEFAULT_FRAME_RATE, OpenSource, SourceInfo
from heatprop.io.suffixes import IMAGE_SUFFIXES
from heatprop.types import Frame, ImageArray

_MAX_NAMES = 3


def find_images(path: Path) -> tuple[Sequence[Path], SkippedFiles]:
    """Return the images in a folder, of a pattern, or the one image, with numbers in their names in order.

    Returns:
        The images, and what was found beside them that is not read.

    Raises:
        SourceNotFoundError: nothing has that name, or nothing fits the pattern.
        SourceError: there are no images among what was found, or it cannot be read.
    """
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        return [path], SkippedFiles()
    found = inspect_folder(path)
    if not found.images:
        kinds = " ".join(sorted(IMAGE_SUFFIXES))
        skipped = f" (skipped: {found.skipped})" if found.skipped else ""
        raise SourceError(f"{path}: no images among {found.files} files{skipped}; images end in {kinds}")
    return found.images, found.skipped


class ImageSource(OpenSource):
    """Images as a video, 25 a second since images carry no times; they may differ in size.

    A damaged image is skipped, counted and named; the time it would have had stays empty. Images of more than 8
    bits are scaled by what they hold, all alike.

    Args:
        path: a folder, one image, or a pattern.

    Raises:
        SourceNotFoundError: nothing is there.
        SourceError: there are no images, or none can be decoded.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self._paths, skipped = find_images(Path(path))
        self._reader = SequenceReader(self._paths)
        self._lasting: list[str] = []
        if skipped:
            self._lasting.append(skipped.note("images"))
        self._found: dict[Path, str] = {}
        first = next((image for image in map(self._read, self._paths) if image is not None), None)
        if first is None:
            if len(self._paths) == 1:
                raise SourceError(f"{path}: this image {self._found[self._paths[0]]}; check the file")
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
            frame_rate=DEFAULT_FRAME_RATE,
            frame_count=len(self._paths),
            duration=float(len(self._paths) / DEFAULT_FRAME_RATE),
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
                whole = "it holds several images" if len(self._paths) == 1 else "files here hold several images"
                self.note(f"{whole}; only the first of them is read")
            yield Frame(image, index, float((position - origin) / DEFAULT_FRAME_RATE))
            index += 1
        for line in self._reader.notes():
            self.note(line)

    def _read(self, path: Path) -> ImageArray | None:
        """Return an image; None, and name it, where it is damaged."""
        try:
            return self._reader.read(path)
        except ImageError as error:
            if path not in self._found and len(self._found) < _MAX_NAMES:
                self.note(f"damaged, skipped: {path.name} {error.problem}")
            self._found[path] = error.problem
            return None

    def close(self) -> None:
        """End the source; calling it again does nothing."""
        self._is_open = False
