"""Detections in JSON: an object a line, or one list as COCO's tools write it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from io import StringIO
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import shortened
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.datasets.coco_entries import as_whole
from heatprop.lab.evaluation.detection_files.raw import DetectionFileError, RawDetections
from heatprop.types import IntArray

Entry: TypeAlias = dict[str, Any]

_LINE_FIELDS = ("class", "score", "x1", "y1", "x2", "y2")
_COCO_FIELDS = ("category_id", "score", "x", "y", "w", "h")
_WRAPPERS = ("annotations", "results", "predictions", "detections")
_IDS = ("track_id", "instance_id")
"""Where an entry may name its object."""
_LINES_AT_ONCE = 50_000
_NOT_JSON = (ValueError, RecursionError)  # also a number of thousands of digits, and nesting without end


class _BadEntryError(Exception):
    """An entry of a list, counted from 0, is no detection."""

    def __init__(self, index: int, problem: str) -> None:
        super().__init__(problem)
        self.index = index


def parse_json_lines(text: str, path: Path, dataset: VideoDataset) -> RawDetections:
    """Read an object a line: `frame` (name) or `frame_id` or both, `class`, `score`, `x1`, `y1`, `x2`, `y2`.

    `track_id` or `instance_id` may name the object. Empty lines are passed over, other fields too.

    Raises:
        DetectionFileError: a line is no such object, or its frame's name and number disagree.
    """
    name_rows = {name: row for row, name in enumerate(dataset.frame_names)}
    id_rows = {number: row for row, number in enumerate(dataset.frame_ids.tolist())}
    filled = ((number, line) for number, line in enumerate(StringIO(text), start=1) if not line.isspace())
    frames, numbers, lines, ids = [], [], [], []
    while part := list(islice(filled, _LINES_AT_ONCE)):
        try:
            entries = _parse_lines([line for _, line in part])
            frames.append(_rows_of_lines(entries, name_rows, id_rows))
            numbers.append(_numbers(entries, itemgetter(*_LINE_FIELDS), _LINE_FIELDS))
            ids.append(_object_ids(entries))
        except _BadEntryError as error:
            raise DetectionFileError(f"{path}, line {part[error.index][0]}: {error}") from None
        lines += [number for number, _ in part]

    def frame_text(number: int) -> str:
        entry = json.loads(next(islice(StringIO(text), lines[number] - 1, None)))
        return repr(entry.get("frame", entry.get("frame_id")))

    return RawDetections(
        np.concatenate(frames),
        np.concatenate(numbers),
        frame_text,
        lambda i: f"line {lines[i]}",
        np.concatenate(ids),
    )


def parse_coco(text: str, path: Path, dataset: VideoDataset) -> RawDetections:
    """Read a list of `image_id`, `category_id`, `score` and `bbox` as (x, y, width, height).

    `track_id` or `instance_id` may name the object.

    Raises:
        DetectionFileError: the text is no such list.
    """
    try:
        entries = json.loads(text)
    except _NOT_JSON as error:
        line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise DetectionFileError(
            f"{path}{line}: no JSON ({_reason(error)}); the file may be cut off, write it anew"
        ) from None
    return _from_list(
        entries, path, dataset, lambda number: f"line {_line_of_entry(text, number)}, detection {number + 1}"
    )


def parse_objects(text: str, path: Path, dataset: VideoDataset) -> RawDetections:
    """Read what begins with an object: lines of them, or one that holds COCO's list in a field of `_WRAPPERS`.

    Raises:
        DetectionFileError: it is neither.
    """
    content = _one_object(text)
    if content is None or not {"class", "score"}.isdisjoint(content):
        return parse_json_lines(text, path, dataset)
    lists = [name for name in _WRAPPERS if isinstance(content.get(name), list)]
    if len(lists) == 1:
        (name,) = lists
        return _from_list(content[name], path, dataset, lambda number: f"{name}, detection {number + 1}")
    if not content.keys() & {*_LINE_FIELDS, "frame", "frame_id"}:
        raise DetectionFileError(
            f"{path}: is one object with {_short(sorted(content))}; give COCO's list of detections by itself, or "
            f"in one of the fields {', '.join(_WRAPPERS)}"
        )
    return parse_json_lines(text, path, dataset)


def _one_object(text: str) -> dict[str, Any] | None:
    """Return the object that is all of a text; None where it is something else, such as several lines."""
    start = text.lstrip()
    first, _, rest = start.partition("\n")
    if rest.strip() and first.rstrip().endswith("}"):  # lines, of which there may be millions
        return None
    try:
        content = json.loads(start)
    except _NOT_JSON:
        return None
    return content if isinstance(content, dict) else None


def _from_list(
    entries: Sequence[Entry], path: Path, dataset: VideoDataset, place: Callable[[int], str]
) -> RawDetections:
    id_rows = {number: row for row, number in enumerate(dataset.frame_ids.tolist())}
    try:
        numbers = _numbers(entries, _coco_fields, _COCO_FIELDS)
        ids = [entry.get("image_id") for entry in entries]
        _check_whole(ids, "image_id")
        object_ids = _object_ids(entries)
    except _BadEntryError as error:
        raise DetectionFileError(f"{path}, {place(error.index)}: {error}") from None
    frames = np.array([id_rows.get(number, -1) for number in ids], np.int64)
    numbers[:, 4:] += numbers[:, 2:4]
    return RawDetections(frames, numbers, lambda i: str(ids[i]), place, object_ids)


def _coco_fields(entry: Entry) -> tuple[Any, ...]:
    return entry["category_id"], entry["score"], *entry["bbox"]


def _parse_lines(lines: Sequence[str]) -> list[Entry]:
    """Parse all lines as one list, many times faster than one by one; one by one when that fails."""
    try:
        entries: list[Entry] = json.loads(f"[{','.join(lines)}]")
        if len(entries) == len(lines):
            return entries
    except _NOT_JSON:
        pass
    entries = []
    for index, line in enumerate(lines):
        try:
            entries.append(json.loads(line))
        except _NOT_JSON as error:
            raise _BadEntryError(index, f"no JSON ({_reason(error)}); the file may be cut off") from None
    return entries


def _rows_of_lines(entries: Sequence[Entry], name_rows: dict[str, int], id_rows: dict[int, int]) -> IntArray:
    """Return the row of each line's frame, int64 ``(D,)``; -1 for an unknown one."""
    for index, entry in enumerate(entries):
        if type(entry) is not dict:
            raise _BadEntryError(index, f"{_short(entry)} is no detection; write an object a line")
    names, ids = ([entry.get(field) for entry in entries] for field in ("frame", "frame_id"))
    _check_types(names, "frame", (str, type(None)))
    _check_whole(ids, "frame_id", or_missing=True)
    rows = np.empty(len(entries), np.int64)
    for index, (name, number) in enumerate(zip(names, ids, strict=True)):
        by_number = -1 if number is None else id_rows.get(number, -1)
        rows[index] = by_number if name is None else name_rows.get(name, -1)
        if name is not None and number is not None and rows[index] != by_number:
            raise _BadEntryError(index, f"frame {_short(name)} is not number {number} of the dataset; drop one")
        if name is None and number is None:
            raise _BadEntryError(index, "frame and frame_id are missing; give one")
    return rows


def _object_ids(entries: Sequence[Entry]) -> IntArray:
    """Return the id of each entry's object, int64 ``(D,)``: of the first of `_IDS` that it has; -1 for none."""
    ids = np.full(len(entries), -1)
    for name in reversed(_IDS):
        values = [entry.get(name) for entry in entries]
        if set(map(type, values)) <= {type(None)}:
            continue
        for index, value in enumerate(values):
            number = -1 if value is None else as_whole(value)
            if number is None or number < -1:
                text = f"{name} is {_short(value)}; ids are whole numbers from 0, or -1 for none"
                raise _BadEntryError(index, text)
            ids[index] = ids[index] if value is None else number
    return ids


def _check_types(values: Sequence[object], name: str, types: tuple[type, ...]) -> None:
    if not set(map(type, values)) <= set(types):
        index = next(index for index, value in enumerate(values) if type(value) not in types)
        wanted = " or ".join("missing" if kind is type(None) else kind.__name__ for kind in types)
        raise _BadEntryError(index, f"{name} is {_short(values[index])}; it must be {wanted}")


def _check_whole(values: Sequence[object], name: str, *, or_missing: bool = False) -> None:
    """Check for whole numbers, also those written as 7.0, which Python counts as the same key as 7."""
    missing = {type(None)} if or_missing else set()
    if set(map(type, values)) <= {int, *missing}:
        return
    for index, value in enumerate(values):
        if as_whole(value) is None and not (or_missing and value is None):
            wanted = "a whole number" + (" or missing" if or_missing else "")
            raise _BadEntryError(index, f"{name} is {_short(value)}; it must be {wanted}")


def _numbers(
    entries: Sequence[Entry], fields_of: Callable[[Entry], tuple[Any, ...]], names: Sequence[str]
) -> NDArray[np.float64]:
    """Return six numbers of each entry, float64 ``(D, 6)``."""
    try:
        fields = list(map(fields_of, entries))
        flat = list(chain.from_iterable(fields))
        if set(map(len, fields)) <= {6} and set(map(type, flat)) <= {int, float}:
            return np.array(flat, np.float64).reshape(-1, 6)
    except (KeyError, TypeError, OverflowError):
        pass
    problems = (_problem(entry, fields_of, names) for entry in entries)
    raise next(_BadEntryError(index, problem) for index, problem in enumerate(problems) if problem)


def _problem(entry: Entry, fields_of: Callable[[Entry], tuple[Any, ...]], names: Sequence[str]) -> str | None:
    if type(entry) is not dict:
        return f"{_short(entry)} is no detection; write an object with {', '.join(names)}"
    try:
        values = fields_of(entry)
    except KeyError as error:
        return f"{error} is missing"
    except TypeError:
        values = ()
    if len(values) != len(names):
        return f"bbox is {_short(entry.get('bbox'))}; it must be [x, y, width, height]"
    for name, value in zip(names, values, strict=True):
        if type(value) not in (int, float):
            return f"{name} is {_short(value)}, no number"
        try:
            float(value)
        except OverflowError:
            return f"{name} is too large for a number"
    return None


def _line_of_entry(text: str, number: int) -> int:
    """Return the line on which an entry of the list in a text begins."""
    decoder, at = json.JSONDecoder(), text.index("[")
    for _ in range(number + 1):
        begin = at + 1
        while text[begin] in " \t\r\n,":
            begin += 1
        at = decoder.raw_decode(text, begin)[1] - 1
    return text.count("\n", 0, begin) + 1


def _reason(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep or a number too long"


def _short(value: object) -> str:
    return shortened(repr(value))
