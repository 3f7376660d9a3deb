"""A file that grows by whole lines, and a stream of such lines."""

from __future__ import annotations

import errno
import os
import stat
import sys
from io import FileIO
from pathlib import Path

from heatprop.errors import OutputError
from heatprop.io.outputs import OutputFile

STANDARD_OUTPUT = "-"


def is_stream(target: str | Path) -> bool:
    """Return whether results for `target` go out at once: to standard output, a device, or a pipe."""
    try:
        kind = os.stat(target).st_mode
    except (OSError, ValueError):
        return target == STANDARD_OUTPUT
    return target == STANDARD_OUTPUT or stat.S_ISCHR(kind) or stat.S_ISFIFO(kind)


class LineFile:
    """Text that is written in whole lines or not at all, so that the file is valid at any moment.

    Args:
        target: a path, an output already claimed, or ``"-"`` for standard output. A device or pipe is written as
            standard output is: at once, under its name. A file has its name after `finish`.
        overwrite: whether an existing file may be replaced.

    Attributes:
        output: the file; None for a stream.

    Raises:
        OutputExistsError: the file exists and `overwrite` is False.
        OutputError: it cannot be written.
    """

    def __init__(self, target: str | Path | OutputFile, *, overwrite: bool = False) -> None:
        self.output: OutputFile | None = None
        self._file: FileIO | None = None
        self._is_stream = not isinstance(target, OutputFile) and is_stream(target)
        self._name_of_stream = "standard output" if target == STANDARD_OUTPUT else str(target)
        if self._is_stream and target != STANDARD_OUTPUT:
            self._file = _open_stream(str(target))
        elif not self._is_stream:
            output = target if isinstance(target, OutputFile) else OutputFile(target, overwrite=overwrite)
            # Unbuffered: a line is in the file when `write` returns, even if the process is killed then.
            self._file = output.partial.open("wb", buffering=0)
            self.output = output

    def write(self, lines: str) -> None:
        """Add lines, each with its end.

        Raises:
            OutputError: they cannot be written (a full disk); what was written before stays whole.
            BrokenPipeError: the reader of a stream has left.
        """
        if self._is_stream:
            try:
                if self._file is None:
                    sys.stdout.write(lines)
                    sys.stdout.flush()
                else:
                    _write_all(self._file, lines.encode())
            except (BrokenPipeError, OutputError):
                raise
            except OSError as error:
                raise OutputError(f"{self._name_of_stream}: cannot write ({error.strerror})") from None
            return
        assert self.output is not None
        if self._file is None:
            raise OutputError(f"{self.output.path} is closed; open a new writer")
        start = self._file.tell()
        try:
            _write_all(self._file, lines.encode())
        except OSError as error:
            os.ftruncate(self._file.fileno(), start)
            self._file.seek(start)
            raise OutputError(
                f"{self.output.path}: cannot write ({error.strerror}); the {start} bytes before are kept"
            ) from None

    def release(self) -> None:
        """Close it, and leave a file under the name that it has while it grows."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def finish(self) -> None:
        """Close it, and give a file its name.

        Raises:
            OutputError: it cannot be renamed.
        """
        if self._file is not None:
            self.release()
            if self.output is not None:
                self.output.commit()

    def discard(self) -> None:
        """Close it, and leave no file behind; what went out stays."""
        if self._file is not None:
            self.release()
            if self.output is not None:
                self.output.discard()


def _open_stream(path: str) -> FileIO:
    try:
        # A pipe without a reader would be waited for, deaf to Ctrl-C.
        descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        reason = (
            "no program reads from this pipe; start it first" if error.errno == errno.ENXIO else error.strerror
        )
        raise OutputError(f"{path}: cannot write there ({reason})") from None
    os.set_blocking(descriptor, True)
    return FileIO(descriptor, "wb")


def _write_all(file: FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        written = file.write(rest)
        if not written:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rest = rest[written:]
