"""Detections as JSON Lines, a header, one line a frame, and an end: written line by whole line, and read back.

    {"format": "heatprop-detections", "version": 2, "heatprop": "0.1.0", "source": {...}, "model": "mb3-coco",
     "classes": ["person", ...], "settings": {...}, "versions": {"python": "3.11.9", ...}}
    {"frame": 0, "time": 0.0, "boxes": [[x1, y1, x2, y2], ...], "scores": [...], "labels": [...],
     "names": [...], "lengths": [...], "ids": [...]}
    {"end": {"frames": 1, "complete": true}}

The same id in another frame is the same object; -1 stands where nothing was propagated.

Without the last line the file was cut short; version 1 of the format did not have it. Boxes are in pixels of the
frame. The text is strict JSON: infinity, which JSON lacks, is the string "inf".
"""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from heatprop.errors import OutputError
from heatprop.io.completeness import Completeness
from heatprop.io.detection_columns import BOX_DECIMALS, SCORE_DECIMALS, TIME_DECIMALS, FrameOrder
from heatprop.io.line_file import STANDARD_OUTPUT, LineFile, is_stream
from heatprop.io.outputs import OutputFile
from heatprop.io.results_frames import ResultsFrames, read_results
from heatprop.io.results_header import FORMAT, ResultsError, ResultsHeader, installed_versions
from heatprop.types import Detections

__all__ = [
    "FORMAT",
    "STANDARD_OUTPUT",
    "Completeness",
    "ResultsError",
    "ResultsFrames",
    "ResultsHeader",
    "ResultsWriter",
    "installed_versions",
    "is_stream",
    "read_results",
]


class ResultsWriter:
    """Writes detections as JSON Lines, a whole line or nothing, so that the file is valid at any moment.

    The file has its name after `close`; until then it grows beside it (see `OutputFile`). A context manager:
    it closes, and so keeps what was written, also when an exception passes; the end line then says that the file
    is not complete.

    Args:
        target: a path, an output already claimed, or ``"-"`` for standard output. A device or pipe is written as
            standard output is: at once, under its name.
        header: the first line.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputExistsError: the file exists and `overwrite` is False.
        OutputError: it cannot be written.
        BrokenPipeError: the reader of standard output has left; `write` raises it, too.

    Example:
        >>> header = ResultsHeader("tiny", ["cat"])
        >>> with ResultsWriter("-", header) as writer:  # doctest: +ELLIPSIS
        ...     writer.write(0, 0.0, Detections([[1, 2, 3, 4]], [0.5], [0]))
        {"format":"heatprop-detections","version":2,...}
        {"frame":0,"time":0.0,"boxes":[[1.0,2.0,3.0,4.0]],"scores":[0.5],"labels":[0],"names":["cat"],...}
        {"end":{"frames":1,"complete":true}}
    """

    def __init__(self, target: str | Path | OutputFile, header: ResultsHeader, *, overwrite: bool = False) -> None:
        self._classes = tuple(header.classes)
        self._order = FrameOrder(self._classes)
        self._frames = 0
        self._is_open, self._is_whole = True, True
        self._lines = LineFile(target, overwrite=overwrite)
        try:
            self._write_line(header.to_json())
        except BaseException:
            self._lines.release()
            raise

    def write(self, index: int, time: float, detections: Detections) -> None:
        """Add one frame: its number, its time in seconds, and its objects with boxes in pixels.

        Boxes are rounded to 2 decimals, scores to 4.

        Raises:
            InvalidArrayError: a label has no name in the header, the time is not finite, or the frame does not
                follow the one before.
            OutputError: the line cannot be written (a full disk); the lines before stay whole.
        """
        self._is_whole, was_whole = False, self._is_whole
        self._order.check(index, time, detections)
        labels = detections.labels.tolist()
        boxes = detections.boxes.astype(np.float64).round(BOX_DECIMALS)
        scores = detections.scores.astype(np.float64).round(SCORE_DECIMALS)
        self._write_line(
            {
                "frame": index,
                "time": round(float(time), TIME_DECIMALS),
                "boxes": boxes.tolist(),
                "scores": scores.tolist(),
                "labels": labels,
                "names": [self._classes[label] for label in labels],
                "lengths": detections.lengths.tolist(),
                "ids": detections.track_ids.tolist(),
            }
        )
        self._order.accept(index)
        self._frames += 1
        self._is_whole = was_whole

    def close(self, *, complete: bool = True) -> None:
        """Write the end line, and give the file its name; further calls do nothing.

        Args:
            complete: whether these are all the frames that were to be written. A frame that failed makes it False.

        Raises:
            OutputError: the file cannot be renamed, or standard output not written.
        """
        if not self._is_open:
            return
        self._is_open = False
        end = {"frames": self._frames, "complete": complete and self._is_whole}
        try:
            self._write_line({"end": end})
        except OutputError:
            # On a full disk: a file without an end is known as unfinished, too.
            if self._lines.output is None or end["complete"]:
                raise
        finally:
            self._lines.finish()

    def discard(self) -> None:
        """Finish, and leave no file behind; what went to standard output stays."""
        self._is_open = False
        self._lines.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(complete=kind is None)

    def _write_line(self, value: dict[str, Any]) -> None:
        self._lines.write(json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n")
