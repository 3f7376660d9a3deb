"""Output files that appear under their name only when they are whole."""

from __future__ import annotations

import itertools
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from heatprop.errors import HeatpropError, OutputError, OutputExistsError
from heatprop.io.completeness import is_begun
from heatprop.io.partial_names import INDEXED, stem_of_output
from heatprop.io.source_files import SourceFiles
from heatprop.io.table_notes import metadata_path, name_metadata


def is_same_file(path: str | Path, other: str | Path) -> bool:
    """Return whether both names are there and are those of one file."""
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)


def is_null(path: str | Path) -> bool:
    """Return whether what is written to `path` is kept nowhere: it is ``/dev/null``, or leads there."""
    try:
        status, null = os.stat(path), os.stat(os.devnull)
    except (OSError, ValueError):
        return False
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == null.st_rdev


def find_leftovers(path: str | Path, source: str = "") -> list[Path]:
    """Return the files that runs which were killed left beside an output.

    Call it while the output is claimed: then no living process writes one of them.

    Args:
        path: the output.
        source: what is read; it is never among them, whatever its name.
    """
    path = Path(path)
    real = Path(os.path.realpath(path))
    sources = SourceFiles([source])
    folder = path.parent if path.parent.resolve() == real.parent else real.parent
    try:
        near = [
            each for each in folder.iterdir() if each.suffix == path.suffix and stem_of_output(each) == real.stem
        ]
        return [
            each
            for each in sorted(near)
            if each.is_file()
            and not each.is_symlink()
            and sources.source_at(each) is None
            and (INDEXED in each.name or is_begun(each))
        ]
    except OSError:
        return []


def name_leftover(leftover: Path, path: Path) -> None:
    """Give what a killed run left the name of its output; the metadata of a table go with it.

    Raises:
        OSError: it cannot be renamed.
    """
    os.replace(leftover, os.path.realpath(path))
    name_metadata(leftover, path)


def remove_leftover(leftover: Path) -> None:
    """Remove what a killed run left, and the metadata of a table with it.

    Raises:
        OSError: it cannot be removed.
    """
    leftover.unlink(missing_ok=True)
    metadata_path(leftover).unlink(missing_ok=True)


class NullOutput:
    """Stands where an `OutputFile` would, for what is kept nowhere.

    Args:
        path: what the user called it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.partial = Path(os.devnull)

    def commit(self) -> None:
        """Do nothing."""

    def discard(self) -> None:
        """Do nothing."""


class OutputFile:
    """A file written beside its final name and renamed when whole.

    The place is claimed on construction, so that a wrong folder or an existing file is known before any work
    is done. Write to `partial`, a new file in the same folder and with the same suffix, then call `commit`, or
    `discard` to leave nothing behind. As a context manager it does the one after success and the other after an
    error, and errors in writing become an `OutputError`.

    Args:
        path: the final name.
        overwrite: whether an existing file may be replaced; it stays untouched until `commit`.

    Raises:
        OutputExistsError: `path` exists and `overwrite` is False.
        OutputError: the folder is missing or cannot be written, or `path` is no regular file.
    """

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        self.path = Path(path)
        # A link stays: it is what it leads to that is written.
        self._real = Path(os.path.realpath(path))
        self._overwrite = overwrite
        try:
            self._refuse_existing()
            if not self.path.parent.is_dir():
                raise OutputError(f"{self.path}: there is no folder {self.path.parent}; create it first")
            self.partial = self._claim()
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot write there ({error.strerror}); choose another name or folder"
            ) from None

    def _refuse_existing(self) -> None:
        if not os.path.lexists(self.path):
            return
        if self.path.is_dir():
            raise OutputError(f"{self.path} is a folder; give the name of a file")
        if not self.path.is_file():
            raise OutputError(f"{self.path} is no regular file; choose another name (--json - is standard output)")
        if not self._overwrite:
            raise OutputExistsError(f"{self.path} exists already; choose another name or add --overwrite")

    def _claim(self) -> Path:
        """Create the partial file under a name that nothing has: not an input, nor the work of another run."""
        for number in itertools.count(1):
            part = "part" if number == 1 else f"part-{number}"
            partial = self._real.with_name(f"{self._real.stem}.{part}{self.path.suffix}")
            try:
                partial.open("xb").close()
            except FileExistsError:
                continue
            return partial
        raise AssertionError

    def commit(self) -> None:
        """Give the file its final name.

        Raises:
            OutputExistsError: somebody else made `path` meanwhile; the work stays in `partial`.
            OutputError: the file cannot be renamed; the work stays in `partial`.
        """
        try:
            self._refuse_existing()
            os.replace(self.partial, self._real)
        except OutputError as error:
            raise type(error)(f"{error} (this run's work is in {self.partial})") from None
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot rename ({error.strerror}); the work is in {self.partial}"
            ) from None

    def discard(self) -> None:
        """Remove what was written; a file that had the final name before stays."""
        self.partial.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.commit()
            return
        self.discard()
        if isinstance(error, OSError) and not isinstance(error, HeatpropError):
            raise OutputError(
                f"{self.path}: cannot write it ({error.strerror or error}); see to room and rights"
            ) from None
