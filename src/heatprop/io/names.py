"""Whether the user's name for a source means one video, or several of a folder or pattern."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from heatprop.errors import SourceError, SourceNotFoundError
from heatprop.io.addresses import camera_named, is_address, path_named
from heatprop.io.folders import Found, inspect_folder, is_pattern


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
