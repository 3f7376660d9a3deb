"""Detections in JSON Lines, read back frame by frame, without trust."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from heatprop.errors import HeatpropError
from heatprop.io.completeness import parse_end, state_of
from heatprop.io.regular_files import open_regular
from heatprop.io.results_header import ResultsError, ResultsHeader, parse_header, parse_line
from heatprop.types import Detections


class ResultsFrames(Iterator[tuple[int, float, Detections]]):
    """The frames of a file of detections, read one by one: (frame number, seconds, `Detections`).

    Attributes:
        completeness: whether the file says that it holds all frames; known before the first is read. A file that
            was cut short gives its whole lines.
    """

    def __init__(self, path: Path, header: ResultsHeader) -> None:
        self.completeness = state_of(path).completeness
        self._frames = _read_frames(path, header)

    def __next__(self) -> tuple[int, float, Detections]:
        return next(self._frames)


def read_results(path: str | Path) -> tuple[ResultsHeader, ResultsFrames]:
    """Return the header of a file of detections, and an iterator of (frame number, seconds, `Detections`).

    The header is read at once, a frame when it is asked for, so that memory does not grow with the file. The
    iterator's `completeness` says whether the file holds all frames.

    Raises:
        ResultsError: the file is missing or of another format, or a line is damaged (from the iterator, too):
            cut short, with numbers that are none or not finite, or a frame that does not follow the one before;
            the message names file and line.

    Example:
        >>> import tempfile
        >>> from heatprop.io.results import ResultsWriter
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with ResultsWriter(f"{folder}/a.jsonl", ResultsHeader("tiny", ["cat"])) as writer:
        ...         writer.write(0, 0.0, Detections([[1, 2, 3, 4]], [0.5], [0]))
        ...     header, frames = read_results(f"{folder}/a.jsonl")
        ...     frames.completeness, [index for index, _, _ in frames]
        (<Completeness.COMPLETE: 'complete'>, [0])
    """
    path = Path(path)
    try:
        with open_regular(path) as file:
            first = file.readline()
        header = parse_header(first, path)
        return header, ResultsFrames(path, header)
    except OSError as error:
        raise ResultsError(
            f"{path}: cannot read ({error.strerror}); give a file of `heatprop detect --json`"
        ) from None


def _read_frames(path: Path, header: ResultsHeader) -> Iterator[tuple[int, float, Detections]]:
    count, last = 0, -1
    end: tuple[int, bool] | None = None
    with path.open("rb") as file:
        file.readline()
        for number, line in enumerate(file, start=2):
            if header.version > 1:
                if not line.endswith(b"\n"):
                    return  # cut short in the middle of a line, as `completeness` says
                if end is None and (end := parse_end(line)) is not None:
                    if end[0] != count:
                        raise ResultsError(
                            f"{path}, line {number}: it says {end[0]} frames, and {count} are there; "
                            "make the file again"
                        )
                    continue
            if end is not None:
                raise ResultsError(f"{path}, line {number}: there is more after the end; make the file again")
            index, time, detections = _parse_frame(line, path, number, len(header.classes))
            if index <= last:
                text = f"frame {index} where one after {last} is wanted" if last >= 0 else f"frame {index}"
                raise ResultsError(
                    f"{path}, line {number}: {text}; frames stand once each, by rising numbers from 0; "
                    "make the file again"
                )
            yield index, time, detections
            count, last = count + 1, index


def _parse_frame(line: bytes, path: Path, number: int, class_count: int) -> tuple[int, float, Detections]:
    value = parse_line(line, path, number)
    try:
        index, time = value["frame"], value["time"]
        ids: Any = value.get("ids")  # other programs may know of none
        lengths: Any = value.get("lengths")
        detections = Detections(value["boxes"], value["scores"], value["labels"], lengths, ids)
        given = detections.track_ids[detections.track_ids != -1]
        if len(given) and (given.min() < 0 or len(np.unique(given)) < len(given)):
            raise ResultsError(f"ids are {ids!r:.60}; they are whole numbers from 0, each once, or -1")
        if not isinstance(index, int) or isinstance(index, bool):
            raise ResultsError(f"'frame' is {index!r:.60}; it must be a whole number")
        if not isinstance(time, (int, float)) or isinstance(time, bool) or not abs(time) <= sys.float_info.max:
            raise ResultsError(f"'time' is {time!r:.60}; it must be a finite number of seconds")
        if len(detections) and not 0 <= detections.labels.min() <= detections.labels.max() < class_count:
            raise ResultsError(f"a label lies outside the header's {class_count} classes")
    except KeyError as error:
        raise ResultsError(f"{path}, line {number}: {error} is missing; make the file again") from None
    except HeatpropError as error:
        raise ResultsError(f"{path}, line {number}: {error}; make the file again") from None
    return index, float(time), detections
