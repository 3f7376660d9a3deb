"""Average precision of slow, medium and fast objects, as the field reports it since FGFA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group

from heatprop.lab.evaluation.metrics.average_precision import PrecisionRecall
from heatprop.lab.evaluation.metrics.matching import Matching, best_overlaps, frame_shares
from heatprop.lab.evaluation.metrics.object_motion import motion_iou
from heatprop.lab.evaluation.metrics.official import class_curves, mean_of_known
from heatprop.lab.evaluation.tables import json_number, new_table, percent_text, titled

MOTION_IOU_RANGES = {"all": (0.0, 1.0), "slow": (0.9, 1.0), "medium": (0.7, 0.9), "fast": (0.0, 0.7)}
"""Motion IoU of each group, both ends inclusive."""


@dataclass(frozen=True, slots=True, eq=False)
class MotionGroup:
    """Average precision over the objects of one speed.

    Attributes:
        name: "all", "slow", "medium" or "fast".
        low: least motion IoU, inclusive.
        high: largest motion IoU, inclusive.
        curves: precision over recall of each class.
    """

    name: str
    low: float
    high: float
    curves: tuple[PrecisionRecall, ...]

    @property
    def objects(self) -> int:
        """How many objects are in the group."""
        return sum(curve.positives for curve in self.curves)

    @property
    def mean_average_precision(self) -> float:
        """Mean over the classes that have objects in the group; NaN when none has."""
        return mean_of_known(np.array([curve.average_precision for curve in self.curves]))


@dataclass(frozen=True, slots=True, eq=False)
class MotionResult:
    """Average precision by motion IoU.

    Attributes:
        class_ids: official number of each class.
        groups: "all" first; its figures are those of the official metric.
        objects_without: objects of unknown speed: in one frame only, or without a track. Only in "all".
    """

    class_ids: tuple[int, ...]
    groups: tuple[MotionGroup, ...]
    objects_without: int

    def table(self) -> Group:
        """Return a table, for `rich`."""
        title = "mAP by motion IoU, FGFA's definition (%)"
        table = new_table(("objects", "motion IoU", "number", "mAP"))
        for group in self.groups:
            between = f"{group.low:g} to {group.high:g}"
            table.add_row(group.name, between, str(group.objects), percent_text(group.mean_average_precision))
        note = f"{self.objects_without} objects of unknown speed are in no group but all"
        return titled(title, table, note if self.objects_without else None)

    def to_dict(self) -> dict[str, Any]:
        """Return the groups for JSON; a class without objects in a group has null there."""
        everything = self.groups[0]
        known = [label for label, curve in enumerate(everything.curves) if curve.positives]
        return {
            group.name: {
                "range": [group.low, group.high],
                "ap": {
                    str(self.class_ids[label]): json_number(group.curves[label].average_precision)
                    for label in known
                },
                "mAP": json_number(group.mean_average_precision),
                "objects": group.objects,
            }
            for group in self.groups
        }


def motion_result(matching: Matching) -> MotionResult:
    """Score a matching by motion IoU as `vid_eval_motion` of FGFA does.

    A detection that found an object of another group is neither a true nor a false positive. One that found
    nothing weighs 1 in a group when it overlaps an object of the group more than any other object of its frame, of
    any class, and 0 when less. Where both are equal, as for one that touches nothing, it weighs the share of the
    frame's objects *outside* the group. In a frame without objects it weighs the share of the group in all motion
    IoUs, where each frame without objects adds one of 0.
    """
    truth = matching.truth
    motion = motion_iou(matching.dataset, truth)
    known = motion[~np.isnan(motion)]
    empty_frames = matching.dataset.frame_count - len(np.unique(truth.frames))
    bounds = list(MOTION_IOU_RANGES.values())
    members = np.stack([(low <= motion) & (motion <= high) for low, high in bounds])
    members[0] = True  # "all" holds objects of unknown speed too
    shares = frame_shares(matching, members)
    inside, outside = np.split(best_overlaps(matching, np.concatenate([members, ~members])), 2)
    groups = []
    for number, (name, (low, high)) in enumerate(MOTION_IOU_RANGES.items()):
        entries = np.sum((low <= known) & (known <= high)) + (empty_frames if low <= 0.0 <= high else 0)
        share = entries / max(len(known) + empty_frames, 1)
        weight = _weights(matching, inside[number], outside[number], shares[number], float(share))
        hit = matching.objects >= 0
        hit[hit] = members[number][matching.objects[hit]]
        groups.append(MotionGroup(name, low, high, class_curves(matching, hit, weight, members[number])))
    return MotionResult(matching.dataset.class_ids, tuple(groups), int(np.isnan(motion).sum()))


def _weights(
    matching: Matching,
    inside: NDArray[np.float64],
    outside: NDArray[np.float64],
    frame_share: NDArray[np.float64],
    share: float,
) -> NDArray[np.float64]:
    """Return how much each detection weighs as a false positive of a group, float64 ``(D,)``."""
    frame_share = frame_share[matching.detections.frames]
    undecided = np.where(np.isnan(frame_share), share, 1.0 - frame_share)
    weight = np.where(inside > outside, 1.0, np.where(inside < outside, 0.0, undecided))
    return np.where(matching.objects >= 0, 0.0, weight)
