"""Detections as a file says them, before they are held against a dataset; read here from official text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import HeatpropError
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.types import IntArray

COLUMNS = "frame_index class_id score x1 y1 x2 y2"
"""Of the text form of the ILSVRC development kit: seven numbers a line."""


class DetectionFileError(HeatpropError, ValueError):
    """A file of detections is missing, damaged, or does not fit the dataset; the message names file and line."""


@dataclass(frozen=True, slots=True, eq=False)
class RawDetections:
    """What a file says, a row a detection.

    Attributes:
        frames: row of the frame in the dataset, int64 ``(D,)``; -1 for a frame that it does not have.
        numbers: (class, score, x1, y1, x2, y2), the class by its official number, float64 ``(D, 6)``.
        frame_text: what the file calls the frame of a detection.
        place: where a detection is in the file, such as "line 7".
        ids: of the objects, int64 ``(D,)``, -1 where nothing is said; None where the file has none.
    """

    frames: IntArray
    numbers: NDArray[np.float64]
    frame_text: Callable[[int], str]
    place: Callable[[int], str]
    ids: IntArray | None = None


def positions(known: NDArray[Any], wanted: NDArray[Any]) -> IntArray:
    """Return where each wanted number stands among the known ones, of which there is one at least; -1 for nowhere.

    >>> positions(np.array([5, 3, 9]), np.array([9.0, 4.0, 5.0])).tolist()
    [2, -1, 0]
    """
    order = np.argsort(known)
    at = np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)
    place: IntArray = np.where(known[order[at]] == wanted, order[at], -1)
    return place


def parse_text(text: str, path: Path, dataset: VideoDataset) -> RawDetections:
    """Read lines of `COLUMNS`; empty lines are passed over.

    Raises:
        DetectionFileError: a line is not seven numbers.
    """
    try:
        table = np.loadtxt(StringIO(text), np.float64, comments=None, ndmin=2)
    except ValueError as error:
        raise DetectionFileError(f"{path}{_what_is_wrong(text, error)}") from None
    if table.shape[1] != 7:
        raise DetectionFileError(f"{path}{_what_is_wrong(text, ValueError('not 7 columns'))}")

    def place(number: int) -> str:
        filled = (line for line, words in enumerate(StringIO(text), start=1) if words.strip())
        return f"line {next(islice(filled, number, None))}"

    ids = table[:, 0]
    return RawDetections(
        positions(dataset.frame_ids, ids), table[:, 1:], lambda number: f"{ids[number]:.15g}", place
    )


def _what_is_wrong(text: str, error: ValueError) -> str:
    """Return the line that is not seven numbers, and why; the reader's own words where this finds none."""
    for number, line in enumerate(StringIO(text), start=1):
        words = line.split()
        if words and len(words) != 7:
            return f", line {number}: {len(words)} columns; a detection has 7: {COLUMNS}"
        for word in words:
            try:
                float(word)
            except ValueError:
                return f", line {number}: {word[:40]!r} is no number; a detection is {COLUMNS}"
    return f": {error}; a detection is {COLUMNS}"
