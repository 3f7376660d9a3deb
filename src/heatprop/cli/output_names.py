"""What the outputs of `heatprop detect` are called; in a folder each source has a file."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

from heatprop.cli.output_options import OutputOptions
from heatprop.cli.output_places import CSV, PARQUET, RESULTS, VIDEO, Format, crops_folder, folder_of, refuse_file
from heatprop.errors import InvalidConfigError, OutputError, shortened
from heatprop.io.addresses import MASK, is_address, path_named, shown
from heatprop.io.crop_folder import LIST
from heatprop.io.folders import is_pattern
from heatprop.io.outputs import is_null
from heatprop.io.results import STANDARD_OUTPUT
from heatprop.io.source_files import SourceFiles
from heatprop.io.suffixes import IMAGE_SUFFIXES

_MAX_NAMES = 3


@dataclass(frozen=True, slots=True)
class OutputNames:
    """The outputs of one source; None for those that are not wanted.

    Attributes:
        video: the annotated video.
        results: the JSON Lines; ``"-"`` is standard output.
        csv: the table as CSV; likewise.
        parquet: the table as Parquet.
        crops: the folder for pictures of the objects.
        folders: those that are made where they are missing.
    """

    video: Path | None = None
    results: str | None = None
    csv: str | None = None
    parquet: str | None = None
    crops: Path | None = None
    folders: tuple[Path, ...] = ()

    @property
    def paths(self) -> list[Path]:
        """What is written, as paths."""
        crops = None if self.crops is None else self.crops / LIST
        paths = (self.video, self.results, self.csv, self.parquet, crops)
        return [Path(path) for path in paths if path is not None and path != STANDARD_OUTPUT]

    @property
    def records(self) -> dict[Format, str]:
        """What has the detections as numbers, by format."""
        targets = {RESULTS: self.results, CSV: self.csv, PARQUET: self.parquet}
        return {kind: target for kind, target in targets.items() if target is not None}


def stem_of(source: str) -> str:
    """Return what the outputs of a source are named after.

    Example:
        >>> [stem_of(source) for source in ("films/street.mp4", "camera:0", "shots/*.jpg")]
        ['street', 'camera-0', 'shots']
        >>> stem_of("films/Walk 1, été.mp4")
        'Walk 1, été'
        >>> stem_of("rtsp://10.0.0.7:554/"), stem_of("https://example.org/a/b.webm?x=1")
        ('10.0.0.7', 'b')
    """
    if is_address(source):
        address = urlparse(shown(source))
        told = [each for each in address.path.split("/") if each and each != MASK]
        stem = Path(told[-1]).stem if told else address.hostname or "stream"
    elif source.startswith("/dev/") or re.fullmatch(r"camera:\d+", source):
        stem = Path(source).name
    else:
        path = path_named(source)
        while is_pattern(path):
            path = path.parent
        # The user's own name, which the system takes; what begins with a dash would be an option.
        return (path.resolve().name if path.is_dir() else path.stem).lstrip("-") or "video"
    return _plain(stem) or "video"


def name_outputs(sources: Sequence[str], wanted: OutputOptions, *, are_several: bool = False) -> list[OutputNames]:
    """Name the outputs of each source, by the rule of `heatprop.cli.output_places`.

    In a folder a source has ``NAME.mp4``, ``NAME.jsonl`` and so on. Where nothing is named it is
    ``NAME.heatprop.mp4`` in the current folder. Addresses on the network that would share a name, as those of
    cameras often do, have their host before it.

    Args:
        sources: what the user gave; at least one.
        wanted: what was said of the outputs.
        are_several: whether even one source counts as several: a folder or pattern of videos was given.

    Raises:
        InvalidConfigError: several sources do not go with what was said, or a name does not go with its format.
        OutputError: two sources would write the same file, or one would write over another source.
    """
    are_several = are_several or len(sources) > 1
    if are_several:
        _refuse_single_images(sources)
    asked = {VIDEO: wanted.output, RESULTS: wanted.json, CSV: wanted.csv, PARQUET: wanted.parquet}
    folders = {kind: None if name is None else folder_of(kind, name) for kind, name in asked.items()}
    for kind, name in asked.items():
        if are_several and name is not None and folders[kind] is None:
            refuse_file(kind, name, len(sources))
    crops = None if wanted.crops is None else crops_folder(wanted.crops)
    names = []
    for stem in _distinct_stems(sources):
        paths = {
            kind: name if (folder := folders[kind]) is None else str(folder / f"{stem}{kind.suffixes[0]}")
            for kind, name in asked.items()
        }
        if wanted.has_video and paths[VIDEO] is None:
            paths[VIDEO] = f"{stem}.heatprop.mp4"
        pictures = crops / stem if crops is not None and are_several else crops
        made = tuple(folder for folder in (*folders.values(), pictures) if folder is not None)
        video = None if paths[VIDEO] is None else Path(str(paths[VIDEO]))
        names.append(OutputNames(video, paths[RESULTS], paths[CSV], paths[PARQUET], pictures, folders=made))
    if are_several or crops is not None or any(folders.values()):
        _refuse_clashes(sources, names)
    return names


@contextmanager
def folders_made(names: Sequence[OutputNames]) -> Iterator[None]:
    """Make the folders that outputs need; in the end those of them that stayed empty are removed.

    Raises:
        OutputError: one cannot be made.
    """
    wanted = {folder for name in names for folder in name.folders}
    missing = {folder for one in wanted for folder in (one, *one.parents) if not folder.exists()}
    made = sorted(missing, key=lambda folder: len(folder.parts))
    try:
        for folder in made:
            try:
                folder.mkdir(exist_ok=True)
            except OSError as error:
                raise OutputError(
                    f"{folder}: cannot make this folder ({error.strerror}); choose another"
                ) from None
        yield
    finally:
        for folder in reversed(made):
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-")


def _distinct_stems(sources: Sequence[str]) -> list[str]:
    """Return the stem of each source, with the host before it where addresses would share it."""
    stems = [stem_of(source) for source in sources]
    counts = Counter(stems)
    return [
        f"{_plain(urlparse(shown(source)).netloc.rpartition('@')[2])}-{stem}"
        if counts[stem] > 1 and is_address(source)
        else stem
        for source, stem in zip(sources, stems, strict=True)
    ]


def _refuse_single_images(sources: Sequence[str]) -> None:
    """Refuse what the shell makes of a pattern without quotes."""
    paths = {source: path_named(source) for source in sources if not is_address(source)}
    single = [source for source, path in paths.items() if path.suffix.lower() in IMAGE_SUFFIXES]
    single = [source for source in single if not is_pattern(paths[source]) and not paths[source].is_dir()]
    if len(single) > 1:
        more = f" and {len(single) - _MAX_NAMES} more" if len(single) > _MAX_NAMES else ""
        raise InvalidConfigError(
            f"a video each of single images was asked for: {', '.join(single[:_MAX_NAMES])}{more}; for one of "
            "them all give a pattern in quotes: 'images/*.jpg'; see heatprop detect --help"
        )


def _refuse_clashes(sources: Sequence[str], names: Sequence[OutputNames]) -> None:
    read = SourceFiles(sources)
    writing: dict[str, str] = {}
    for source, name in zip(sources, names, strict=True):
        if name.crops is not None and any(_is_in(each, name.crops) for each in sources):
            raise OutputError(f"--crops {name.crops} is a source; choose another folder for the pictures")
        for path in name.paths:
            if is_null(path):
                continue
            place = os.path.realpath(path)
            if place in writing:
                first, second = (shortened(shown(one)) for one in (writing[place], source))
                raise OutputError(
                    f"{first} and {second} would both write {path}; name one of them otherwise, or run them apart"
                )
            if read.source_at(path) is not None:
                raise OutputError(f"{path} would be written, and it is a source; choose another folder")
            writing[place] = source


def _is_in(source: str, folder: Path) -> bool:
    """Return whether a source is the images in a folder."""
    if is_address(source):
        return False
    path = path_named(source)
    while is_pattern(path):
        path = path.parent
    return path.is_dir() and os.path.realpath(path) == os.path.realpath(folder)
