"""Precision and recall over all classes together, by how far objects move: the paper's figure 5 and table 3."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, inf, nan
from typing import Any

import numpy as np
from rich.console import Group

from heatprop.lab.evaluation.metrics.average_precision import PrecisionRecall, precision_recall
from heatprop.lab.evaluation.metrics.matching import Matching, best_overlaps, frame_shares
from heatprop.lab.evaluation.metrics.object_motion import displacement, uncovered_pairs
from heatprop.lab.evaluation.tables import json_number, new_table, number_text, percent_text, titled

DISPLACEMENT_RANGES = {"slow": (0.0, 2.0), "medium": (2.0, 4.0), "fast": (4.0, inf)}
"""Cells that the centre moves between two frames in each group: from the first number to below the second."""

RECALLS = (0.75, 0.65)
"""The figures of table 3 of the paper."""

RADII = (0, 1, 2, 3, 4, 5)
"""The values of P in table 2 of the paper."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What a detector does at the score where it reaches a recall.

    Attributes:
        recall: the recall asked for.
        score: the threshold that reaches it; NaN, as all that follows, where no threshold does.
        true_positives: objects found: the whole number just below or at the recall asked for.
        false_negatives: objects missed.
        false_positives: detections that found nothing, by weight.
        precision: share of true positives in the detections.
    """

    recall: float
    score: float
    true_positives: float
    false_negatives: float
    false_positives: float
    precision: float


@dataclass(frozen=True, slots=True, eq=False)
class DisplacementGroup:
    """Precision and recall over the objects of one speed.

    Attributes:
        name: "overall", "slow", "medium" or "fast".
        low: least displacement in cells, inclusive.
        high: largest displacement in cells, exclusive.
        curve: precision over recall, all classes together.
    """

    name: str
    low: float
    high: float
    curve: PrecisionRecall

    def at_recall(self, recall: float) -> OperatingPoint:
        """Return the first point at which a recall is reached."""
        wanted = floor(recall * self.curve.positives)
        if not 0 < wanted <= len(self.curve.hits):
            return OperatingPoint(recall, nan, nan, nan, nan, nan)
        place = wanted - 1
        return OperatingPoint(
            recall,
            float(self.curve.scores[place]),
            wanted,
            self.curve.positives - wanted,
            float(self.curve.false_alarms[place]),
            float(self.curve.precision[place]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class ClassAgnosticResult:
    """Precision and recall over all classes together, by displacement in cells.

    Attributes:
        groups: "slow", "medium", "fast" and "overall", which is the three together.
        uncovered: share of the pairs of consecutive frames whose object moves farther than each of `RADII`.
    """

    groups: tuple[DisplacementGroup, ...]
    uncovered: tuple[float, ...]

    def table(self) -> Group:
        """Return table 3 of the paper, and the pairs of table 2, for `rich`."""
        title = "All classes together, by displacement in output cells between two frames (precision and AP in %)"
        table = new_table(
            ("at recall", "objects that are", "cells", "pairs", "FN", "FP", "precision", "score", "AP"),
        )
        for recall in RECALLS:
            for group in self.groups:
                point = group.at_recall(recall)
                table.add_row(
                    f"{recall:.0%}", group.name, f"{group.low:g} to {group.high:g}", str(group.curve.positives),
                    number_text(point.false_negatives, 0), number_text(point.false_positives, 0),
                    percent_text(point.precision), number_text(point.score, 3),
                    percent_text(group.curve.average_precision),
                )  # fmt: skip
            table.add_section()
        shares = ", ".join(
            f"{radius}: {percent_text(share)}" for radius, share in zip(RADII, self.uncovered, strict=True)
        )
        return titled(title, table, f"pairs that move farther than P cells (%)  {shares}")

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON; "range" is in cells, null for no end."""
        return {
            "groups": {
                group.name: {
                    "range": [json_number(group.low), json_number(group.high)],
                    "pairs": group.curve.positives,
                    "ap": json_number(group.curve.average_precision),
                    "at_recall": {
                        f"{recall:g}": {
                            "score": json_number(point.score),
                            "true_positives": json_number(point.true_positives),
                            "false_negatives": json_number(point.false_negatives),
                            "false_positives": json_number(point.false_positives),
                            "precision": json_number(point.precision),
                        }
                        for recall, point in ((recall, group.at_recall(recall)) for recall in RECALLS)
                    },
                }
                for group in self.groups
            },
            "uncovered_pairs": {
                str(radius): json_number(share) for radius, share in zip(RADII, self.uncovered, strict=True)
            },
        }


def class_agnostic_result(matching: Matching) -> ClassAgnosticResult:
    """Pool a matching over the classes, by displacement between consecutive frames (paper, section 5.3).

    Matching is that of the official metric: a detection finds objects of its own class only; then all classes are
    counted together. What is counted are pairs: an object that is in the frame before too. Detections that found
    any other object are skipped. One that found nothing goes to the group whose object it overlaps most, in equal
    parts among equals; when it touches none, in parts as the frame's objects are; in a frame without objects, in
    parts as all pairs are. So the false positives of the groups add up to those overall. The paper does not say
    how it shares them out.
    """
    truth = matching.truth
    moved = displacement(matching.dataset, truth)
    members = np.stack([(low <= moved) & (moved < high) for low, high in DISPLACEMENT_RANGES.values()])
    with_rest = np.concatenate([members, np.isnan(moved)[None]])

    best = best_overlaps(matching, with_rest)
    top = best.max(axis=0)
    nearest = best == top
    pairs_share = members.sum(axis=1) / max(members.sum(), 1)
    shares = frame_shares(matching, members)[:, matching.detections.frames]
    shares = np.where(np.isnan(shares), pairs_share[:, None], shares)
    weights = np.where(top > 0, nearest[:3] / nearest.sum(axis=0), shares)
    weights[:, matching.objects >= 0] = 0.0

    found = matching.objects >= 0
    groups = []
    for name, (low, high), member, weight in zip(
        ["slow", "medium", "fast", "overall"],
        [*DISPLACEMENT_RANGES.values(), (0.0, inf)],
        [*members, members.any(axis=0)],
        [*weights, weights.sum(axis=0)],
        strict=True,
    ):
        hit = found.copy()
        hit[found] = member[matching.objects[found]]
        curve = precision_recall(matching.detections.scores, hit, weight, int(member.sum()))
        groups.append(DisplacementGroup(name, low, high, curve))
    return ClassAgnosticResult(tuple(groups), tuple(uncovered_pairs(moved, RADII)))
