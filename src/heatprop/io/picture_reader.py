"""Reads the pictures of a sequence or dataset alike: what is deeper than 8 bits is scaled by one rule for all."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from heatprop.errors import SourceError
from heatprop.io.levels import Levels
from heatprop.io.pictures import read_picture, read_stored
from heatprop.types import ImageArray

_LOOKED_AT = 16


class PictureReader:
    """Reads any of these pictures, in any order, in several threads and processes at once, to the same result.

    The first picture that is deeper than 8 bits makes it look at some of all, evenly spread, for what they hold;
    brighter values than theirs become white.

    Args:
        paths: all pictures that belong together.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._lock = threading.Lock()
        self._levels: Levels | None = None

    @property
    def levels(self) -> Levels | None:
        """What became white; None as long as no picture was deeper than 8 bits."""
        return self._levels

    def read(self, path: Path) -> ImageArray:
        """Return a picture as uint8 RGB ``(H, W, 3)``, upright; errors as `read_picture`."""
        return read_picture(path, self._settled)

    def try_read(self, path: Path) -> ImageArray | None:
        """Return what `read` does; None where the picture is damaged or cannot be read."""
        try:
            return self.read(path)
        except SourceError:
            return None

    def _settled(self) -> Levels:
        with self._lock:
            if self._levels is None:
                places = np.unique(np.linspace(0, len(self._paths) - 1, _LOOKED_AT).round().astype(int))
                self._levels = Levels.of(_deep(self._paths[place] for place in places.tolist()))
            return self._levels

    def __getstate__(self) -> Sequence[Path]:
        """Leave out the lock, for another process."""
        return self._paths

    def __setstate__(self, state: Sequence[Path]) -> None:
        self.__init__(state)  # type: ignore[misc]


def _deep(paths: Iterable[Path]) -> Iterator[np.ndarray]:
    for path in paths:
        try:
            stored = read_stored(path)
        except SourceError:
            continue
        if stored.dtype != np.uint8:
            yield stored
