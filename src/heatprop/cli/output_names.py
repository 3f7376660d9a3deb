"""What the outputs of `heatprop detect` are called; several sources have a file each in a folder."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

from heatprop.errors import InvalidConfigError, OutputError, shortened
from heatprop.io.addresses import MASK, is_address, path_named, shown
from heatprop.io.folders import is_pattern
from heatprop.io.outputs import is_null
from heatprop.io.results import STANDARD_OUTPUT
from heatprop.io.sinks import SUFFIXES
from heatprop.io.source_files import SourceFiles
from heatprop.io.suffixes import IMAGE_SUFFIXES

_RESULTS_SUFFIXES = (".jsonl", ".json")
_MAX_NAMES = 3


@dataclass(frozen=True, slots=True)
class OutputNames:
    """The outputs of one source: annotated video and JSON Lines (``"-"`` is standard output); None for none."""

    video: Path | None
    results: str | None


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


def name_outputs(
    sources: Sequence[str], output: Path | None, results: str | None, *, are_several: bool = False
) -> list[OutputNames]:
    """Name the outputs of each source.

    For one source `output` and `results` are the names. For several they are folders, in which a source has
    ``NAME.mp4`` and ``NAME.jsonl``. With neither, it is ``NAME.heatprop.mp4`` in the current folder. Addresses
    on the network that would share a name, as those of cameras often do, have their host before it.

    Args:
        sources: what the user gave; at least one.
        output: what was said of the annotated video.
        results: what was said of the JSON Lines.
        are_several: whether even one source counts as several: a folder or pattern of videos was given.

    Raises:
        InvalidConfigError: several sources do not go with what was said.
        OutputError: two sources would write the same file, or one would write over another source.
    """
    if len(sources) == 1 and not are_several:
        if results is not None and results.endswith(os.sep):
            file = f"{results}{stem_of(sources[0])}.jsonl"
            raise InvalidConfigError(f"--json {results} names a folder; for one source give a file: --json {file}")
        if output is None and results is None:
            output = Path(f"{stem_of(sources[0])}.heatprop.mp4")
        return [OutputNames(output, results)]
    _refuse_single_images(sources)
    if results == STANDARD_OUTPUT:
        raise InvalidConfigError(
            f"--json - would mix the lines of {len(sources)} sources; give the name of a folder: --json found"
        )
    _refuse_file("-o", output, SUFFIXES)
    _refuse_file("--json", None if results is None else Path(results), _RESULTS_SUFFIXES)
    names = []
    for stem in _distinct_stems(sources):
        video = None if output is None else _inside(output, f"{stem}.mp4")
        if output is None and results is None:
            video = Path(f"{stem}.heatprop.mp4")
        lines = None if results is None else str(_inside(Path(results), f"{stem}.jsonl"))
        names.append(OutputNames(video, lines))
    _refuse_clashes(sources, names)
    return names


@contextmanager
def folders_made(names: Sequence[OutputNames]) -> Iterator[None]:
    """Make the folders that outputs need; in the end those of them that stayed empty are removed.

    Raises:
        OutputError: one cannot be made.
    """
    wanted = {Path(path).parent for name in names for path in (name.video, name.results) if path is not None}
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


def _inside(folder: Path, name: str) -> Path:
    """Return the path of an output in a folder; what is kept nowhere needs none."""
    return folder if is_null(folder) else folder / name


def _refuse_file(option: str, folder: Path | None, suffixes: Sequence[str]) -> None:
    if folder is None or folder.is_dir() or is_null(folder):
        return
    if folder.suffix.lower() in suffixes:
        raise InvalidConfigError(
            f"{option} {folder} names a file; for several sources give a folder: {option} {folder.stem}"
        )
    if os.path.lexists(folder):
        raise OutputError(f"{option} {folder} is a file; for several sources give a folder")


def _refuse_clashes(sources: Sequence[str], names: Sequence[OutputNames]) -> None:
    read = SourceFiles(sources)
    writing: dict[str, str] = {}
    for source, name in zip(sources, names, strict=True):
        for path in (name.video, name.results):
            if path is None or is_null(path):
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
