"""Detections as comma-separated values, a row a detection, with a file beside it that says what they are.

    frame,time,id,class,score,x1,y1,x2,y2,length
    0,0.0,12,person,0.8312,10.5,20.25,50.0,90.75,3

Every row is a detection, so that any program adds them up as they are; nothing in CSV says more. What JSON Lines
have in their first and last line stands in ``OUT.csv-metadata.json``, which the W3C's "Metadata Vocabulary for
Tabular Data" calls so: the columns with their types, in `notes` the header (source, model, classes, settings), and
the end: how many frames there are, those without detections too, and whether they are all. The end also has the
size and SHA-256 of the table: of a table that was changed or cut, it says nothing.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from heatprop.errors import OutputError, OutputExistsError
from heatprop.io.detection_columns import COLUMNS, FrameOrder, values_by_column
from heatprop.io.line_file import LineFile
from heatprop.io.outputs import OutputFile
from heatprop.io.results_header import ResultsHeader
from heatprop.io.table_notes import TABLE_HEAD, metadata_path, name_metadata, read_metadata
from heatprop.io.whole_files import write_json
from heatprop.types import Detections

_DATATYPES = {"int64": "integer", "float64": "double", "float32": "float", "string": "string"}


class DetectionTable:
    """Writes detections as CSV, the rows of a frame together or not at all.

    The file has its name after `close`; until then it grows beside it (see `OutputFile`).

    Args:
        target: a path, an output already claimed, or ``"-"`` for standard output. A device or pipe is written as
            standard output is: at once, under its name, and without metadata.
        header: what made the detections.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputExistsError: the file exists and `overwrite` is False, or the name of its metadata is another's.
        OutputError: it cannot be written.
        BrokenPipeError: the reader of standard output has left; `write` raises it, too.

    Example:
        >>> table = DetectionTable("-", ResultsHeader("tiny", ["cat"]))
        frame,time,id,class,score,x1,y1,x2,y2,length
        >>> table.write(0, 0.0, Detections([[1, 2, 3, 4]], [0.5], [0], track_ids=[7]))
        0,0.0,7,cat,0.5,1.0,2.0,3.0,4.0,1
        >>> table.close()
    """

    def __init__(self, target: str | Path | OutputFile, header: ResultsHeader, *, overwrite: bool = False) -> None:
        self._header, self._frames, self._rows = header, 0, 0
        self._order = FrameOrder(header.classes)
        self._size, self._digest = 0, hashlib.sha256()
        self._is_open, self._is_whole = True, True
        self._lines = LineFile(target, overwrite=overwrite)
        try:
            if self._lines.output is not None:
                refuse_foreign_metadata(self._lines.output.path)
                # What a kill leaves says what made it, too.
                partial = self._lines.output.partial
                write_json(metadata_path(partial), self._metadata(partial, {}))
            self._write(f"{TABLE_HEAD}\n")
        except BaseException:
            self.discard()
            raise

    def write(self, index: int, time: float, detections: Detections) -> None:
        """Add one frame: its number, its time in seconds, and its objects with boxes in pixels.

        Raises:
            InvalidArrayError: a label has no name in the header, the time is not finite, or the frame does not
                follow the one before.
            OutputError: it cannot be written (a full disk); the frames before stay whole.
        """
        self._is_whole, was_whole = False, self._is_whole
        self._order.check(index, time, detections)
        values = values_by_column(index, time, detections, self._header.classes)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(zip(*values.values(), strict=True))
        self._write(text.getvalue())
        self._order.accept(index)
        self._frames, self._rows = self._frames + 1, self._rows + len(detections)
        self._is_whole = was_whole

    def close(self, *, complete: bool = True) -> None:
        """Give the file its name, and write its metadata; further calls do nothing.

        Args:
            complete: whether these are all the frames that were to be written. A frame that failed makes it False.

        Raises:
            OutputError: it cannot be written or renamed.
        """
        if not self._is_open:
            return
        self._is_open = False
        is_complete = complete and self._is_whole
        self._lines.finish()
        if self._lines.output is None:
            return
        path = self._lines.output.path
        end = {
            "frames": self._frames,
            "complete": is_complete,
            "rows": self._rows,
            "bytes": self._size,
            "sha256": self._digest.hexdigest(),
        }
        name_metadata(self._lines.output.partial, path)
        try:
            write_json(metadata_path(path), self._metadata(path, end))
        except OutputError:
            # On a full disk: metadata without an end say that the table is unfinished, too.
            if is_complete:
                raise

    def discard(self) -> None:
        """Finish, and leave no file behind; what went to standard output stays."""
        self._is_open = False
        self._lines.discard()
        if self._lines.output is not None:
            metadata_path(self._lines.output.partial).unlink(missing_ok=True)

    def _write(self, text: str) -> None:
        if not text:
            return
        self._lines.write(text)
        data = text.encode()
        self._digest.update(data)
        self._size += len(data)

    def _metadata(self, path: Path, end: Mapping[str, Any]) -> dict[str, Any]:
        columns = [
            {
                "name": column.name,
                "titles": column.name,
                "datatype": _DATATYPES[column.kind],
                "dc:description": f"{column.meaning} ({column.unit})" if column.unit else column.meaning,
            }
            for column in COLUMNS
        ]
        return {
            "@context": "http://www.w3.org/ns/csvw",
            "url": quote(path.name),
            "tableSchema": {"columns": columns},
            "notes": [self._header.to_json(), {"end": end}],
        }


def refuse_foreign_metadata(table: Path) -> None:
    """Refuse to write a CSV file where the file for its metadata exists, and heatprop did not write it.

    Raises:
        OutputExistsError: it does.
    """
    path = metadata_path(table)
    if path.exists() and read_metadata(path) is None:
        raise OutputExistsError(
            f"{path} would be written beside the table, and is not of heatprop; move it away, or choose another "
            "name"
        )
