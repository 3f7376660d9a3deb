"""The detections of a whole dataset, in columns: what every metric takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import InvalidArrayError
from heatprop.types import Detections, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class DetectionTable:
    """Detections of all frames, one row a detection, in any order.

    Attributes:
        frames: row of the frame in its `VideoDataset`, int64 ``(D,)``.
        labels: int64 ``(D,)``, class numbers of the dataset, from 0.
        scores: float64 ``(D,)``.
        boxes: float64 ``(D, 4)`` as (x1, y1, x2, y2) in pixels of the frame.
        track_ids: int64 ``(D,)``; see `Detections`. None stands for -1, not known.

    Raises:
        InvalidArrayError: the columns differ in length, or a number is not finite.
    """

    frames: IntArray
    labels: IntArray
    scores: NDArray[np.float64]
    boxes: NDArray[np.float64]
    track_ids: IntArray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        count = len(self.frames)
        if self.track_ids is None:
            object.__setattr__(self, "track_ids", np.full(count, -1))
        columns = self.labels, self.scores, self.track_ids
        if self.boxes.shape != (count, 4) or any(len(each) != count for each in columns):
            raise InvalidArrayError(
                f"the columns of the detections have {count}, {len(self.labels)}, {len(self.scores)} and "
                f"{len(self.boxes)} rows; each needs as many"
            )
        if not (np.isfinite(self.scores).all() and np.isfinite(self.boxes).all()):
            raise InvalidArrayError("a score or box of the detections is not finite; leave such detections out")

    def __len__(self) -> int:
        return len(self.frames)

    def select(self, index: NDArray[np.bool_] | IntArray) -> DetectionTable:
        """Return the detections that a mask or an index array names, in its order."""
        return DetectionTable(*(getattr(self, each.name)[index] for each in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[DetectionTable]) -> DetectionTable:
        """Return the detections of all parts, of which there is at least one, one after the other."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))

    @classmethod
    def from_frames(cls, found: Iterable[tuple[int, Detections]]) -> DetectionTable:
        """Put (row of the frame, its `Detections` in pixels) together."""
        rows, each = [], []
        for row, detections in found:
            rows.append(np.full(len(detections), row, np.int64))
            each.append(detections)
        empty = Detections.empty()
        each.append(empty)
        return cls(
            np.concatenate([*rows, np.empty(0, np.int64)]),
            np.concatenate([detections.labels for detections in each]),
            np.concatenate([detections.scores for detections in each]).astype(np.float64),
            np.concatenate([detections.boxes for detections in each]).astype(np.float64),
            np.concatenate([detections.track_ids for detections in each]),
        )
