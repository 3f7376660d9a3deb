"""Counts as a table of comma-separated values: rows for each frame, and an end that says whether they are all.

    frame,time,what,name,direction,class,count
    0,0.0,objects,,,all,2
    0,0.0,objects,,,person,2
    0,0.0,line,door,left to right,all,0
    0,0.0,line,door,right to left,all,0
    0,0.0,zone,hall,,all,1
    0,0.0,zone,hall,,person,1
    0,0.0,end,complete,,,1

In each frame, objects and lines have all numbers so far, and zones those of the frame. The class `all` is their
sum; a class has rows from the frame on in which it is first counted. The end says how many frames there are. It is
`unfinished` where the source was not read to its end; without it the file was cut short.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from heatprop.errors import InvalidArrayError, OutputError
from heatprop.io.completeness import COUNT_TABLE_HEAD
from heatprop.io.line_file import LineFile
from heatprop.io.outputs import OutputFile

ALL = "all"


class CountRow(NamedTuple):
    """A number of a frame.

    Attributes:
        what: ``"objects"``, ``"line"`` or ``"zone"``.
        name: of the line or zone.
        direction: of a line: ``"left to right"`` or ``"right to left"``.
        kind: name of the class, or `ALL`.
        number: how many.
    """

    what: str
    name: str
    direction: str
    kind: str
    number: int


class CountTable:
    """Writes the counts of a video, the rows of a frame together or not at all.

    The file has its name after `close`; until then it grows beside it (see `OutputFile`).

    Args:
        target: a path, or an output already claimed.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputExistsError: the file exists and `overwrite` is False.
        OutputError: it cannot be written.
    """

    def __init__(self, target: str | Path | OutputFile, *, overwrite: bool = False) -> None:
        self._lines = LineFile(target, overwrite=overwrite)
        self._frames, self._last = 0, ("", "")
        self._is_open, self._is_whole = True, True
        try:
            self._lines.write(f"{COUNT_TABLE_HEAD}\n")
        except BaseException:
            self._lines.release()
            raise

    def write(self, index: int, time: float, rows: Iterable[CountRow]) -> None:
        """Add one frame: its number, its time in seconds, and its counts.

        Raises:
            InvalidArrayError: the time is not finite.
            OutputError: they cannot be written (a full disk); the frames before stay whole.
        """
        self._is_whole, was_whole = False, self._is_whole
        if not math.isfinite(time):
            raise InvalidArrayError(f"frame {index}: its time is {time}; give a finite number")
        place = str(index), str(round(float(time), 6))
        self._lines.write(_lines_of((*place, *row) for row in rows))
        self._frames, self._last = self._frames + 1, place
        self._is_whole = was_whole

    def close(self, *, complete: bool = True) -> None:
        """Write the end, and give the file its name; further calls do nothing.

        Args:
            complete: whether these are all the frames that were to be counted. A frame that failed makes it False.

        Raises:
            OutputError: it cannot be written or renamed.
        """
        if not self._is_open:
            return
        self._is_open = False
        is_complete = complete and self._is_whole
        end = CountRow("end", "complete" if is_complete else "unfinished", "", "", self._frames)
        try:
            self._lines.write(_lines_of([(*self._last, *end)]))
        except OutputError:
            # On a full disk: a file without an end is known as unfinished, too.
            if is_complete:
                raise
        finally:
            self._lines.finish()

    def discard(self) -> None:
        """Finish, and leave no file behind."""
        self._is_open = False
        self._lines.discard()


def _lines_of(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
