"""How steadily objects are found: how often one is lost and found again, and how much its score wavers."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatprop.lab.evaluation.metrics.overlap_matching import OverlapMatching
from heatprop.types import IntArray

SHOWN_FROM = 0.3
"""Score from which a detection is shown, unless said otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class Flicker:
    """What happens along the tracks of the ground truth, summed over each video.

    A method that finds nothing does not flicker: read `found` beside the others.

    Attributes:
        changes: births and deaths: how often a track goes from found to not found or back from one frame to the
            next, both of which it is in, int64 ``(videos,)``.
        track_frames: frames of all tracks together, int64 ``(videos,)``.
        found_frames: those of them in which the object was found, int64 ``(videos,)``.
        deviations: standard deviations of the score along each track, summed, float64 ``(videos,)``; a frame in
            which the object was not found has a score of 0.
        tracks: how many there are, int64 ``(videos,)``.
        false_positives: detections that found nothing, int64 ``(videos,)``.
        frames: of each video, int64 ``(videos,)``.
    """

    changes: IntArray
    track_frames: IntArray
    found_frames: IntArray
    deviations: NDArray[np.float64]
    tracks: IntArray
    false_positives: IntArray
    frames: IntArray

    def figures(self, counts: NDArray[np.float64] | IntArray | None = None) -> dict[str, float]:
        """Return the figures of all videos together; NaN where there are no tracks.

        Args:
            counts: how many times each video is there, ``(videos,)``; None for once.

        Returns:
            `changes`, births and deaths per 100 frames of track; `deviation`, the mean over tracks of the standard
            deviation of the score; `found`, the share of the frames of tracks in which the object was found;
            `false_positives` a frame.
        """
        weights = np.ones(len(self.frames)) if counts is None else np.asarray(counts, np.float64)

        def ratio(parts: NDArray[Any], wholes: IntArray) -> float:
            whole = float(weights @ wholes)
            return float(weights @ parts) / whole if whole else nan

        return {
            "changes": 100 * ratio(self.changes, self.track_frames),
            "deviation": ratio(self.deviations, self.tracks),
            "found": ratio(self.found_frames, self.track_frames),
            "false_positives": ratio(self.false_positives, self.frames),
        }


def flicker(matching: OverlapMatching, score_threshold: float = SHOWN_FROM) -> Flicker:
    """Follow each track of the ground truth through a video.

    Objects without a track number, and classes that are not scored in their video, are skipped.

    Args:
        matching: of a whole dataset, usually at an overlap of 0.5.
        score_threshold: detections of at least this score count.
    """
    dataset, truth, detections = matching.dataset, matching.truth, matching.detections
    videos, count = dataset.video_of_rows(), len(dataset.videos)
    shown = detections.scores >= score_threshold
    hits = shown & (matching.objects >= 0)
    scores = np.zeros(len(truth))
    scores[matching.objects[hits]] = detections.scores[hits]
    is_found = np.zeros(len(truth), np.bool_)
    is_found[matching.objects[hits]] = True

    rows = np.flatnonzero(truth.tracks >= 0)
    rows = rows[np.lexsort((truth.frames[rows], truth.tracks[rows], videos[truth.frames[rows]]))]
    video, track, frame = videos[truth.frames[rows]], truth.tracks[rows], truth.frames[rows]
    is_found, scores = is_found[rows], scores[rows]
    begins = np.flatnonzero((np.diff(video, prepend=-1) != 0) | (np.diff(track, prepend=-1) != 0))
    follows = np.ones(len(rows), np.bool_)
    follows[begins] = False
    follows[1:] &= np.diff(frame) == 1
    changes = np.zeros(len(rows), np.bool_)
    changes[1:] = follows[1:] & (is_found[1:] != is_found[:-1])

    deviations = np.array([part.std() for part in np.split(scores, begins[1:])]) if len(rows) else np.empty(0)
    alarms = detections.frames[shown & matching.false_alarms]
    return Flicker(
        changes=np.bincount(video[changes], minlength=count),
        track_frames=np.bincount(video, minlength=count),
        found_frames=np.bincount(video[is_found], minlength=count),
        deviations=np.bincount(video[begins], deviations, count).astype(np.float64),
        tracks=np.bincount(video[begins], minlength=count),
        false_positives=np.bincount(videos[alarms], minlength=count),
        frames=np.bincount(videos, minlength=count),
    )
