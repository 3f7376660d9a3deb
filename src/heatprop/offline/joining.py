"""Join the tracks of a whole video that are the same object, lost and found again.

A track that ends and one of its class that begins soon after are the same object when the motion of the one leads
to the other. Boxes, scores and classes stay as they are; ids change. `docs/method.md` says how, and
`docs/log.md` what it was tried on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from heatprop.boxes import areas, iou
from heatprop.errors import InvalidArrayError, check_count, check_range
from heatprop.offline.linking import DoubleArray, chains, link_over_gaps
from heatprop.types import Detections, IntArray

_MAX_GAP = 10_000  # minutes of video
_VELOCITY_BOXES = 8
_LEAST_BOXES = 3
_LEAST_SIZE_RATIO = 0.6
_GAP_PENALTY = 0.004  # of overlap, a frame


@dataclass(frozen=True, kw_only=True)
class JoiningConfig:
    """Settings of joining tracks.

    Attributes:
        max_gap: tracks are joined when the later begins at most so many frames after the earlier ended; from 0,
            which joins nothing, to 10000.
        min_iou: the least overlap of the earlier, moved on, with the later, and of the later, moved back, with the
            earlier; in [0, 1]. 0 asks that they touch at all.
        min_score: tracks consist of detections of at least this score, as they are shown. Weaker ones keep their
            ids, but where a stronger one of their frame takes it: then they swap. In [0, 1].

    Raises:
        InvalidConfigError: a value lies outside its range.
    """

    max_gap: int = 20
    min_iou: float = 0.1
    min_score: float = 0.0

    def __post_init__(self) -> None:
        check_count("max_gap", self.max_gap, 0, _MAX_GAP)
        check_range("min_iou", self.min_iou, 0, 1)
        check_range("min_score", self.min_score, 0, 1)


def join_tracks(
    detections: Sequence[Detections], config: JoiningConfig = JoiningConfig(), *, shots: Collection[int] = ()
) -> list[Detections]:
    """Give the tracks of one video that are the same object the same id: that of the earliest.

    It goes on until nothing more can be joined, so to join again changes nothing.

    Args:
        detections: those of each frame in order, frames without any included; boxes in pixels of the frame. An id
            of -1 is none, and stays.
        config: the settings.
        shots: numbers of the frames in which another shot begins; nothing is joined over them. Of a stream those
            with `FrameResult.starts_shot`.

    Returns:
        The same detections in the same order; only ids differ.

    Raises:
        InvalidArrayError: a frame has an id twice.

    Example:
        A car goes right by 2 pixels a frame, is lost for 4 frames, and is found as another.

        >>> def car(frame, number):
        ...     return Detections([[2 * frame, 0, 2 * frame + 20, 10]], [0.9], [2], track_ids=[number])
        >>> video = [car(0, 7), car(1, 7), car(2, 7), *[Detections.empty()] * 4, car(7, 9), car(8, 9), car(9, 9)]
        >>> join_tracks(video)[-1].track_ids
        array([7])
    """
    if not detections:
        return []
    starts = np.cumsum([0, *map(len, detections)])
    of_frame = np.repeat(np.arange(len(detections)), np.diff(starts))
    ids = np.concatenate([frame.track_ids for frame in detections])
    _check_ids(of_frame, ids)
    scores = np.concatenate([frame.scores for frame in detections])
    shown = np.flatnonzero((ids >= 0) & (scores >= config.min_score))
    shot = np.cumsum(np.isin(np.arange(len(detections)), list(shots)))[of_frame]
    classes = np.unique(np.concatenate([frame.labels for frame in detections]), return_inverse=True)[1]
    rows = _Rows(
        of_frame[shown],
        (classes * (len(detections) + 1) + shot)[shown],
        np.concatenate([frame.boxes for frame in detections])[shown].astype(np.float64),
    )
    joined = ids[shown]
    while (further := _joined_once(rows, joined, config)) is not joined:
        joined = further
    new = ids.copy()
    new[shown] = joined
    changed = np.flatnonzero(new != ids)
    _swap_doubles(of_frame, ids, new, changed)
    frames = set(of_frame[changed].tolist())
    return [
        replace(frame, track_ids=new[start:end]) if number in frames else frame
        for number, (frame, (start, end)) in enumerate(zip(detections, pairwise(starts.tolist()), strict=True))
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Detections of a video as columns.

    Attributes:
        frames: int64 ``(D,)``.
        kinds: a number for each class in each shot, int64 ``(D,)``.
        boxes: float64 ``(D, 4)``.
    """

    frames: IntArray
    kinds: IntArray
    boxes: DoubleArray


@dataclass(frozen=True, slots=True, eq=False)
class _End:
    """Where tracks end, or where they begin.

    Attributes:
        frames: int64 ``(T,)``.
        kinds: as of `_Rows`, int64 ``(T,)``.
        boxes: float64 ``(T, 4)``.
        velocities: of both corners in pixels a frame, float64 ``(T, 4)``.
        sizes: square roots of areas, float64 ``(T,)``.
    """

    frames: IntArray
    kinds: IntArray
    boxes: DoubleArray
    velocities: DoubleArray
    sizes: DoubleArray

    @classmethod
    def of(cls, rows: _Rows, near: IntArray) -> _End:
        """Gather ends.

        Args:
            rows: all detections.
            near: the rows next to each end, the nearest first, int64 ``(T, K)``; -1 where a track is shorter.
        """
        first = near[:, 0]
        boxes = rows.boxes[first]
        velocities = _velocities(rows, near)
        return cls(rows.frames[first], rows.kinds[first], boxes, velocities, np.sqrt(areas(boxes)))


def _joined_once(rows: _Rows, ids: IntArray, config: JoiningConfig) -> IntArray:
    """Return the ids after tracks were joined; the array itself where none were."""
    order = np.lexsort((rows.frames, ids))
    first = np.flatnonzero(np.diff(ids[order], prepend=-1))
    counts = np.diff(np.append(first, len(order)))
    long_enough = counts >= _LEAST_BOXES
    first, counts = first[long_enough], counts[long_enough]
    by_time = np.argsort(rows.frames[order[first]], kind="stable")  # of equal ones by their ids
    first, counts = first[by_time], counts[by_time]
    if not len(first):
        return ids
    steps = np.arange(_VELOCITY_BOXES)
    within = steps < counts[:, None]
    last = first + counts - 1
    begin = _End.of(rows, np.where(within, order[np.where(within, first[:, None] + steps, 0)], -1))
    end = _End.of(rows, np.where(within, order[np.where(within, last[:, None] - steps, 0)], -1))
    earlier, later = link_over_gaps(
        (end.frames, end.kinds),
        (begin.frames, begin.kinds),
        lambda one, other: _worth(end, begin, one, other, config.min_iou),
        least_gap=1,
        most_gap=config.max_gap,
    )
    if not len(earlier):
        return ids
    before = np.full(len(first), -1)
    before[later] = earlier
    numbers, first_of_chain, _ = chains(before)
    joined = ids.copy()
    for track in later.tolist():
        its_rows = order[first[track] : last[track] + 1]
        joined[its_rows] = ids[order[first[first_of_chain[numbers[track]]]]]
    return joined


def _worth(end: _End, begin: _End, earlier: IntArray, later: IntArray, min_iou: float) -> DoubleArray:
    """Return how well the ends of tracks fit the beginnings of others; -inf where they do not."""
    worth = np.full(len(earlier), -np.inf)
    small, large = (
        np.minimum(end.sizes[earlier], begin.sizes[later]),
        np.maximum(end.sizes[earlier], begin.sizes[later]),
    )
    alike = np.flatnonzero(small >= _LEAST_SIZE_RATIO * large)
    earlier, later = earlier[alike], later[alike]
    gaps = (begin.frames[later] - end.frames[earlier])[:, None]
    one, other = end.boxes[earlier], begin.boxes[later]
    forward, back = end.velocities[earlier], begin.velocities[later]
    overlap = np.minimum(iou(one + forward * gaps, other), iou(one, other - back * gaps))
    fits = (overlap >= min_iou) & (overlap > 0)
    worth[alike] = np.where(fits, overlap - _GAP_PENALTY * gaps[:, 0], -np.inf)
    return worth


def _swap_doubles(frames: IntArray, ids: IntArray, new: IntArray, changed: IntArray) -> None:
    """Give what has the new id of a changed row of its frame that row's old one, in place."""
    names, numbers = np.unique(new[changed], return_inverse=True)
    wanted = frames[changed] * len(names) + numbers
    order = np.argsort(wanted)
    rivals = np.setdiff1d(np.flatnonzero(np.isin(new, names)), changed)
    places = frames[rivals] * len(names) + np.searchsorted(names, new[rivals])
    found = np.isin(places, wanted)
    rivals, places = rivals[found], places[found]
    new[rivals] = ids[changed[order[np.searchsorted(wanted[order], places)]]]


def _check_ids(frames: IntArray, ids: IntArray) -> None:
    order = np.lexsort((ids, frames))
    order = order[ids[order] >= 0]
    doubled = np.flatnonzero((np.diff(frames[order]) == 0) & (np.diff(ids[order]) == 0))
    if len(doubled):
        row = order[doubled[0]]
        raise InvalidArrayError(
            f"frame {frames[row]} has id {ids[row]} twice; an id is one object: number them anew"
        )


def _velocities(rows: _Rows, near: IntArray) -> DoubleArray:
    """Return the slopes of the lines through the centres of rows ``(T, K)``, -1 for none, twice: ``(T, 4)``."""
    is_there = near >= 0
    times = np.where(is_there, rows.frames[near], 0).astype(np.float64)
    centres = np.where(is_there[..., None], (rows.boxes[near, :2] + rows.boxes[near, 2:]) / 2, 0.0)
    offsets = np.where(is_there, times - (times.sum(axis=1) / is_there.sum(axis=1))[:, None], 0.0)
    spread = (offsets * offsets).sum(axis=1)
    slopes = (offsets[..., None] * centres).sum(axis=1) / spread[:, None]
    return np.tile(slopes, 2)
