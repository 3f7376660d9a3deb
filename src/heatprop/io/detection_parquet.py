"""Detections as Parquet, a row a detection, with the header of JSON Lines and their end in the file's metadata.

The key ``heatprop`` has the header as JSON (source, model, classes, settings), the key ``heatprop.end`` how many
frames there are, those without detections too, and whether they are all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from heatprop.errors import HeatpropError, MissingPackageError, OutputError
from heatprop.io.detection_columns import COLUMNS, FrameOrder, values_by_column
from heatprop.io.outputs import OutputFile
from heatprop.io.results_header import ResultsHeader
from heatprop.io.table_notes import PARQUET_END, PARQUET_HEADER
from heatprop.types import Detections

ROWS_IN_A_GROUP = 1 << 16


def check_pyarrow() -> None:
    """Check that Parquet can be written here.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415 - an extra
    except ImportError:
        raise MissingPackageError("Parquet needs pyarrow; pip install 'heatprop[parquet]'") from None


class DetectionParquet:
    """Writes detections as Parquet, in groups of rows, so that memory does not grow with the video.

    The file has its name after `close`; until then it grows beside it (see `OutputFile`). Parquet has its table of
    contents at its end: a file that was killed, or that a full disk cut, cannot be read.

    Args:
        target: a path, or an output already claimed.
        header: what made the detections.
        overwrite: whether an existing file may be replaced.
        rows_in_a_group: so many rows are in memory at most, and those of a frame.

    Raises:
        MissingPackageError: pyarrow is not installed.
        OutputExistsError: the file exists and `overwrite` is False.
        OutputError: it cannot be written.
    """

    def __init__(
        self,
        target: str | Path | OutputFile,
        header: ResultsHeader,
        *,
        overwrite: bool = False,
        rows_in_a_group: int = ROWS_IN_A_GROUP,
    ) -> None:
        check_pyarrow()
        import pyarrow  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415

        self._arrow, self._header, self._rows_in_a_group = pyarrow, header, rows_in_a_group
        self._order = FrameOrder(header.classes)
        self._frames, self._is_whole = 0, True
        self._schema = _schema(pyarrow, header)
        self._waiting: dict[str, list[Any]] = {column.name: [] for column in COLUMNS}
        self._output = target if isinstance(target, OutputFile) else OutputFile(target, overwrite=overwrite)
        self._writer: Any = None
        with self._explained():
            self._writer = parquet.ParquetWriter(str(self._output.partial), self._schema, compression="zstd")

    def write(self, index: int, time: float, detections: Detections) -> None:
        """Add one frame: its number, its time in seconds, and its objects with boxes in pixels.

        Raises:
            InvalidArrayError: a label has no name in the header, the time is not finite, or the frame does not
                follow the one before.
            OutputError: it cannot be written (a full disk); the file is lost.
        """
        self._is_whole, was_whole = False, self._is_whole
        self._order.check(index, time, detections)
        if self._writer is None:
            raise OutputError(f"{self._output.path} is closed; open a new writer")
        for name, values in values_by_column(index, time, detections, self._header.classes).items():
            self._waiting[name] += values
        if len(self._waiting[COLUMNS[0].name]) >= self._rows_in_a_group:
            with self._explained():
                self._write_group()
        self._order.accept(index)
        self._frames += 1
        self._is_whole = was_whole

    def close(self, *, complete: bool = True) -> None:
        """Write the end, and give the file its name; further calls do nothing.

        Args:
            complete: whether these are all the frames that were to be written. A frame that failed makes it False.

        Raises:
            OutputError: it cannot be written or renamed.
        """
        if self._writer is None:
            return
        end = {"frames": self._frames, "complete": complete and self._is_whole}
        with self._explained():
            self._write_group()
            self._writer.add_key_value_metadata({PARQUET_END: json.dumps(end)})
            self._writer.close()
        self._writer = None
        self._output.commit()

    def discard(self) -> None:
        """Finish, and leave no file behind."""
        self._let_go()
        self._output.discard()

    def _write_group(self) -> None:
        if self._waiting[COLUMNS[0].name]:
            self._writer.write_table(self._arrow.table(self._waiting, schema=self._schema))
            self._waiting = {column.name: [] for column in COLUMNS}

    def _let_go(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(OSError, self._arrow.ArrowException):  # what it has to say is not wanted any more
                writer.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except HeatpropError:
            raise
        except (OSError, self._arrow.ArrowException) as error:
            self.discard()
            said = " ".join(str(error).split()).split(" Detail: ")[-1]
            reason = re.sub(r"\[errno \d+\] ", "", said, flags=re.IGNORECASE)
            raise OutputError(
                f"{self._output.path}: cannot write ({reason}); nothing of it is kept, since Parquet ends with "
                "what is needed to read it"
            ) from None


def _schema(pyarrow: Any, header: ResultsHeader) -> Any:
    kinds = {each.kind: getattr(pyarrow, each.kind)() for each in COLUMNS}
    fields = [
        pyarrow.field(each.name, kinds[each.kind], False, {"unit": each.unit, "description": each.meaning})
        for each in COLUMNS
    ]
    return pyarrow.schema(fields, {PARQUET_HEADER: json.dumps(header.to_json(), allow_nan=False)})
