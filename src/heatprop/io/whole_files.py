"""Files that are there whole or not at all, whenever a run is killed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from heatprop.errors import OutputError


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a file under another name, then give it its own, replacing what has it.

    Two processes that write the same file at once do not disturb each other. Folders are made.

    Raises:
        OutputError: it cannot be written; nothing is left behind.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(partial)
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(partial, path)
        except FileNotFoundError:
            if not path.exists():  # another process was faster, and has tidied up
                raise
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        for leftover in path.parent.glob(f".{path.name}.*.part"):  # of runs that were killed
            leftover.unlink(missing_ok=True)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{path}: cannot write it ({error.strerror or error}); see to room and rights, and run again: "
            "what is finished is kept"
        ) from None


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, in UTF-8.

    Raises:
        OutputError: it cannot be written.
    """

    def write(partial: Path) -> None:
        partial.write_bytes(text.encode())

    write_whole(path, write)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole.

    Raises:
        OutputError: it cannot be written.
    """
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except RecursionError:
        raise ValueError("nested too deep") from None
