"""The strip of a whole run: which object was shown when, and where propagation changed what is shown."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatprop.boxes import iou
from heatprop.types import Detections

SAME_OBJECT = 0.5
"""Least overlap of a box of one side with one of the other, of its class, to be of the same object."""
MOST_BINS = 2000
MOST_OBJECTS = 500


@dataclass(slots=True)
class ShownObject:
    """Where an object is shown.

    Attributes:
        label: its class.
        spans: first and last frame of each run of consecutive frames.
        best: score.
        frames: in how many.
    """

    label: int
    spans: list[list[int]] = field(default_factory=list)
    best: float = 0.0
    frames: int = 0

    def add(self, frame: int, score: float) -> None:
        """Show it in a frame, later than all before."""
        if self.spans and self.spans[-1][1] == frame - 1:
            self.spans[-1][1] = frame
        else:
            self.spans.append([frame, frame])
        self.best, self.frames = max(self.best, score), self.frames + 1


class Overview:
    """What is known of a run from its first frames on; `add` takes the next.

    Attributes:
        frames: so many were added.
        objects: by id, those of propagation.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.objects: dict[int, ShownObject] = {}
        self._recovered, self._suppressed = array("q"), array("q")
        self._boxes = {"recovered": 0, "suppressed": 0}
        self._alone, self._propagated = array("i"), array("i")
        self._has_alone = False

    def add(self, alone: Detections | None, propagated: Detections) -> None:
        """Add the next frame.

        Args:
            alone: what the network alone shows; None where that is not known.
            propagated: what propagation shows.
        """
        columns = (propagated.track_ids, propagated.labels, propagated.scores)
        for number, label, score in zip(*(column.tolist() for column in columns), strict=True):
            if number >= 0:
                self.objects.setdefault(number, ShownObject(label)).add(self.frames, score)
        if alone is not None:
            self._has_alone = True
            self._note("recovered", self._recovered, lacking(propagated, alone))
            self._note("suppressed", self._suppressed, lacking(alone, propagated))
        self._alone.append(0 if alone is None else len(alone))
        self._propagated.append(len(propagated))
        self.frames += 1

    def _note(self, name: str, frames: array[int], changed: NDArray[np.bool_]) -> None:
        count = int(changed.sum())
        if count:
            self._boxes[name] += count
            frames.append(self.frames)

    def to_json(self) -> dict[str, Any]:
        """Return what the page shows; of objects those that are shown in the most frames."""
        size = max(-(-self.frames // MOST_BINS), 1)
        shown = sorted(self.objects.items(), key=lambda item: (-item[1].frames, item[0]))[:MOST_OBJECTS]
        return {
            "frames": self.frames,
            "objects": [
                {
                    "id": number,
                    "label": each.label,
                    "spans": each.spans,
                    "best": round(each.best, 3),
                    "frames": each.frames,
                }
                for number, each in sorted(shown)
            ],
            "left_out": len(self.objects) - len(shown),
            "recovered": self._recovered.tolist(),
            "suppressed": self._suppressed.tolist(),
            "boxes": dict(self._boxes),
            "counts": {
                "alone": binned(self._alone, size) if self._has_alone else None,
                "propagated": binned(self._propagated, size),
            },
            "bin": size,
        }


def lacking(some: Detections, others: Detections) -> NDArray[np.bool_]:
    """Return which detections have none of their class among others that overlaps them by `SAME_OBJECT`, ``(N,)``.

    >>> one, two = Detections([[0, 0, 4, 4]], [0.5], [0]), Detections([[0, 0, 4, 4]], [0.5], [1])
    >>> lacking(one, two).tolist(), lacking(one, one).tolist()
    ([True], [False])
    """
    if not len(some) or not len(others):
        return np.ones(len(some), np.bool_)
    same = (some.labels[:, None] == others.labels) & (iou(some.boxes[:, None], others.boxes) >= SAME_OBJECT)
    missing: NDArray[np.bool_] = ~same.any(axis=1)
    return missing


def binned(counts: array[int], size: int) -> list[float]:
    """Return the mean of each `size` consecutive counts, with two decimals.

    >>> binned(array("i", [1, 2, 4]), 2)
    [1.5, 4.0]
    """
    if not counts:
        return []
    begins = np.arange(0, len(counts), size)
    sums = np.add.reduceat(np.asarray(counts, np.int64), begins)
    lengths = np.diff(np.append(begins, len(counts)))
    means: list[float] = (sums / lengths).round(2).tolist()
    return means
