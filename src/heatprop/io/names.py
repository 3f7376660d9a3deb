"""Whether the user's name for a source means one video, or several of a folder or pattern."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from heatprop.errors import SourceError
from heatprop.io.addresses import camera_named, is_address, path_named
from heatprop.io.images import IMAGE_SUFFIXES, is_pattern, natural_order

VIDEO_SUFFIXES = frozenset({
    *(".3gp", ".apng", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg"),
    *(".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
})  # fmt: skip
"""Endings of videos; many in a folder are several sources."""


def videos_of(name: str | Path) -> list[Path]:
    """Return the videos of a folder or pattern in which there are no pictures: each is a source of its own.

    Empty where `name` is one source: a file, an address, a camera, or pictures.

    Raises:
        SourceError: it cannot be looked at.
    """
    if is_address(name) or camera_named(str(name)) is not None:
        return []
    path = path_named(str(name))
    try:
        if is_pattern(path):
            found = [Path(each) for each in glob.glob(str(path), recursive=True)]
        elif path.is_dir():
            found = list(path.iterdir())
        else:
            return []
        files = sorted((each for each in found if each.is_file()), key=natural_order)
    except OSError as error:
        raise SourceError(f"{name}: cannot look there ({error.strerror}); check name and rights") from None
    if any(each.suffix.lower() in IMAGE_SUFFIXES for each in files):
        return []
    return [each for each in files if each.suffix.lower() in VIDEO_SUFFIXES]


def sources_of(names: Sequence[str]) -> list[str]:
    """Return the sources that names mean: each video of a folder or pattern, and anything else as it is.

    Raises:
        SourceError: a folder or pattern cannot be looked at.
    """
    return [source for name in names for source in [str(each) for each in videos_of(name)] or [name]]
