"""The outputs of `heatprop detect` that have the detections as numbers: JSON Lines, CSV and Parquet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from heatprop.cli.output_places import CSV, PARQUET, RESULTS, Format
from heatprop.cli.standard_streams import close_standard_output
from heatprop.errors import OutputError
from heatprop.io.detection_parquet import DetectionParquet
from heatprop.io.detection_table import DetectionTable, refuse_foreign_metadata
from heatprop.io.outputs import OutputFile
from heatprop.io.results import STANDARD_OUTPUT, ResultsHeader, ResultsWriter, is_stream
from heatprop.types import Detections


class Writer(Protocol):
    """What `ResultsWriter`, `DetectionTable` and `DetectionParquet` have in common."""

    def write(self, index: int, time: float, detections: Detections) -> None:
        """Add one frame."""

    def close(self, *, complete: bool = True) -> None:
        """Write the end, and give a file its name."""

    def discard(self) -> None:
        """Leave no file behind."""


_WRITERS: Mapping[Format, Callable[[Any, ResultsHeader], Writer]] = {
    RESULTS: ResultsWriter,
    CSV: DetectionTable,
    PARQUET: DetectionParquet,
}


class RecordOutput:
    """One such output: a file, claimed before work begins, or a stream.

    Args:
        kind: its format.
        target: a path, or ``"-"`` for standard output.
        overwrite: whether an existing file may be replaced.

    Attributes:
        path: of the file; None for a stream.
        is_lost: whether nothing of it is left after an error.

    Raises:
        OutputError: the file exists or cannot be written.
    """

    def __init__(self, kind: Format, target: str, *, overwrite: bool) -> None:
        self._make = _WRITERS[kind]
        self._kind, self.is_lost = kind, False
        self._stream = target if kind is not PARQUET and is_stream(target) else None
        self.path = Path(target) if self._stream is None else None
        if kind is CSV and self.path is not None:
            refuse_foreign_metadata(self.path)
        self._claimed = OutputFile(target, overwrite=overwrite) if self._stream is None else None
        self._writer: Writer | None = None

    def begin(self, header: ResultsHeader) -> None:
        """Write what stands before the frames.

        Raises:
            BrokenPipeError: the reader of a stream has left; `write` and `close` raise it, or `ReaderLeft`, too.
            OutputError: it cannot be written.
        """
        self._writer = self._make(self._stream if self._claimed is None else self._claimed, header)

    def write(self, index: int, time: float, detections: Detections) -> None:
        """Write one frame.

        Raises:
            OutputError: it cannot be written.
        """
        if self._writer is None:
            return
        try:
            self._writer.write(index, time, detections)
        except OutputError:
            self.is_lost = self._kind is PARQUET
            raise

    def close(self, *, complete: bool) -> None:
        """Write the end, and give a file its name.

        Raises:
            OutputError: it cannot be written or named.
        """
        if self._writer is not None:
            self._writer.close(complete=complete)

    def discard(self) -> None:
        """Leave no file behind; what went to a stream stays."""
        for output in (self._writer, self._claimed):
            if output is not None:
                output.discard()

    def let_go(self) -> None:
        """After an error: let nothing more go to standard output, if that is where it went."""
        if self._stream == STANDARD_OUTPUT:
            close_standard_output()
