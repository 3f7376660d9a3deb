"""Norfair, by Tryolabs: a tracker with a Kalman filter, whose estimates are the boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heatprop.types import Detections, ImageArray
from peers.by_class import Track, track_by_class


@dataclass(frozen=True, kw_only=True)
class NorfairSettings:
    """Settings; the defaults are those of the package and, where it has none, of its demos with YOLO.

    Attributes:
        distance_threshold: largest ``1 - IoU`` of a detection and a track.
        hit_counter_max: for how many frames an object that was seen for long lives on without a detection.
        initialization_delay: frames before an object counts; None means half of `hit_counter_max`.
        min_score: detections below it are not tracked.
        keeps_untracked: keep detections that belong to no object that counts as they are. The package returns
            objects only, which costs recall that average precision counts; tuning may choose.
    """

    distance_threshold: float = 0.7
    hit_counter_max: int = 15
    initialization_delay: int | None = None
    min_score: float = 0.25
    keeps_untracked: bool = False


def norfair(detections: Sequence[Detections], settings: NorfairSettings = NorfairSettings()) -> list[Detections]:
    """Track a video, class by class, online. An object that is not seen keeps the score that it had last."""
    return track_by_class(detections, lambda: _start(settings))


def _start(settings: NorfairSettings) -> Track:
    import norfair as package  # noqa: PLC0415 (an extra)

    tracker = package.Tracker(
        distance_function="iou",
        distance_threshold=settings.distance_threshold,
        hit_counter_max=settings.hit_counter_max,
        initialization_delay=settings.initialization_delay,
    )

    def track(found: Detections, _: ImageArray | None) -> Detections:
        given = [
            package.Detection(box.reshape(2, 2).astype(np.float64), scores=np.full(2, score), data=row)
            for row, (box, score) in enumerate(zip(found.boxes, found.scores.tolist(), strict=True))
            if score >= settings.min_score
        ]
        objects = tracker.update(given)
        boxes, scores, ids, used = [], [], [], set()
        for each in objects:
            corners = np.sort(each.estimate, axis=0)  # a filter may cross the sides of a tiny box
            boxes.append(corners.reshape(4))
            scores.append(float(each.last_detection.scores[0]))
            ids.append(each.id)
            if any(each.last_detection is one for one in given):
                used.add(each.last_detection.data)
        if settings.keeps_untracked:
            left = [row for row in range(len(found)) if row not in used]
            boxes += list(found.boxes[left])
            scores += found.scores[left].tolist()
            ids += [-1] * len(left)
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(scores),
            np.zeros(len(scores), np.int64),
            track_ids=np.array(ids, np.int64),
        )

    return track
