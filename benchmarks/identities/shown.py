"""Which objects are shown: those that were seen well enough, for as long as they are seen at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heatprop.types import Detections


@dataclass(frozen=True, kw_only=True)
class ShownSettings:
    """When an object is shown; trackers of others have the same three choices, under names of their own.

    Attributes:
        first: score that an object must once have to be shown from then on.
        stays: lower score, with which it still is.
        frames: in how many frames it must have been so, the present one included.
    """

    first: float = 0.3
    stays: float = 0.3
    frames: int = 1

    def __str__(self) -> str:
        return f"first from {self.first:g}, then from {self.stays:g}, after {self.frames} frames"


def shown(detections: Sequence[Detections], settings: ShownSettings = ShownSettings()) -> list[Detections]:
    """Leave out of a video, online, what is not shown. What has no id never is."""
    known: set[int] = set()
    frames: Counter[int] = Counter()
    left = []
    for found in detections:
        ids = found.track_ids.tolist()
        known.update(found.track_ids[found.scores >= settings.first].tolist())
        known.discard(-1)
        stays = (found.scores >= settings.stays) & np.array([each in known for each in ids], np.bool_)
        frames.update(found.track_ids[stays].tolist())
        left.append(found.select(stays & np.array([frames[each] >= settings.frames for each in ids], np.bool_)))
    return left
