"""``gt.txt`` of a MOTChallenge sequence: what is annotated, what of it is scored, and what distracts.

    frame,id,left,top,width,height,flag,class,visibility        1,2,1338,418,167,379,1,1,0.86        MOT16 to MOT20
    frame,id,left,top,width,height,flag,x,y,z                   1,1,399,182,121,229,1,-1,-1,-1       MOT15

Which classes distract is what TrackEval's ``MotChallenge2DBox`` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import UnfitFileError
from heatprop.io.regular_files import LARGEST_LIST, read_regular
from heatprop.lab.datasets.annotations import Distractors, GroundTruth
from heatprop.lab.datasets.doubtful_boxes import doubts
from heatprop.lab.datasets.findings import Finding, Report, at_line
from heatprop.lab.datasets.mot_sequence_info import SequenceInfo

_PEDESTRIAN = 1
_LAST_CLASS = 13
_DISTRACTORS = (2, 7, 8, 12)
"""Person on vehicle, static person, distractor, reflection."""
_DISTRACTORS_OF_MOT20 = (*_DISTRACTORS, 6)
"""There a vehicle that is no car distracts, too."""
_FIELDS = "frame, id, left, top, width, height, flag, class, visibility"
_LINE, _FRAME, _ID, _LEFT, _TOP, _WIDTH, _HEIGHT, _FLAG, _CLASS = range(9)
_OF_MOT15 = 10  # fields of a line that has coordinates in the world in place of a class
_LARGEST = 2.0**53


@dataclass(frozen=True, slots=True, eq=False)
class SequenceTruth:
    """What a file says.

    Attributes:
        objects: pedestrians that are scored, and, as crowds without a track, what distracts.
        distractors: all boxes, of a sequence that names classes.
    """

    objects: GroundTruth
    distractors: Distractors


def read_truth(path: Path, start: int, info: SequenceInfo, report: Report) -> SequenceTruth:
    """Read the file of a sequence; in a frame objects come as they stand there.

    Args:
        path: the file, ``SEQUENCE/gt/gt.txt``; a sequence of MOT20 has that in its name.
        start: row of the sequence's first frame.
        info: of the sequence.
        report: takes each finding; where it returns, the line is skipped.

    Raises:
        DatasetError: by `report`.
    """
    lines = _checked(_lines(path, report), path, info.length, report)
    boxes = np.concatenate(
        [lines[:, _LEFT : _TOP + 1], lines[:, _LEFT : _TOP + 1] + lines[:, _WIDTH : _HEIGHT + 1]], axis=1
    )
    _report_doubts(boxes, lines[:, _LINE], path, (info.width, info.height), report)
    order = np.argsort(lines[:, _FRAME], kind="stable")
    lines, boxes = lines[order], boxes[order]
    frames = lines[:, _FRAME].astype(np.int64) - 1 + start
    classes, flags = lines[:, _CLASS].astype(np.int64), lines[:, _FLAG].astype(np.int64)
    is_of_mot20 = "MOT20" in path.parent.parent.name.upper()
    if (classes == -1).all():  # MOT15: every box is a pedestrian, and nothing distracts
        scored, distracts = flags != 0, np.zeros(len(lines), np.bool_)
        all_boxes = distracts
    else:
        scored = (flags != 0) & (classes == _PEDESTRIAN)
        distracts = np.isin(classes, _DISTRACTORS_OF_MOT20 if is_of_mot20 else _DISTRACTORS)
        all_boxes = np.ones(len(lines), np.bool_)
    kept = scored | distracts
    nothing = np.zeros(int(kept.sum()), np.bool_)
    ids = lines[kept, _ID].astype(np.int64)
    return SequenceTruth(
        GroundTruth(
            frames=frames[kept],
            boxes=boxes[kept],
            labels=np.zeros(len(nothing), np.int64),
            tracks=np.where(distracts[kept] | (ids < 0), -1, ids),
            occluded=nothing,
            generated=nothing,
            crowd=distracts[kept],
        ),
        Distractors(frames[all_boxes], boxes[all_boxes], distracts[all_boxes]),
    )


def _lines(path: Path, report: Report) -> NDArray[np.float64]:
    """Return number and first eight fields of each line, float64 ``(N, 9)``; class -1 where none is named."""
    try:
        text = read_regular(path, LARGEST_LIST).decode("utf-8-sig")
    except OSError as error:
        remedy = error.remedy if isinstance(error, UnfitFileError) else "a sequence without it cannot be scored"
        report(Finding("missing annotation", str(path), f"cannot be read ({error.strerror}); {remedy}"))
        return np.empty((0, 9))
    except UnicodeDecodeError:
        report(Finding("damaged annotation", str(path), "is no text; restore it"))
        return np.empty((0, 9))
    rows: list[tuple[float, ...]] = []
    widest = 0
    for number, line in enumerate(StringIO(text), start=1):
        words = line.split(",")
        if not line.strip():
            continue
        try:
            fields = tuple(map(float, words if words[-1].strip() else words[:-1]))
        except ValueError:
            problem = f"{line.strip()[:60]!r} is not {_FIELDS}"
            report(Finding("damaged annotation", at_line(path, number), problem))
            continue
        if len(fields) < _CLASS:
            problem = f"{len(fields)} fields; an object has {_FIELDS}"
            report(Finding("damaged annotation", at_line(path, number), problem))
            continue
        widest = max(widest, len(fields))
        rows.append((number, *fields[: _CLASS - 1], fields[_CLASS - 1] if len(fields) >= _CLASS else -1.0))
    lines = np.array(rows, np.float64).reshape(-1, 9)
    classes = lines[:, _CLASS]
    whole: NDArray[np.bool_] = (classes == np.round(classes)) & (classes >= 1) & (classes <= _LAST_CLASS)
    if widest >= _OF_MOT15 and not whole.all():
        lines[:, _CLASS] = -1
    return lines


def _checked(lines: NDArray[np.float64], path: Path, length: int, report: Report) -> NDArray[np.float64]:
    """Return the lines that can be used, and report the others."""
    wrong: dict[int, str] = {}
    for index, text in _problems(lines, length):
        wrong.setdefault(index, text)
    for index in sorted(wrong):
        report(Finding("damaged annotation", at_line(path, int(lines[index, _LINE])), wrong[index]))
    lines = np.delete(lines, list(wrong), axis=0)
    pairs = lines[:, [_FRAME, _ID]]
    _, first = np.unique(pairs, axis=0, return_index=True)
    again = np.setdiff1d(np.arange(len(lines)), first)
    again = again[pairs[again, 1] >= 0]
    for index in again.tolist():
        frame, number = pairs[index].tolist()
        text = f"id {number:g} stands in frame {frame:g} already; an id is one object"
        report(Finding("track twice in a frame", at_line(path, int(lines[index, _LINE])), text))
    return np.delete(lines, again, axis=0)


def _problems(lines: NDArray[np.float64], length: int) -> Iterator[tuple[int, str]]:
    """Yield index and fault of each line that has one, the graver first."""
    for index in np.flatnonzero(~np.isfinite(lines[:, : _CLASS + 1]).all(axis=1)).tolist():
        yield index, "a number is not finite"
    frames, ids, classes = lines[:, _FRAME], lines[:, _ID], lines[:, _CLASS]
    with np.errstate(invalid="ignore"):
        for index in np.flatnonzero(~((frames == np.floor(frames)) & (frames >= 1) & (frames <= length))).tolist():
            yield index, f"frame {frames[index]:g}; the sequence has frames 1 to {length}"
        for index in np.flatnonzero(~((ids == np.floor(ids)) & (np.abs(ids) < _LARGEST))).tolist():
            yield index, f"id {ids[index]:g}; ids are whole numbers"
        for index in np.flatnonzero(~(np.abs(lines[:, _LEFT : _FLAG + 1]) < _LARGEST).all(axis=1)).tolist():
            yield index, "a number is beyond any image"
        for index in np.flatnonzero((lines[:, _WIDTH] < 0) | (lines[:, _HEIGHT] < 0)).tolist():
            width, height = lines[index, [_WIDTH, _HEIGHT]].tolist()
            yield index, f"width {width:g} and height {height:g}; none may be negative"
        known = (classes == np.floor(classes)) & (classes >= 1) & (classes <= _LAST_CLASS)
        if (classes == -1).all():
            return
        for index in np.flatnonzero(~known).tolist():
            yield index, f"class {classes[index]:g}; classes are 1, pedestrian, to {_LAST_CLASS}"


def _report_doubts(
    boxes: NDArray[np.float64], lines: NDArray[np.float64], path: Path, size: tuple[int, int], report: Report
) -> None:
    width, height = size
    sides = boxes[:, 2:] - boxes[:, :2]
    beyond = (boxes[:, :2] < 0).any(axis=1) | (boxes[:, 2] > width) | (boxes[:, 3] > height)
    for index in np.flatnonzero(beyond | (sides < 1).any(axis=1)).tolist():
        x1, y1, x2, y2 = boxes[index].tolist()
        for kind, text in doubts((x1, y1, x2, y2), width, height):
            report(Finding(kind, at_line(path, int(lines[index])), text, is_damage=False))
