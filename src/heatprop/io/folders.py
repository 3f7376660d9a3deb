"""What a folder or pattern holds: images, which are one source, or videos, which are several.

Nothing that looks like an image or a video is ignored in silence: `SkippedFiles` names what is not read.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from heatprop.errors import SourceError, SourceNotFoundError
from heatprop.io.completeness import is_annotated
from heatprop.io.partial_names import stem_of_output
from heatprop.io.suffixes import IMAGE_SUFFIXES, OTHER_SUFFIXES, VIDEO_SUFFIXES

_LOOK_ALIKE = IMAGE_SUFFIXES | VIDEO_SUFFIXES | OTHER_SUFFIXES
_PARTIAL = ".part"
_OF_MACOS = "._"
_BY_DEFAULT = ".heatprop.mp4"
_MAX_NAMES = 3


@dataclass(frozen=True, slots=True)
class SkippedFiles:
    """Files that look like images or videos, and are not read.

    Attributes:
        others: of another kind than what is read.
        made: annotated videos of heatprop.
        unfinished: what is still being written, or was when a program was killed.
        companions: what macOS lays beside files on disks that cannot hold all it knows of them.
    """

    others: Sequence[Path] = ()
    made: Sequence[Path] = ()
    unfinished: Sequence[Path] = ()
    companions: Sequence[Path] = ()

    def __len__(self) -> int:
        return sum(map(len, (self.others, self.made, self.unfinished, self.companions)))

    def __str__(self) -> str:
        kinds = {"made by heatprop": self.made, "unfinished": self.unfinished, "of macOS": self.companions}
        told = [", ".join(sorted({path.suffix.lower() for path in self.others}))] if self.others else []
        return "; ".join([*told, *(f"{kind}: {_names(paths)}" for kind, paths in kinds.items() if paths)])

    def note(self, beside: str) -> str:
        """Return the line that names them.

        Example:
            >>> SkippedFiles(others=[Path("a.heic")], made=[Path("b.mp4")]).note("videos")
            '2 files beside the videos are skipped (.heic; made by heatprop: b.mp4); give them by themselves'
        """
        is_one = len(self) == 1
        files, are = ("1 file", "is") if is_one else (f"{len(self):,} files", "are")
        them = "it by itself" if is_one else "them by themselves"
        remedy = f"; give {them}" if self.others or self.made else ""
        return f"{files} beside the {beside} {are} skipped ({self}){remedy}"


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder or pattern holds.

    Attributes:
        files: how many files of any kind.
        images: those that are read, with the numbers in their names in order; if there are any, no videos are.
        videos: those that are read, each a source of its own.
        skipped: what looks like either, and is not read.
    """

    files: int
    images: Sequence[Path]
    videos: Sequence[Path]
    skipped: SkippedFiles


def is_pattern(path: Path) -> bool:
    """Return whether `path` names files by a pattern (``*``, ``?`` or ``[...]``) and is not itself a file."""
    return glob.has_magic(str(path)) and not path.exists()


def natural_order(path: Path) -> list[tuple[int, int, str]]:
    """Return a sorting key that puts ``shot9`` before ``shot10``, folder by folder.

    Example:
        >>> sorted([Path("shot10.png"), Path("shot9.png")], key=natural_order)[0].name
        'shot9.png'
    """
    return [
        (1, int(piece), "") if piece.isdecimal() else (0, 0, piece.casefold())
        for part in path.parts
        for piece in ["", *re.split(r"(\d+)", part)]
    ]


def inspect_folder(path: Path) -> Found:
    """Return what a folder or pattern holds; folders in it are not read.

    Raises:
        SourceNotFoundError: nothing has that name, or nothing fits the pattern.
        SourceError: it cannot be read.
    """
    try:
        entries = _entries(path)
        files = sorted((each for each in entries if each.is_file()), key=natural_order)
    except SourceNotFoundError:
        raise
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check name and rights") from None
    alike = [each for each in files if _kind(each) in _LOOK_ALIKE]
    companions = [each for each in alike if each.name.startswith(_OF_MACOS)]
    unfinished = [each for each in alike if not each.name.startswith(_OF_MACOS) and _is_unfinished(each)]
    rest = _without(alike, companions, unfinished)
    images = [each for each in rest if each.suffix.lower() in IMAGE_SUFFIXES]
    if images:
        others = _without(rest, images)
        return Found(len(entries), images, [], SkippedFiles(others, [], unfinished, companions))
    videos = [each for each in rest if each.suffix.lower() in VIDEO_SUFFIXES]
    made = [each for each in videos if each.name.lower().endswith(_BY_DEFAULT) or _is_annotated(each)]
    skipped = SkippedFiles(_without(rest, videos), made, unfinished, companions)
    return Found(len(entries), [], _without(videos, made), skipped)


def _entries(path: Path) -> list[Path]:
    if is_pattern(path):
        found = [Path(name) for name in glob.glob(str(path), recursive=True)]
        if not found:
            raise SourceNotFoundError(
                f"{path}: nothing fits this pattern; check it, quote it in a shell, and write [[] for a bracket"
            )
        return found
    if path.is_dir():
        return list(path.iterdir())
    raise SourceNotFoundError(f"{path}: no such file; check the path")


def _kind(path: Path) -> str:
    """Return the ending that says what a file is, or will be when it is whole."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix == _PARTIAL else suffix


def _is_unfinished(path: Path) -> bool:
    suffix = path.suffix.lower()
    return suffix == _PARTIAL or (suffix in VIDEO_SUFFIXES and stem_of_output(path) is not None)


def _is_annotated(path: Path) -> bool:
    try:
        return is_annotated(path)
    except OSError:
        return False  # whoever opens it says what is wrong with it


def _without(paths: Sequence[Path], *others: Iterable[Path]) -> list[Path]:
    gone = {each for one in others for each in one}
    return [each for each in paths if each not in gone]


def _names(paths: Sequence[Path]) -> str:
    more = f" and {len(paths) - _MAX_NAMES:,} more" if len(paths) > _MAX_NAMES else ""
    return ", ".join(each.name for each in paths[:_MAX_NAMES]) + more
