"""Detections in the text form of the ILSVRC development kit: seven numbers a line."""

from __future__ import annotations

from io import StringIO
from itertools import islice
from pathlib import Path

import numpy as np

from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detection_files.raw import DetectionFileError, RawDetections, positions

COLUMNS = "frame_index class_id score x1 y1 x2 y2"


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
