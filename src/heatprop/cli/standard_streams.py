"""Standard output and standard error that may be closed, full, or left by their reader."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from heatprop.errors import OutputError


class StandardOutputError(OutputError):
    """What was to be printed could not be written."""


class ReaderLeft(Exception):  # noqa: N818 - nothing is wrong
    """Whoever reads standard output has read enough."""


class _Stream(io.TextIOBase):
    """Hands what is written on to a stream.

    Args:
        inner: the stream.
        is_needed: whether an error is raised; otherwise what cannot be written is dropped.
    """

    def __init__(self, inner: TextIO, *, is_needed: bool) -> None:
        self.inner = inner
        self._is_needed = is_needed

    def write(self, text: str) -> int:
        with self._explained():
            self.inner.write(text)
        return len(text)

    def flush(self) -> None:
        with self._explained():
            self.inner.flush()

    def fileno(self) -> int:
        return self.inner.fileno()

    def isatty(self) -> bool:
        return self.inner.isatty()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.inner.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.inner.errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise, or drop, what goes wrong, and keep Python from trying it again when it ends."""
        try:
            yield
        except (OSError, ValueError) as error:
            self.let_go()
            if isinstance(error, BrokenPipeError) and self._is_needed:
                raise ReaderLeft from None
            if self._is_needed:
                reason = getattr(error, "strerror", None) or str(error)
                raise StandardOutputError(f"cannot write on standard output ({reason})") from None

    def let_go(self) -> None:
        """Send whatever is still buffered nowhere."""
        with suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.inner.fileno())
            os.close(nowhere)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Let what is printed in the block be written, or fail in a line; what is said is said where that can be.

    Raises:
        ReaderLeft: whoever reads standard output has read enough.
        StandardOutputError: standard output is closed or full.
    """
    _occupy()
    before = sys.stdout, sys.stderr
    # Where they are closed, Python has none.
    output = _Stream(before[0] or _closed(), is_needed=True)
    errors = _Stream(before[1] or open(os.devnull, "w", encoding="utf-8"), is_needed=False)  # noqa: SIM115
    sys.stdout, sys.stderr = output, errors
    try:
        yield
        output.flush()
    finally:
        errors.flush()
        sys.stdout, sys.stderr = before


def close_standard_output() -> None:
    """After a broken pipe: send whatever is still buffered nowhere, so that Python's exit is quiet."""
    stream = sys.stdout
    (stream if isinstance(stream, _Stream) else _Stream(stream, is_needed=True)).let_go()


def _closed() -> TextIO:
    """Return a stream on which writing fails."""
    return io.TextIOWrapper(io.BufferedWriter(io.FileIO(os.open(os.devnull, os.O_RDONLY), "wb")), "utf-8")


def _occupy() -> None:
    """Open the standard descriptors that are closed, or the next files to be opened would get their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
