"""Tracks of the ground truth and tracks found, video by video and class by class, as TrackEval takes them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import InvalidArrayError, MissingPackageError
from heatprop.lab.datasets.annotations import DatasetError, Distractors, GroundTruth, Video, VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.matching import scored_only
from heatprop.types import IntArray

Overlaps: TypeAlias = Callable[..., NDArray[np.float64]]

_OVERLAP = 0.5
"""From which a box is taken to show the object that it is matched with, before anything is scored."""
_NONE = np.empty(0, np.int64)
_EPSILON = float(np.finfo("float").eps)


def import_trackeval() -> Any:
    """Import TrackEval and return it.

    Raises:
        MissingPackageError: it, or SciPy, is not installed.
    """
    try:
        with redirect_stdout(io.StringIO()):  # it prints which of its benchmarks lack a package
            return import_module("trackeval")
    except ImportError:
        raise MissingPackageError(
            "tracking is scored by trackeval, which is not installed; pip install 'heatprop[tracking]', "
            "then pip install --no-deps trackeval"
        ) from None


def shown_tracks(dataset: VideoDataset, detections: DetectionTable, shown_from: float) -> DetectionTable:
    """Return the detections that are scored as tracks: of at least a score, of classes scored in their video.

    Raises:
        InvalidArrayError: one lies in a frame, or has a class, that the dataset does not have; has no track id;
            or shares its track id with another of its frame.
    """
    _, detections = scored_only(dataset, detections)
    shown = detections.select(detections.scores >= shown_from)
    lost = np.flatnonzero(shown.track_ids < 0)
    if len(lost):
        raise InvalidArrayError(
            f"tracking cannot be scored: {len(lost)} of {len(shown)} detections from score {shown_from:g} on have "
            f"no track id, the first in frame {dataset.frame_names[shown.frames[lost[0]]]}; give some with ids"
        )
    twice = _first_repeated(shown.frames, shown.track_ids)
    if twice is not None:
        raise InvalidArrayError(
            f"tracking cannot be scored: track id {shown.track_ids[twice]} stands twice in frame "
            f"{dataset.frame_names[shown.frames[twice]]}; an id is one object"
        )
    return shown


def true_tracks(dataset: VideoDataset) -> GroundTruth:
    """Return the objects that tracks are scored against: no crowds, of classes scored in their video.

    Raises:
        DatasetError: there is none, one has no track, or a track is in a frame twice.
    """
    truth, _ = scored_only(dataset, DetectionTable.from_frames(()))
    truth = truth.select(~truth.crowd)
    if not len(truth):
        raise DatasetError(f"{dataset.root}: tracking cannot be scored: no object is annotated")
    lost = np.flatnonzero(truth.tracks < 0)
    if len(lost):
        raise DatasetError(
            f"{dataset.root}: tracking cannot be scored: {len(lost)} of {len(truth)} annotated objects have no "
            f"track id, the first in frame {dataset.frame_names[truth.frames[lost[0]]]}; annotate their identities"
        )
    twice = _first_repeated(truth.frames, truth.tracks)
    if twice is not None:
        raise DatasetError(
            f"{dataset.root}: tracking cannot be scored: track {truth.tracks[twice]} stands twice in frame "
            f"{dataset.frame_names[truth.frames[twice]]}; see heatprop dataset check"
        )
    return truth


def sequences(
    dataset: VideoDataset, truth: GroundTruth, shown: DetectionTable
) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield what TrackEval's metrics take of each video and class, where there is an object or a detection.

    Where something distracts, detections are matched with all that is annotated, and those of distractors left
    out, as TrackEval does for MOTChallenge. Elsewhere a detection is left out that matches no object of its class
    and of which more than half lies in a crowd of it, as TrackEval does for KITTI.

    Args:
        dataset: which crowds and distractors are there.
        truth: of `true_tracks`.
        shown: of `shown_tracks`.

    Yields:
        Number of the video, class number, and the argument of ``eval_sequence``.

    Raises:
        MissingPackageError: TrackEval is not installed.
    """
    overlaps = import_trackeval().datasets.MotChallenge2DBox._calculate_box_ious
    shown = shown.select(np.argsort(shown.frames, kind="stable"))
    if dataset.distractors is not None:
        shown = _undistracted(dataset.distractors, shown, overlaps)
    crowds = dataset.truth.select(dataset.truth.crowd & (dataset.distractors is None))
    video_of, classes = dataset.video_of_rows(), len(dataset.classes)
    of_truth, of_shown, of_crowds = (
        _Groups(video_of[frames] * classes + labels)
        for frames, labels in (
            (truth.frames, truth.labels),
            (shown.frames, shown.labels),
            (crowds.frames, crowds.labels),
        )
    )
    for group in np.union1d(of_truth.numbers, of_shown.numbers).tolist():
        number, label = divmod(group, classes)
        video = dataset.videos[number]
        objects, found = truth.select(of_truth.rows(group)), shown.select(of_shown.rows(group))
        ignored = crowds.select(of_crowds.rows(group))
        data = _Sequence(objects.tracks, found.track_ids)
        filled = np.union1d(objects.frames, found.frames)  # others change nothing
        parts = [
            np.stack([np.searchsorted(each, filled), np.searchsorted(each, filled, "right")], axis=1).tolist()
            for each in (objects.frames, found.frames, ignored.frames)
        ]
        for mine, theirs, crowd in (map(_slice, bounds) for bounds in zip(*parts, strict=True)):
            if theirs.start == theirs.stop:
                data.add(mine, _NONE, np.empty((mine.stop - mine.start, 0)))
                continue
            boxes = found.boxes[theirs]
            similarity = overlaps(objects.boxes[mine], boxes, box_format="x0y0x1y1")
            kept = np.ones(len(boxes), np.bool_)
            if crowd.start < crowd.stop:
                inside = overlaps(boxes, ignored.boxes[crowd], box_format="x0y0x1y1", do_ioa=True)
                kept = (inside <= _OVERLAP + _EPSILON).all(axis=1)
                kept[_matched(similarity)[1]] = True
            data.add(mine, np.arange(theirs.start, theirs.stop)[kept], similarity[:, kept])
        yield number, label, data.build(video)


def _slice(bounds: list[int]) -> slice:
    return slice(*bounds)


class _Groups:
    """Rows by the number of their group, in their order within each."""

    def __init__(self, groups: IntArray) -> None:
        self._order = np.argsort(groups, kind="stable")
        self._sorted = groups[self._order]
        self.numbers = np.unique(groups)

    def rows(self, group: int) -> IntArray:
        """Return the rows of a group, which may have none."""
        first, last = np.searchsorted(self._sorted, [group, group + 1])
        return self._order[first:last]


def _undistracted(annotated: Distractors, shown: DetectionTable, overlaps: Overlaps) -> DetectionTable:
    """Return the detections, which come by frame, without those that match a distractor."""
    kept = np.ones(len(shown), np.bool_)
    for frame in np.unique(annotated.frames[annotated.distracts]).tolist():
        first, last = np.searchsorted(shown.frames, [frame, frame + 1])
        here = slice(*np.searchsorted(annotated.frames, [frame, frame + 1]))
        similarity = overlaps(annotated.boxes[here], shown.boxes[first:last], box_format="x0y0x1y1")
        rows, columns = _matched(similarity)
        kept[first + columns[annotated.distracts[here][rows]]] = False
    return shown.select(kept)


class _Sequence:
    """Collects the frames of a sequence."""

    def __init__(self, tracks: IntArray, track_ids: IntArray) -> None:
        self._tracks, self._track_ids = tracks, track_ids
        self._true: list[IntArray] = []
        self._found: list[IntArray] = []
        self._similarities: list[NDArray[np.float64]] = []

    def add(self, objects: slice, found: IntArray, similarity: NDArray[np.float64]) -> None:
        """Add a frame: which objects, which detections, and how much each overlaps each."""
        self._true.append(self._tracks[objects])
        self._found.append(self._track_ids[found])
        self._similarities.append(similarity)

    def build(self, video: Video) -> dict[str, Any]:
        """Return it with ids that count from 0, as the metrics index by them."""
        true_ids, gt_ids = _relabelled(self._true)
        found_ids, tracker_ids = _relabelled(self._found)
        return {
            "num_timesteps": video.length,
            "num_gt_ids": true_ids,
            "num_tracker_ids": found_ids,
            "num_gt_dets": sum(map(len, gt_ids)),
            "num_tracker_dets": sum(map(len, tracker_ids)),
            "gt_ids": gt_ids,
            "tracker_ids": tracker_ids,
            "similarity_scores": self._similarities,
            "seq": video.name,
        }


def _relabelled(frames: list[IntArray]) -> tuple[int, list[IntArray]]:
    """Return how many different ids there are, and each as its place among them."""
    known, places = np.unique(np.concatenate(frames), return_inverse=True)
    return len(known), np.split(places.astype(np.int64), np.cumsum([len(each) for each in frames])[:-1])


def _matched(similarity: NDArray[np.float64]) -> tuple[IntArray, IntArray]:
    """Return which rows and columns belong together: each once, by at least `_OVERLAP`, together the most."""
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 (optional; TrackEval needs it)

    scores = np.where(similarity < _OVERLAP - _EPSILON, 0.0, similarity)
    rows, columns = linear_sum_assignment(-scores)
    enough = scores[rows, columns] > _EPSILON
    return rows[enough], columns[enough]


def _first_repeated(frames: IntArray, ids: IntArray) -> int | None:
    """Return the first row whose frame and id an earlier one has, too."""
    _, first = np.unique(np.stack([frames, ids]), axis=1, return_index=True)
    again = np.setdiff1d(np.arange(len(ids)), first)
    return int(again[0]) if len(again) else None
