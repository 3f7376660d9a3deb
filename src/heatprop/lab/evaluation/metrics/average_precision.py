"""Precision, recall, and the area between them."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from heatprop.types import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class PrecisionRecall:
    """Precision over recall, a point for each object found, by falling score.

    Attributes:
        scores: of the detections that found an object, float64 ``(N,)``.
        hits: objects found down to that score, float64 ``(N,)``.
        false_alarms: detections, by weight, that found nothing down to that score, float64 ``(N,)``.
        positives: objects there are.
    """

    scores: NDArray[np.float64]
    hits: NDArray[np.float64]
    false_alarms: NDArray[np.float64]
    positives: int

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the objects found, ``(N,)``, rising."""
        return self.hits / max(self.positives, 1)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of the detections that found an object, ``(N,)``."""
        return self.hits / (self.hits + self.false_alarms)

    @property
    def envelope(self) -> NDArray[np.float64]:
        """The best precision at this recall or above, ``(N,)``, falling."""
        return np.maximum.accumulate(self.precision[::-1])[::-1]

    def spread(self, most: int) -> IntArray:
        """Return at most so many of its points, evenly spread, as rising indices."""
        count = len(self.hits)
        return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))

    @property
    def average_precision(self) -> float:
        """Area under the envelope over all points of recall; NaN where there are no objects."""
        if not self.positives:
            return nan
        return float(np.sum(self.envelope * np.diff(self.recall, prepend=0.0)))


def precision_recall(
    scores: NDArray[np.float64], hit: NDArray[np.bool_], false_alarm: NDArray[np.float64], positives: int
) -> PrecisionRecall:
    """Return precision over recall of detections ``(N,)``, equal scores in their order.

    Args:
        scores: float64 ``(N,)``.
        hit: whether each found an object that counts, bool ``(N,)``.
        false_alarm: how much each weighs as a false positive, from 0 to 1, float64 ``(N,)``; 0 for a hit.
        positives: objects that count.

    Points between two hits are skipped: no envelope touches them.

    >>> scores, hit = np.array([0.9, 0.8, 0.7]), np.array([True, False, True])
    >>> curve = precision_recall(scores, hit, 1.0 - hit, positives=4)
    >>> curve.recall.tolist(), curve.precision.round(3).tolist(), round(curve.average_precision, 3)
    ([0.25, 0.5], [1.0, 0.667], 0.417)
    """
    order = np.argsort(-scores, kind="stable")
    hit, alarms = hit[order], np.cumsum(false_alarm[order])
    scores = scores[order]
    return PrecisionRecall(scores[hit], np.arange(1.0, hit.sum() + 1), alarms[hit], positives)
