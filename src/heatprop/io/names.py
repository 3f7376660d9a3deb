"""What the user's name for a source means: one video or several of a folder or pattern, and a live one or not."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from heatprop.errors import SourceError, SourceNotFoundError
from heatprop.io.addresses import camera_named, is_address, path_named
from heatprop.io.folders import Found, inspect_folder, is_pattern
from heatprop.io.sources import VideoSource

Source: TypeAlias = str | os.PathLike[str] | int | VideoSource
"""What `heatprop.open_video` takes, or what it returned."""


def videos_of(name: str | Path) -> list[Path]:
    """Return the videos of a folder or pattern in which there are no images: each is a source of its own.

    What heatprop made itself, or is making, is not among them, nor what macOS lays beside files. Empty where
    `name` is one source: a file, an address, a camera, or images.

    Raises:
        SourceError: it cannot be read.
    """
    found = _found_at(name)
    return [] if found is None else list(found.videos)


def sources_of(names: Sequence[str], notify: Callable[[str], None] = lambda _: None) -> list[str]:
    """Return the sources that names mean: each video of a folder or pattern, and anything else as it is.

    Args:
        names: what the user gave.
        notify: is told in a line of what lies beside the videos of a folder and is skipped.

    Raises:
        SourceError: a folder or pattern cannot be read.
    """
    sources: list[str] = []
    for name in names:
        found = _found_at(name)
        if found is None or not found.videos:
            sources.append(name)
            continue
        sources += map(str, found.videos)
        if found.skipped:
            notify(f"{name}: {found.skipped.note('videos')}")
    return sources


def live_by_name(sources: Sequence[Source]) -> list[int]:
    """Return the places of the sources that are known to be live before they are opened."""
    return [number for number, source in enumerate(sources) if is_live_by_name(source)]


def is_live_by_name(source: Source) -> bool:
    """Return whether a source is known to be live before it is opened; of an ``http`` address it is not.

    Example:
        >>> [is_live_by_name(source) for source in (0, "camera:1", "rtsp://10.0.0.7/door", "street.mp4")]
        [True, True, True, False]
    """
    if isinstance(source, VideoSource):
        return source.info.is_live
    name = str(source)
    if isinstance(source, int) or camera_named(name) is not None:
        return True
    if is_address(name):
        return not name.lower().startswith("http")
    path = path_named(name)
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def may_be_wrong(source: str) -> bool:
    """Return whether a source is perhaps not there. One that can be opened only once is not tried."""
    return not (is_address(source) or is_live_by_name(source) or os.path.exists(source))


def _found_at(name: str | Path) -> Found | None:
    if is_address(name) or camera_named(str(name)) is not None:
        return None
    path = path_named(str(name))
    try:
        is_several = is_pattern(path) or path.is_dir()
    except OSError as error:
        raise SourceError(f"{name}: cannot be read ({error.strerror}); check name and rights") from None
    try:
        return inspect_folder(path) if is_several else None
    except SourceNotFoundError:  # whoever opens it says so
        return None
