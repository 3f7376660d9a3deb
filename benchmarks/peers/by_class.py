"""Track each class of a video for itself, with a tracker that knows nothing of classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import TypeAlias

import numpy as np

from heatprop.types import Detections, ImageArray

Track: TypeAlias = Callable[[Detections, ImageArray | None], Detections]
"""What a tracker makes of the detections of one class in the next frame, and of its image where that is given.

Track ids are the tracker's own, -1 for what it does not track.
"""


def track_by_class(
    detections: Sequence[Detections], start: Callable[[], Track], images: Iterable[ImageArray] | None = None
) -> list[Detections]:
    """Run a tracker for each class over a video, online, from the first frame in which the class is.

    Args:
        detections: of each frame, in order.
        start: makes a new tracker.
        images: of each frame, uint8 RGB ``(H, W, 3)``; None gives the trackers none.

    Returns:
        What the trackers say of each frame, by falling score. A track id is one object of one class.
    """
    trackers: dict[int, Track] = {}
    ids: dict[tuple[int, int], int] = {}  # by class and the id of its tracker
    tracked = []
    for found, image in zip(detections, repeat(None) if images is None else images, strict=False):
        for label in np.unique(found.labels).tolist():
            trackers.setdefault(label, start())
        parts = [Detections.empty()]
        for label, track in trackers.items():
            of_class = track(found.select(found.labels == label), image)
            own = of_class.track_ids.tolist()
            new = [-1 if each < 0 else ids.setdefault((label, each), len(ids)) for each in own]
            numbers = np.array(new, np.int64)
            parts.append(
                Detections(of_class.boxes, of_class.scores, np.full_like(numbers, label), track_ids=numbers)
            )
        boxes, scores, labels, track_ids = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("boxes", "scores", "labels", "track_ids")
        )
        order = np.argsort(-scores, kind="stable")
        tracked.append(Detections(boxes[order], scores[order], labels[order], track_ids=track_ids[order]))
    return tracked
