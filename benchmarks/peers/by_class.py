"""Track each class of a video for itself, with a tracker that knows nothing of classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from heatprop.types import Detections

Track = Callable[[Detections], Detections]
"""What a tracker makes of the detections of one class in the next frame."""


def track_by_class(detections: Sequence[Detections], start: Callable[[], Track]) -> list[Detections]:
    """Run a tracker for each class over a video, online, from the first frame in which the class is.

    Args:
        detections: of each frame, in order.
        start: makes a new tracker.

    Returns:
        What the trackers say of each frame, by falling score.
    """
    trackers: dict[int, Track] = {}
    tracked = []
    for found in detections:
        for label in np.unique(found.labels).tolist():
            trackers.setdefault(label, start())
        parts = [_labelled(track(found.select(found.labels == label)), label) for label, track in trackers.items()]
        parts.append(Detections.empty())
        boxes, scores, labels = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("boxes", "scores", "labels")
        )
        order = np.argsort(-scores, kind="stable")
        tracked.append(Detections(boxes[order], scores[order], labels[order]))
    return tracked


def _labelled(found: Detections, label: int) -> Detections:
    return Detections(found.boxes, found.scores, np.full(len(found), label, np.int64))
