"""Which detection found which object: the greedy matching of the official metric, for all frames at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heatprop.boxes import iou, pair_off
from heatprop.errors import InvalidArrayError
from heatprop.lab.datasets.annotations import GroundTruth, VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.types import IntArray

_PAIRS_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """What counts in a dataset, and which detection found which object.

    Attributes:
        dataset: as given.
        truth: its objects that count, ``M``: no crowds, and only classes that are scored in their video.
        detections: those of classes that are scored in their video, ``D``, by frame, within one as given. So
            equal scores of different frames come by frame, as in the published code, whatever the file's order.
        objects: number in `truth` of the object that each detection found, int64 ``(D,)``; -1 for none.
    """

    dataset: VideoDataset
    truth: GroundTruth
    detections: DetectionTable
    objects: IntArray


def scored_only(dataset: VideoDataset, detections: DetectionTable) -> tuple[GroundTruth, DetectionTable]:
    """Leave out objects and detections of classes that are not scored in their video.

    Raises:
        InvalidArrayError: a detection lies in a frame, or has a class, that the dataset does not have.
    """
    for name, column, count in (
        ("frames", detections.frames, dataset.frame_count),
        ("labels", detections.labels, len(dataset.classes)),
    ):
        if len(column) and (column.min() < 0 or column.max() >= count):
            wrong = column.min() if column.min() < 0 else column.max()
            raise InvalidArrayError(f"{name} of the detections hold {wrong}; it must be from 0 to {count - 1}")
    scored, videos, truth = dataset.is_evaluated(), dataset.video_of_rows(), dataset.truth
    if scored.all():
        return truth, detections
    return (
        truth.select(scored[videos[truth.frames], truth.labels]),
        detections.select(scored[videos[detections.frames], detections.labels]),
    )


def official_thresholds(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the overlap that each object ``(M, 4)`` asks for: 0.5, less for boxes below about 25 px, ``(M,)``.

    ``min(0.5, w h / ((w + 10) (h + 10)))`` with ``w = x2 - x1 + 1``, as in the development kit of ILSVRC.

    >>> official_thresholds(np.array([[0, 0, 99, 99], [0, 0, 9, 9]])).tolist()
    [0.5, 0.25]
    """
    width, height = (np.maximum(boxes[:, i + 2] - boxes[:, i] + 1, 1.0) for i in (0, 1))
    thresholds: NDArray[np.float64] = np.minimum(0.5, width * height / ((width + 10) * (height + 10)))
    return thresholds


def inclusive_iou(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the intersection over union of boxes ``(N, 4)`` with others, sides counted as ``x2 - x1 + 1``.

    As in the development kit of ILSVRC, where x2 and y2 are the last pixels of a box.

    >>> inclusive_iou(np.array([[0.0, 0, 9, 9]]), np.array([[5.0, 0, 14, 9]])).round(3).tolist()
    [0.333]
    """
    one_more = np.array([0.0, 0.0, 1.0, 1.0])
    return iou(boxes + one_more, others + one_more)


def match(dataset: VideoDataset, detections: DetectionTable) -> Matching:
    """Match detections with objects as the development kit of ILSVRC does.

    In each frame and class detections come by falling score, equal ones in the order of the table. Each takes,
    among the objects that are still free and that it overlaps by at least `official_thresholds`, the one it
    overlaps most, the first of the dataset among equals.

    Raises:
        InvalidArrayError: a detection lies in a frame, or has a class, that the dataset does not have.
    """
    truth, detections = scored_only(dataset, detections)
    detections = detections.select(np.argsort(detections.frames, kind="stable"))
    if truth.crowd.any():
        truth = truth.select(~truth.crowd)
    classes = len(dataset.classes)
    groups = detections.frames * classes + detections.labels
    thresholds = official_thresholds(truth.boxes)
    found: list[tuple[IntArray, IntArray, NDArray[np.float64]]] = []
    for detection, thing in pairs(groups, truth.frames * classes + truth.labels):
        overlap = inclusive_iou(detections.boxes[detection], truth.boxes[thing])
        enough = overlap >= thresholds[thing]
        found.append((detection[enough], thing[enough], overlap[enough]))
    nothing = np.empty(0, np.int64)
    detection, thing = (np.concatenate([nothing, *(part[i] for part in found)]) for i in (0, 1))
    overlap = np.concatenate([np.empty(0), *(part[2] for part in found)])
    order = np.lexsort((thing, -overlap, detection, -detections.scores[detection]))
    taken = order[pair_off(detection[order], thing[order])]
    objects = np.full(len(detections), -1)
    objects[detection[taken]] = thing[taken]
    return Matching(dataset, truth, detections, objects)


def pairs(groups: IntArray, object_groups: IntArray) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield the pairs of a detection and an object that share a group, as index arrays, about a million at once.

    Detections rise, all pairs of one come together, its objects in their order. `groups` is ``(D,)``,
    `object_groups` ``(M,)``.
    """
    order = np.argsort(object_groups, kind="stable")
    ordered = object_groups[order]
    first = np.searchsorted(ordered, groups, "left")
    counts = np.searchsorted(ordered, groups, "right") - first
    with_objects = np.flatnonzero(counts)
    ends = np.cumsum(counts[with_objects])
    cuts = np.searchsorted(ends, np.arange(_PAIRS_AT_ONCE, int(ends[-1]) if len(ends) else 0, _PAIRS_AT_ONCE))
    for part in np.split(with_objects, np.unique(cuts)):
        each = counts[part]
        within = np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each)
        if len(within):
            yield np.repeat(part, each), order[np.repeat(first[part], each) + within]


def best_overlaps(matching: Matching, subsets: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how much each detection overlaps each subset of the objects of its frame, of any class.

    Args:
        matching: ``D`` detections and ``M`` objects.
        subsets: the objects of each of ``S`` subsets, bool ``(S, M)``.

    Returns:
        The largest intersection over union, sides counted as ``x2 - x1 + 1``, float64 ``(S, D)``; -1 where the
        frame has no object of the subset, and for detections that found an object.
    """
    truth, detections = matching.truth, matching.detections
    best = np.full((len(subsets), len(detections)), -1.0)
    unmatched = np.flatnonzero(matching.objects < 0)
    for number, thing in pairs(detections.frames[unmatched], truth.frames):
        detection = unmatched[number]
        overlap = inclusive_iou(detections.boxes[detection], truth.boxes[thing])
        starts = np.flatnonzero(np.diff(detection, prepend=-1))
        for subset, row in zip(subsets, best, strict=True):
            row[detection[starts]] = np.maximum.reduceat(np.where(subset[thing], overlap, -1.0), starts)
    return best


def frame_shares(matching: Matching, subsets: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of each subset in the objects of each frame, float64 ``(S, F)``; NaN for a frame without.

    `subsets` is bool ``(S, M)``.
    """
    frames, count = matching.truth.frames, matching.dataset.frame_count
    objects = np.bincount(frames, minlength=count)
    members = np.stack([np.bincount(frames[subset], minlength=count) for subset in subsets])
    shares: NDArray[np.float64] = np.divide(
        members, objects, out=np.full(members.shape, np.nan), where=objects > 0
    )
    return shares
