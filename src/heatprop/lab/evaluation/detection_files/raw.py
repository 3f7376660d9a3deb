"""Detections as a file says them, before they are held against a dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import HeatpropError
from heatprop.types import IntArray


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
    """

    frames: IntArray
    numbers: NDArray[np.float64]
    frame_text: Callable[[int], str]
    place: Callable[[int], str]


def positions(known: NDArray[Any], wanted: NDArray[Any]) -> IntArray:
    """Return where each wanted number stands among the known ones, of which there is one at least; -1 for nowhere.

    >>> positions(np.array([5, 3, 9]), np.array([9.0, 4.0, 5.0])).tolist()
    [2, -1, 0]
    """
    order = np.argsort(known)
    at = np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)
    place: IntArray = np.where(known[order[at]] == wanted, order[at], -1)
    return place
