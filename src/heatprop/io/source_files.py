"""Which files a source reads, whatever it is called: nothing may be written over them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from heatprop.errors import SourceError
from heatprop.io.addresses import camera_named, is_address, path_named
from heatprop.io.folders import inspect_folder, is_pattern


def files_of(source: str) -> list[Path]:
    """Return the files that a source reads, be they there or not; none for an address and a camera."""
    if not source or is_address(source) or camera_named(source) is not None:
        return []
    path = path_named(source)
    try:
        if path.is_dir() or is_pattern(path):
            found = inspect_folder(path)
            return [*found.images, *found.videos]
        return [path]
    except (OSError, SourceError, ValueError):
        return []


class SourceFiles:
    """The files that sources read; a file is the same under any of its names: links, hard links, ``file://``.

    Args:
        sources: what the user gave.
    """

    def __init__(self, sources: Iterable[str]) -> None:
        self._sources = {_identity(path): source for source in sources for path in files_of(source)}

    def source_at(self, path: str | Path) -> str | None:
        """Return the source that reads the file of this name; None if none does."""
        return self._sources.get(_identity(path))


def _identity(path: str | Path) -> tuple[int, int] | str:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # it is not there
        return os.path.realpath(path)
    return status.st_dev, status.st_ino
