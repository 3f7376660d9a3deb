"""Files that are there whole or not at all, whenever a run is killed."""

from __future__ import annotations

import glob
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from heatprop.errors import BusyError, OutputError
from heatprop.io.claims import Claim
from heatprop.io.regular_files import LARGEST_SETTINGS, read_regular

_numbers = itertools.count(1)


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a file under another name, then give it its own, replacing what has it.

    Two processes that write the same file at once do not disturb each other: what is half written is claimed, and
    only what nobody claims is removed. Folders are made.

    Raises:
        OutputError: it cannot be written; nothing is left behind.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial, claim = _claim_partial(path)
        with claim:
            try:
                write(partial)
                with partial.open("rb") as file:
                    os.fsync(file.fileno())
                os.replace(partial, path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            _remove_unclaimed(leftover)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{path}: cannot write it ({error.strerror or error}); see to room and rights, and run again: "
            "what is finished is kept"
        ) from None


def emptied_beside(folder: Path) -> Path:
    """Return an empty folder beside the given one, for what is being written; nobody else may write there.

    Raises:
        OSError: it cannot be made.
    """
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    return partial


def replace_folder(partial: Path, folder: Path) -> None:
    """Give a folder that is whole its name; what has it goes.

    Raises:
        OSError: it cannot be done.
    """
    if folder.is_dir():
        shutil.rmtree(folder)
    os.replace(partial, folder)


def _claim_partial(path: Path) -> tuple[Path, Claim]:
    while True:
        partial = path.with_name(f".{path.name}.{os.getpid()}-{next(_numbers)}.part")
        try:
            # Windows does not rename files that are open.
            return partial, Claim(None if os.name == "nt" else partial, path, sign=False)
        except BusyError:  # somebody checks whether it is left of a killed run, before it is locked
            continue


def _remove_unclaimed(leftover: Path) -> None:
    """Remove the half-written file of a run that was killed; leave that of one that lives."""
    with suppress(OSError), Claim(leftover, leftover, sign=False) as claim:
        if claim.is_certain:
            leftover.unlink(missing_ok=True)


def write_text(path: Path, text: str | Iterable[str]) -> None:
    """Write a text file whole, in UTF-8, from its text or its lines.

    Raises:
        OutputError: it cannot be written.
    """

    def write(partial: Path) -> None:
        with partial.open("wb") as file:
            file.writelines(part.encode() for part in ([text] if isinstance(text, str) else text))

    write_whole(path, write)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole.

    Raises:
        OutputError: it cannot be written.
    """
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def read_json(path: Path, largest: int = LARGEST_SETTINGS) -> Any:
    """Read a JSON file of at most `largest` bytes.

    Raises:
        OSError: it cannot be read, or is no regular file of that size.
        ValueError: it is not JSON.
    """
    try:
        return json.loads(read_regular(path, largest))
    except RecursionError:
        raise ValueError("nested too deep") from None
