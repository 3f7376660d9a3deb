"""The metric of ImageNet VID: mean average precision as the development kit of ILSVRC computes it."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group

from heatprop.lab.evaluation.metrics.average_precision import PrecisionRecall, precision_recall
from heatprop.lab.evaluation.metrics.matching import Matching
from heatprop.lab.evaluation.tables import json_number, new_table, percent_text, titled

NAME = "official ImageNet VID"


@dataclass(frozen=True, slots=True, eq=False)
class OfficialResult:
    """Average precision of each class, and their mean.

    Attributes:
        classes: a name for each class number.
        class_ids: official number of each class.
        curves: precision over recall of each class.
    """

    classes: tuple[str, ...]
    class_ids: tuple[int, ...]
    curves: tuple[PrecisionRecall, ...]

    @property
    def average_precisions(self) -> NDArray[np.float64]:
        """Average precision of each class, float64 ``(classes,)``; NaN for a class without objects."""
        return np.array([curve.average_precision for curve in self.curves])

    @property
    def mean_average_precision(self) -> float:
        """Mean over the classes that have objects; NaN when none has."""
        return mean_of_known(self.average_precisions)

    def table(self) -> Group:
        """Return a table of the classes that have objects, for `rich`."""
        title = f"Average precision, {NAME} (%)"
        table = new_table(("class", "id", "objects", "AP"))
        for name, number, curve in zip(self.classes, self.class_ids, self.curves, strict=True):
            if curve.positives:
                table.add_row(name, str(number), str(curve.positives), percent_text(curve.average_precision))
        table.add_section()
        objects = sum(curve.positives for curve in self.curves)
        table.add_row("mAP", "", str(objects), percent_text(self.mean_average_precision), style="bold")
        return titled(title, table)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON; classes that have objects are keyed by their official number."""
        known = {
            str(number): curve
            for number, curve in zip(self.class_ids, self.curves, strict=True)
            if curve.positives
        }
        return {
            "mAP": json_number(self.mean_average_precision),
            "ap": {number: json_number(curve.average_precision) for number, curve in known.items()},
            "positives": {number: curve.positives for number, curve in known.items()},
        }


def mean_of_known(values: NDArray[np.float64]) -> float:
    """Return the mean of the values that are not NaN; NaN when all are.

    >>> mean_of_known(np.array([0.5, nan, 1.0]))
    0.75
    """
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else nan


def class_curves(
    matching: Matching, hit: NDArray[np.bool_], false_alarm: NDArray[np.float64], member: NDArray[np.bool_]
) -> tuple[PrecisionRecall, ...]:
    """Return precision over recall of each class.

    `hit` and `false_alarm` are ``(D,)`` as in `precision_recall`; `member` ``(M,)`` are the objects that count.
    """
    classes = len(matching.dataset.classes)
    labels = matching.detections.labels
    positives = np.bincount(matching.truth.labels[member], minlength=classes)
    order = np.argsort(labels, kind="stable")
    parts = np.split(order, np.searchsorted(labels[order], np.arange(1, classes)))
    return tuple(
        precision_recall(matching.detections.scores[part], hit[part], false_alarm[part], int(count))
        for part, count in zip(parts, positives, strict=True)
    )


def official_result(matching: Matching, where: NDArray[np.bool_] | None = None) -> OfficialResult:
    """Score a matching as the development kit of ILSVRC does; every unmatched detection is a false positive.

    Args:
        matching: of a whole dataset.
        where: the frames that count, bool ``(F,)``; None for all. Detections find objects of their own frame
            alone, so the result is that of a dataset without the others.
    """
    if where is None:
        where = np.ones(matching.dataset.frame_count, np.bool_)
    counts, found = where[matching.detections.frames], matching.objects >= 0
    curves = class_curves(
        matching, found & counts, (~found & counts).astype(np.float64), where[matching.truth.frames]
    )
    return OfficialResult(matching.dataset.classes, matching.dataset.class_ids, curves)
