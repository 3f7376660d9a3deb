"""Detections as JSON Lines, a header and then one line a frame: written line by whole line, and read back.

    {"format": "heatprop-detections", "version": 1, "heatprop": "0.1.0", "source": {...}, "model": "mb3-coco",
     "classes": ["person", ...], "settings": {...}, "versions": {"python": "3.11.9", ...}}
    {"frame": 0, "time": 0.0, "boxes": [[x1, y1, x2, y2], ...], "scores": [...], "labels": [...],
     "names": [...], "lengths": [...]}

Boxes are in pixels of the frame. The text is strict JSON: infinity, which JSON lacks, is the string "inf".
"""

from __future__ import annotations

import errno
import json
import math
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from fractions import Fraction
from importlib import metadata
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np

from heatprop.errors import HeatpropError, InvalidArrayError, OutputError
from heatprop.io.outputs import OutputFile
from heatprop.types import Detections

FORMAT = "heatprop-detections"
VERSION = 1
STANDARD_OUTPUT = "-"
_PACKAGES = ("numpy", "opencv-python-headless", "av", "onnxruntime", "openvino", "torch")


class ResultsError(HeatpropError, ValueError):
    """A file of detections is missing, damaged, or of another format."""


def installed_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that shape the numbers, as far as installed."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


@dataclass(frozen=True, slots=True)
class ResultsHeader:
    """What the first line says of all others: where the frames come from and what made the detections.

    Attributes:
        model: name of the model.
        classes: a name for each class number.
        source: facts of the video, such as name, width, height and frame rate.
        settings: everything that shapes the detections; values as JSON knows them, or frozen dataclasses.
        versions: of Python and the packages; those of this machine when left out.
        heatprop: version of heatprop that wrote the file.
    """

    model: str
    classes: Sequence[str]
    source: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=installed_versions)
    heatprop: str = field(default_factory=lambda: metadata.version("heatprop"))

    def to_json(self) -> dict[str, Any]:
        """Return the header as the JSON object that stands in the file."""
        fields = {name: getattr(self, name) for name in ("heatprop", "source", "model", "classes", "settings")}
        strict = _strict({"format": FORMAT, "version": VERSION, **fields, "versions": self.versions})
        return cast(dict[str, Any], strict)


class ResultsWriter:
    """Writes detections as JSON Lines, a whole line or nothing, so that the file is valid at any moment.

    The file has its name after `close`; until then it grows beside it (see `OutputFile`). A context manager:
    it closes, and so keeps what was written, also when an exception passes.

    Args:
        target: a path, an output already claimed, or ``"-"`` for standard output.
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
        {"format":"heatprop-detections","version":1,...}
        {"frame":0,"time":0.0,"boxes":[[1.0,2.0,3.0,4.0]],"scores":[0.5],"labels":[0],"names":["cat"],...}
    """

    def __init__(self, target: str | Path | OutputFile, header: ResultsHeader, *, overwrite: bool = False) -> None:
        self._classes = tuple(header.classes)
        self._output: OutputFile | None = None
        self._file: FileIO | None = None
        if target != STANDARD_OUTPUT:
            output = target if isinstance(target, OutputFile) else OutputFile(target, overwrite=overwrite)
            # Unbuffered: a line is in the file when `write` returns, even if the process is killed then.
            self._file = output.partial.open("wb", buffering=0)
            self._output = output
        self._write_line(header.to_json())

    def write(self, index: int, time: float, detections: Detections) -> None:
        """Add one frame: its number, its time in seconds, and its objects with boxes in pixels.

        Boxes are rounded to 2 decimals, scores to 4.

        Raises:
            InvalidArrayError: a label has no name in the header, or a number is not finite.
            OutputError: the line cannot be written (a full disk); the lines before stay whole.
        """
        labels = detections.labels.tolist()
        if labels and not 0 <= min(labels) <= max(labels) < len(self._classes):
            raise InvalidArrayError(
                f"frame {index}: labels {min(labels)} to {max(labels)} do not fit "
                f"{len(self._classes)} classes; give the header the classes of the model"
            )
        boxes = detections.boxes.astype(np.float64).round(2)
        scores = detections.scores.astype(np.float64).round(4)
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all() and math.isfinite(time)):
            raise InvalidArrayError(f"frame {index}: a box, score or time is not finite; JSON cannot hold it")
        self._write_line(
            {
                "frame": index,
                "time": round(float(time), 6),
                "boxes": boxes.tolist(),
                "scores": scores.tolist(),
                "labels": labels,
                "names": [self._classes[label] for label in labels],
                "lengths": detections.lengths.tolist(),
            }
        )

    def close(self) -> None:
        """Finish, and give the file its name; further calls do nothing.

        Raises:
            OutputError: the file cannot be renamed.
        """
        if self._file is not None and self._output is not None:
            file, self._file = self._file, None
            file.close()
            self._output.commit()

    def discard(self) -> None:
        """Finish, and leave no file behind; what went to standard output stays."""
        if self._file is not None and self._output is not None:
            file, self._file = self._file, None
            file.close()
            self._output.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write_line(self, value: dict[str, Any]) -> None:
        line = json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n"
        if self._output is None:
            try:
                sys.stdout.write(line)
                sys.stdout.flush()
            except BrokenPipeError:
                raise
            except OSError as error:
                raise OutputError(f"standard output: cannot write ({error.strerror})") from None
            return
        if self._file is None:
            raise OutputError(f"{self._output.path} is closed; open a new ResultsWriter")
        start = self._file.tell()
        try:
            _write_all(self._file, line.encode())
        except OSError as error:
            os.ftruncate(self._file.fileno(), start)
            self._file.seek(start)
            raise OutputError(
                f"{self._output.path}: cannot write ({error.strerror}); the {start} bytes before are kept"
            ) from None


def read_results(path: str | Path) -> tuple[ResultsHeader, Iterator[tuple[int, float, Detections]]]:
    """Return the header of a file of detections, and an iterator of (frame number, seconds, `Detections`).

    The header is read at once, a frame when it is asked for, so that memory does not grow with the file.

    Raises:
        ResultsError: the file is missing or of another format, or a line is damaged (from the iterator, too);
            the message names file and line.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            first = file.readline()
    except OSError as error:
        raise ResultsError(
            f"{path}: cannot read ({error.strerror}); give a file of `heatprop detect --json`"
        ) from None
    header = _parse_header(first, path)
    return header, _read_frames(path, len(header.classes))


def _parse_header(line: bytes, path: Path) -> ResultsHeader:
    value = _parse_line(line, path, 1)
    if value.get("format") != FORMAT:
        raise ResultsError(
            f"{path}, line 1: no header of format {FORMAT}; give a file of `heatprop detect --json`"
        )
    if value.get("version") != VERSION:
        raise ResultsError(
            f"{path}, line 1: version {value.get('version')!r} of the format, this heatprop reads {VERSION}; "
            "install the version of heatprop that wrote it"
        )
    kinds = {
        "model": str,
        "classes": list,
        "source": dict,
        "settings": dict,
        "versions": dict,
        "heatprop": str,
    }
    for name, kind in kinds.items():
        if not isinstance(value.get(name), kind):
            raise ResultsError(f"{path}, line 1: the header's {name!r} is missing or damaged; make the file again")
    return ResultsHeader(**{name: value[name] for name in kinds})


def _read_frames(path: Path, class_count: int) -> Iterator[tuple[int, float, Detections]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if number == 1:
                continue
            value = _parse_line(line, path, number)
            try:
                index, time = value["frame"], value["time"]
                found = Detections(value["boxes"], value["scores"], value["labels"], value["lengths"])
                if not isinstance(index, int) or not isinstance(time, (int, float)):
                    raise ResultsError("'frame' or 'time' is not a number")
                if len(found) and not 0 <= found.labels.min() <= found.labels.max() < class_count:
                    raise ResultsError(f"a label lies outside the header's {class_count} classes")
            except KeyError as error:
                raise ResultsError(f"{path}, line {number}: {error} is missing; make the file again") from None
            except HeatpropError as error:
                raise ResultsError(f"{path}, line {number}: {error}; make the file again") from None
            yield index, float(time), found


def _parse_line(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not line.endswith(b"\n"):
        raise ResultsError(f"{path}, line {number}: damaged or cut short, no JSON object; make the file again")
    return value


def _strict(value: Any) -> Any:
    """Return `value` as JSON holds it: dataclasses as objects, infinity as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return _strict(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    if isinstance(value, np.generic | Fraction):
        return _strict(value.item() if isinstance(value, np.generic) else float(value))
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def _write_all(file: FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        written = file.write(rest)
        if not written:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rest = rest[written:]
