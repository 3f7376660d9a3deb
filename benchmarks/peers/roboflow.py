"""The trackers of `trackers`, by Roboflow: SORT, ByteTrack, OC-SORT, BoT-SORT and C-BIoU."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from heatprop.types import Detections, ImageArray
from peers.by_class import Track, track_by_class


@dataclass(frozen=True, kw_only=True)
class RoboflowSettings:
    """A tracker and its settings.

    Attributes:
        tracker: its class in the package.
        options: names and values of what is not as the package has it.
        least: detections below it are not given to the tracker.
        in_seconds: tell the tracker the video's frame rate, by which it scales for how long it remembers tracks
            from the 30 frames a second that its settings are meant for. Else it remembers them for so many frames.
    """

    tracker: str
    options: tuple[tuple[str, float], ...] = ()
    least: float = 0.05
    in_seconds: bool = False

    def __str__(self) -> str:
        words = [f"from {self.least:g}", *(f"{name} {value:g}" for name, value in self.options)]
        return ", ".join(words)


def roboflow(
    detections: Sequence[Detections],
    settings: RoboflowSettings,
    *,
    images: Iterable[ImageArray] | None = None,
    frame_rate: float = 30.0,
) -> list[Detections]:
    """Track a video, class by class, online; what belongs to no track is left out.

    Args:
        detections: of each frame, in order.
        settings: of the tracker.
        images: of each frame, for a tracker that makes up for the camera's motion; None gives it none.
        frame_rate: of the video.
    """
    options = dict(settings.options) | ({"frame_rate": frame_rate} if settings.in_seconds else {})

    def start() -> Track:
        import trackers  # noqa: PLC0415 (an extra)

        tracker = getattr(trackers, settings.tracker)(**options)

        def track(found: Detections, image: ImageArray | None) -> Detections:
            given = to_package(found.select(found.scores >= settings.least))
            frame = None if image is None else np.ascontiguousarray(image[..., ::-1])  # as OpenCV has it
            tracked = tracker.update(given) if frame is None else tracker.update(given, frame)
            return from_package(tracked[tracked.tracker_id >= 0])

        return track

    return track_by_class(detections, start, images)


def to_package(found: Detections) -> Any:
    """Return detections as the package takes them, without ids."""
    import supervision  # noqa: PLC0415 (an extra)

    return supervision.Detections(
        xyxy=found.boxes.astype(np.float64),
        confidence=found.scores.astype(np.float64),
        class_id=found.labels.astype(int),
    )


def from_package(tracked: Any) -> Detections:
    """Return what the package says, of class 0; without detections it may leave out anything."""
    if not len(tracked):
        return Detections.empty()
    none = np.zeros(len(tracked), np.int64)
    return Detections(tracked.xyxy, tracked.confidence, none, track_ids=tracked.tracker_id)
