"""ByteTrack of `trackers` with the smoothing of `supervision`, both by Roboflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heatprop.types import Detections, ImageArray
from peers.by_class import Track, track_by_class
from peers.roboflow import from_package, to_package


@dataclass(frozen=True, kw_only=True)
class ByteTrackSettings:
    """Settings; the defaults are those of the example in the docs of `DetectionsSmoother`, where it has any.

    Attributes:
        lost_track_buffer: frames for which a track is remembered.
        track_activation_threshold: least score of a detection that starts a track; the example has 0.25, where the
            package's own default is 0.7.
        minimum_consecutive_frames: frames before a track counts; the example has 1, the package 2.
        minimum_iou_threshold: least overlap of a detection with a track.
        high_conf_det_threshold: least score of the detections that choose first, and that may start tracks.
        length: frames over which boxes and scores are averaged.
        keeps_untracked: keep detections that belong to no track as they are. The example leaves them out, which
            costs recall that average precision counts; tuning may choose.
    """

    lost_track_buffer: int = 30
    track_activation_threshold: float = 0.25
    minimum_consecutive_frames: int = 1
    minimum_iou_threshold: float = 0.1
    high_conf_det_threshold: float = 0.6
    length: int = 5
    keeps_untracked: bool = False


def bytetrack(
    detections: Sequence[Detections], settings: ByteTrackSettings = ByteTrackSettings()
) -> list[Detections]:
    """Track and smooth a video, class by class, online."""
    return track_by_class(detections, lambda: _start(settings))


def _start(settings: ByteTrackSettings) -> Track:
    import supervision  # noqa: PLC0415 (an extra)
    from trackers import ByteTrackTracker  # noqa: PLC0415

    tracker = ByteTrackTracker(
        lost_track_buffer=settings.lost_track_buffer,
        track_activation_threshold=settings.track_activation_threshold,
        minimum_consecutive_frames=settings.minimum_consecutive_frames,
        minimum_iou_threshold=settings.minimum_iou_threshold,
        high_conf_det_threshold=settings.high_conf_det_threshold,
    )
    smoother = supervision.DetectionsSmoother(length=settings.length)

    def track(found: Detections, _: ImageArray | None) -> Detections:
        tracked = tracker.update(to_package(found))
        has_track = tracked.tracker_id != -1
        smoothed = smoother.update_with_detections(tracked[has_track])
        left = tracked[~has_track if settings.keeps_untracked else np.zeros(len(tracked), np.bool_)]
        parts = [from_package(smoothed), from_package(left)]
        return Detections(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ("boxes", "scores", "labels")),
            track_ids=np.concatenate([part.track_ids for part in parts]),
        )

    return track
