"""Reads the images of a sequence or dataset alike: what is deeper than 8 bits is scaled by one rule for all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from heatprop.errors import SourceError
from heatprop.io.image_files import read_stored
from heatprop.io.sequence_levels import SequenceLevels
from heatprop.types import ImageArray


class SequenceReader:
    """Reads any of these images, in any order, in several threads and processes at once, to the same result.

    Args:
        paths: all images that belong together.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._levels = SequenceLevels(len(paths), lambda place: read_stored(paths[place]))

    def read(self, path: Path) -> ImageArray:
        """Return an image as uint8 RGB ``(H, W, 3)``, upright; errors as `read_image`."""
        return self._levels.show(read_stored(path), path)

    def try_read(self, path: Path) -> ImageArray | None:
        """Return what `read` does; None where the image is damaged or cannot be read."""
        try:
            return self.read(path)
        except SourceError:
            return None

    @property
    def colour(self) -> str | None:
        """From which colours images were converted so far; None: from none."""
        return self._levels.colour

    def notes(self) -> list[str]:
        """Return what is worth knowing of how images were scaled so far."""
        return self._levels.notes()

    def __getstate__(self) -> Sequence[Path]:
        """Leave out the lock, for another process."""
        return self._paths

    def __setstate__(self, state: Sequence[Path]) -> None:
        self.__init__(state)  # type: ignore[misc]
