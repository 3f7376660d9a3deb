"""The columns of detections as a table, a row a detection: what `DetectionTable` and `DetectionParquet` share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from heatprop.errors import InvalidArrayError
from heatprop.types import Detections


class Column(NamedTuple):
    """A column.

    Attributes:
        name: as it stands in the first line of a CSV file.
        kind: ``"int64"``, ``"float64"``, ``"float32"`` or ``"string"``; CSV has its numbers as text.
        unit: of its numbers; empty where they have none.
        meaning: in words.
    """

    name: str
    kind: str
    unit: str
    meaning: str


COLUMNS = (
    Column("frame", "int64", "", "number of the frame in the source, from 0"),
    Column("time", "float64", "s", "presentation time of the frame"),
    Column("id", "int64", "", "the same in another frame is the same object; -1 without propagation"),
    Column("class", "string", "", "name of the class"),
    Column("score", "float32", "", "0 to 1"),
    Column("x1", "float32", "px", "left side of the box, in the frame"),
    Column("y1", "float32", "px", "upper side of the box"),
    Column("x2", "float32", "px", "right side of the box"),
    Column("y2", "float32", "px", "lower side of the box"),
    Column("length", "int64", "frames", "in how many frames up to this one, without a gap, the object was seen"),
)
"""The columns, in this order."""
BOX_DECIMALS, SCORE_DECIMALS, TIME_DECIMALS = 2, 4, 6


class FrameOrder:
    """Checks that frames can be written: each once, by rising numbers, with finite times and known labels.

    Args:
        classes: a name for each label.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._class_count, self._last = len(classes), -1

    def check(self, index: int, time: float, detections: Detections) -> None:
        """Check the next frame.

        Raises:
            InvalidArrayError: it cannot be written.
        """
        labels = detections.labels
        if len(labels) and not 0 <= labels.min() <= labels.max() < self._class_count:
            raise InvalidArrayError(
                f"frame {index}: labels {labels.min()} to {labels.max()} do not fit "
                f"{self._class_count} classes; give the header the classes of the model"
            )
        if not math.isfinite(time):
            raise InvalidArrayError(f"frame {index}: its time is {time}; give a finite number of seconds")
        if index <= self._last:
            raise InvalidArrayError(
                f"frame {index} after frame {self._last}; write frames once each, by rising numbers from 0"
            )

    def accept(self, index: int) -> None:
        """Note that a frame was written."""
        self._last = index


def values_by_column(
    index: int, time: float, detections: Detections, classes: Sequence[str]
) -> dict[str, Sequence[Any]]:
    """Return the values of a frame by the names of `COLUMNS`, one a detection, rounded as in JSON Lines.

    Example:
        >>> one = Detections([[1, 2, 30.456, 4]], [0.123456], [0], track_ids=[7])
        >>> [*values_by_column(3, 0.12, one, ["cat"]).values()]
        [[3], [0.12], [7], ['cat'], [0.1235], [1.0], [2.0], [30.46], [4.0], [1]]
    """
    boxes = detections.boxes.astype(np.float64).round(BOX_DECIMALS).T.tolist()
    columns: list[list[Any]] = [
        [index] * len(detections),
        [round(float(time), TIME_DECIMALS)] * len(detections),
        detections.track_ids.tolist(),
        [classes[label] for label in detections.labels.tolist()],
        detections.scores.astype(np.float64).round(SCORE_DECIMALS).tolist(),
        *boxes,
        detections.lengths.tolist(),
    ]
    return dict(zip((column.name for column in COLUMNS), columns, strict=True))
