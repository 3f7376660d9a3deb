"""How many different objects there were, by their track ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from heatprop.counting.recent_ids import MOST_IDS, RecentIds
from heatprop.errors import check_count
from heatprop.types import Detections

LEAST_FRAMES = 5


class ObjectCounter:
    """Counts the different objects of a video, by class: the ids that were seen in enough frames.

    The frames need not follow one another. An id counts from the frame in which it has been seen often enough, for
    the class that it has there. Detections without an id (-1) count as nothing.

    Args:
        least_frames: in how many frames an object is seen that counts; at least 1. It keeps out what flickers up.
        most_ids: how many ids are remembered, those seen last; at least 1. It bounds the memory, about 150 bytes
            each, on a camera that runs for days. Who comes back after so many others counts anew.

    Attributes:
        least_frames: as it was given.

    Raises:
        InvalidConfigError: a number is below 1.

    Example:
        >>> counter = ObjectCounter(least_frames=2)
        >>> for ids in ([1, 2], [1], [1, 3]):
        ...     boxes = [[0, 0, 4, 4]] * len(ids)
        ...     counter.update(Detections(boxes, [0.9] * len(ids), [0] * len(ids), track_ids=ids))
        >>> dict(counter.counts), counter.total
        ({0: 1}, 1)
    """

    def __init__(self, least_frames: int = LEAST_FRAMES, *, most_ids: int = MOST_IDS) -> None:
        check_count("least_frames", least_frames, 1)
        check_count("most_ids", most_ids, 1)
        self.least_frames = int(least_frames)
        self._frames = RecentIds[int](int(most_ids))
        self._counts: Counter[int] = Counter()

    @property
    def counts(self) -> Mapping[int, int]:
        """How many objects there were of each class number; classes without any are missing."""
        return MappingProxyType(self._counts)

    @property
    def total(self) -> int:
        """How many objects there were."""
        return self._counts.total()

    def update(self, detections: Detections, among: NDArray[np.bool_] | None = None) -> None:
        """Take the next frame.

        Args:
            detections: of the frame.
            among: bool ``(N,)``: which of them are looked at; None for all.
        """
        wanted = detections.track_ids >= 0 if among is None else (detections.track_ids >= 0) & among
        ids, labels = detections.track_ids[wanted].tolist(), detections.labels[wanted].tolist()
        for number, label in zip(ids, labels, strict=True):
            frames = (self._frames.get(number) or 0) + 1
            self._frames.put(number, frames)
            if frames == self.least_frames:
                self._counts[label] += 1
