"""Which detection found which object when an overlap is asked for that is the same for all, as COCO matches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heatprop.boxes import areas, iou, pair_off
from heatprop.lab.datasets.annotations import GroundTruth, VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.coco import MAX_DETECTIONS
from heatprop.lab.evaluation.metrics.matching import pairs, scored_only
from heatprop.types import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class OverlapMatching:
    """What counts in a dataset, and which detection found which object.

    A matching of the detections above a score is this one without the others: the best choose first.

    Attributes:
        dataset: as given.
        truth: its objects that count, ``M``: no crowds, and only classes that are scored in their video.
        detections: those of classes that are scored in their video, ``D``, by frame, within one as given; of a
            class in a frame the 100 best.
        objects: number in `truth` of the object that each detection found, int64 ``(D,)``; -1 for none.
        forgiven: whether a detection found none but lies in a crowd of its class, bool ``(D,)``.
    """

    dataset: VideoDataset
    truth: GroundTruth
    detections: DetectionTable
    objects: IntArray
    forgiven: NDArray[np.bool_]

    @property
    def false_alarms(self) -> NDArray[np.bool_]:
        """Whether each detection is a false positive, bool ``(D,)``."""
        alarms: NDArray[np.bool_] = (self.objects < 0) & ~self.forgiven
        return alarms


def match_at(dataset: VideoDataset, detections: DetectionTable, overlap: float) -> OverlapMatching:
    """Match detections with objects as COCO does; a side is ``x2 - x1``.

    In each frame and class detections come by falling score, equal ones in the order of the table. Each takes,
    among the objects that are still free and that it overlaps by at least `overlap`, the one it overlaps most, the
    last of the dataset among equals.

    Raises:
        InvalidArrayError: a detection lies in a frame, or has a class, that the dataset does not have.
    """
    truth, detections = scored_only(dataset, detections)
    classes = len(dataset.classes)
    detections = _best_of_each(detections, classes)
    groups = detections.frames * classes + detections.labels
    things, crowds = truth.select(~truth.crowd), truth.select(truth.crowd)

    forgiven = np.zeros(len(detections), np.bool_)
    for detection, crowd in pairs(groups, crowds.frames * classes + crowds.labels):
        inside = _share_inside(detections.boxes[detection], crowds.boxes[crowd]) >= overlap
        forgiven[detection[inside]] = True

    objects = np.full(len(detections), -1)
    found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for detection, thing in pairs(groups, things.frames * classes + things.labels):
        overlaps = iou(detections.boxes[detection], things.boxes[thing])
        enough = overlaps >= overlap
        found.append((detection[enough], thing[enough], overlaps[enough]))
    detection, thing = (np.concatenate([part[i] for part in found]) for i in (0, 1))
    overlaps = np.concatenate([part[2] for part in found])
    order = np.lexsort((-thing, -overlaps, detection, -detections.scores[detection]))
    taken = order[pair_off(detection[order], thing[order])]
    objects[detection[taken]] = thing[taken]
    return OverlapMatching(dataset, things, detections, objects, forgiven & (objects < 0))


def _best_of_each(detections: DetectionTable, classes: int) -> DetectionTable:
    """Sort detections by frame, and leave the `MAX_DETECTIONS` best of each frame and class."""
    detections = detections.select(np.argsort(detections.frames, kind="stable"))
    groups = detections.frames * classes + detections.labels
    order = np.lexsort((-detections.scores, groups))
    place = np.arange(len(order))
    begins = np.maximum.accumulate(np.where(np.diff(groups[order], prepend=-1) != 0, place, 0))
    return detections.select(np.sort(order[place - begins < MAX_DETECTIONS]))


def _share_inside(boxes: NDArray[np.float64], crowds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return which share of each box ``(N, 4)`` lies in its crowd ``(N, 4)``; 0 for an empty box."""
    common = np.concatenate(
        [np.maximum(boxes[:, :2], crowds[:, :2]), np.minimum(boxes[:, 2:], crowds[:, 2:])], axis=1
    )
    own = areas(boxes)
    share: NDArray[np.float64] = np.divide(areas(common), own, out=np.zeros_like(own), where=own > 0)
    return share
