"""What `heatprop detect` does about outputs that are there already: refuse, replace, skip, or do again.

What a file holds is told by the file (see `heatprop.io.completeness`), never by its name alone. All this happens
while the names are claimed, so that what a run left beside them belongs to no living process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from heatprop.cli.detect_header import fingerprint_of, first_difference
from heatprop.errors import OutputError, OutputExistsError
from heatprop.io.claims import claim_file
from heatprop.io.completeness import Completeness, OutputState, count_frames, state_of
from heatprop.io.outputs import find_leftovers, name_leftover, remove_leftover
from heatprop.io.partial_names import INDEXED
from heatprop.io.results import ResultsHeader
from heatprop.io.source_files import SourceFiles


@dataclass(frozen=True, slots=True)
class Existing:
    """An output that is there before a run begins.

    Attributes:
        path: its name.
        state: what it says of itself.
        frames: how many it holds, as far as it is heatprop's.
    """

    path: Path
    state: OutputState
    frames: int

    def __str__(self) -> str:
        said = {
            Completeness.COMPLETE: " and is complete",
            Completeness.UNFINISHED: f" and is unfinished ({self.frames:,} frames)",
            Completeness.UNKNOWN: "",
        }
        return f"{self.path} exists already{said[self.state.completeness]}"


@contextmanager
def claimed(source: str, paths: Sequence[Path]) -> Iterator[None]:
    """Hold the names of a run's files, so that another run with one of them is told at once.

    Raises:
        BusyError: another run writes one of them.
        OutputError: one is the source, or two are one file.
    """
    sources = SourceFiles([source])
    for path in paths:
        if sources.source_at(path) is not None:
            raise OutputError(f"{path} is the source itself; choose another name for the output")
    for place, path in enumerate(paths):
        if os.path.realpath(path) in map(os.path.realpath, paths[:place]):
            raise OutputError(f"{path} is asked for twice; give each output a name of its own")
    with ExitStack() as claims:
        for path in paths:
            if path.parent.is_dir():  # else it is refused where it is made
                claims.enter_context(claim_file(path))
        yield


def inspect_output(path: Path) -> Existing | None:
    """Return what has an output's name; None if nothing has, or nothing that can be a file of results."""
    if not path.is_file():
        return None
    try:
        state = state_of(path)
        unfinished = state.completeness is Completeness.UNFINISHED
        frames = count_frames(path) if unfinished and state.frames is None else state.frames or 0
    except OSError:
        state, frames = OutputState(Completeness.UNKNOWN), 0
    return Existing(path, state, frames)


def refuse_existing(paths: Sequence[Path], *, can_resume: bool) -> None:
    """Raise where outputs exist that may not be replaced; say which of them are unfinished and what to do.

    Args:
        paths: the outputs.
        can_resume: whether ``--resume`` could do them again: the command has it, and the source comes again.

    Raises:
        OutputExistsError: some exist.
    """
    existing = [found for path in paths if (found := inspect_output(path)) is not None]
    if not existing:
        return
    names = "another name" if len(existing) == 1 else "other names"
    remedy = f"choose {names} or add --overwrite"
    if any(found.state.completeness is Completeness.UNFINISHED for found in existing):
        again = "add --resume to do what is unfinished again, " if can_resume else ""
        remedy = f"{again}add --overwrite to replace all, or choose {names}"
    raise OutputExistsError(f"{'; '.join(map(str, existing))}; {remedy}")


def name_leftovers(paths: Sequence[Path], source: str, notify: Callable[[str], None], *, can_resume: bool) -> None:
    """Tell of the files that killed runs left beside the outputs, and what becomes of them."""
    remedy = "--resume takes it over or removes it" if can_resume else "remove it if it is of no use"
    for path in paths:
        for leftover in find_leftovers(path, source):
            frames = count_frames(leftover)
            notify(f"heatprop: {leftover} ({frames:,} frames) is left of a run that was killed; {remedy}")


def refuse_others(wanted: Mapping[Path, ResultsHeader], source: str) -> None:
    """Raise where an output is to be done whose killed run had another source or settings: that work is not ours.

    Args:
        wanted: each output with what this run would write into it as its header.
        source: what is read.

    Raises:
        OutputExistsError: there is such work.
    """
    for path, header in wanted.items():
        before = inspect_output(path)
        if before is not None and before.state.completeness is Completeness.COMPLETE:
            continue
        for leftover in find_leftovers(path, source):
            other = _made_otherwise(leftover, header)
            if other is not None:
                frames = count_frames(leftover)
                raise OutputExistsError(
                    f"{leftover} ({frames:,} frames) is left of a run that was killed, and made "
                    f"otherwise ({other}); choose another name for the output, or move that file away"
                )


def _made_otherwise(leftover: Path, header: ResultsHeader) -> str | None:
    """Return in a few words how a leftover was made otherwise; None where it was not, or does not say."""
    state = state_of(leftover)
    return _difference(state, header) if _says_what_made_it(state) else None


def _says_what_made_it(state: OutputState) -> bool:
    return state.header is not None or state.made_from is not None


def _difference(state: OutputState, header: ResultsHeader) -> str | None:
    """Return in a few words what another run with `header` would do otherwise; None where it would do the same."""
    if state.header is not None:
        return first_difference(state.header, header)
    if state.made_from is None:
        return "it does not say how"
    return None if state.made_from == fingerprint_of(header) else "another source, model or setting"


def take_over_leftovers(
    wanted: Mapping[Path, ResultsHeader], source: str, notify: Callable[[str], None]
) -> set[Path]:
    """Give the longest file of a killed run the output's name, if nothing better has it, and remove the rest.

    What another source or other settings made stays as it is.

    Args:
        wanted: each output with what this run would write into it as its header.
        source: what is read.
        notify: is told of each file.

    Returns:
        The outputs that now are files which do not say what made them.
    """
    nameless = set()
    for path, header in wanted.items():
        for leftover in find_leftovers(path, source):
            if (other := _made_otherwise(leftover, header)) is not None:
                notify(
                    f"heatprop: {leftover}, left of a run that was killed, was made otherwise ({other}): it stays"
                )
                continue
            frames, before = count_frames(leftover), inspect_output(path)
            is_free = before is None and not os.path.lexists(path)
            is_unfinished = before is not None and before.state.completeness is Completeness.UNFINISHED
            # What was being given its index says nothing of itself yet; beside it is the same in fragments.
            is_whole = INDEXED not in leftover.name
            if (
                is_whole
                and frames
                and (is_free or (is_unfinished and before is not None and before.frames < frames))
            ):
                if not _says_what_made_it(state_of(leftover)):
                    nameless.add(path)
                name_leftover(leftover, path)
                notify(f"heatprop: {leftover}, left of a run that was killed, is now {path} ({frames:,} frames)")
            else:
                remove_leftover(leftover)
                notify(f"heatprop: {leftover}, left of a run that was killed, is removed ({frames:,} frames)")
    return nameless


def unfinished_of(
    wanted: Mapping[Path, ResultsHeader],
    nameless: Collection[Path],
    *,
    is_live: bool,
    notify: Callable[[str], None],
) -> dict[Path, int]:
    """Return the outputs that `--resume` has to do, with the number of frames that each has now.

    Args:
        wanted: each file with what this run would write into it as its header.
        nameless: those that need not say what made them, being left of killed runs with that output.
        is_live: whether the source cannot be read again.
        notify: is told of what is skipped.

    Raises:
        OutputExistsError: one is of other settings or another source, does not say whether it is complete, or is
            an unfinished recording of a live source, which cannot be made again.
    """
    remaining = {}
    for path, header in wanted.items():
        found = inspect_output(path)
        if found is None:
            remaining[path] = 0
            continue
        match found.state.completeness:
            case Completeness.UNKNOWN:
                raise OutputExistsError(
                    f"{path} does not say whether it is complete, being of an earlier version or another program; "
                    "choose another name or add --overwrite without --resume"
                )
            case Completeness.UNFINISHED if is_live:
                raise OutputExistsError(
                    f"{path} is unfinished ({found.frames:,} frames), and what a live source showed does not come "
                    "again; choose another name, or --overwrite without --resume"
                )
            case Completeness.UNFINISHED:
                # A header that was cut off has no frames behind it to lose.
                is_free = path in nameless or not (found.frames or _says_what_made_it(found.state))
                other = None if is_free else _difference(found.state, header)
                if other is not None:
                    raise OutputExistsError(
                        f"{path} is unfinished ({found.frames:,} frames), and made otherwise ({other}); choose "
                        "another name, or --overwrite without --resume"
                    )
                remaining[path] = found.frames
                notify(f"heatprop: {path} is unfinished ({found.frames:,} frames): done again from the start")
            case Completeness.COMPLETE:
                other = _difference(found.state, header)
                if other is not None:
                    raise OutputExistsError(
                        f"{path} is complete, but made otherwise ({other}); choose another name, "
                        "or --overwrite without --resume"
                    )
                notify(f"heatprop: {path} is complete ({found.frames:,} frames): skipped")
    return remaining
