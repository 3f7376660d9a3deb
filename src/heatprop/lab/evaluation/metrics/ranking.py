"""Average precision of a dataset in which videos count a given number of times: what resampling needs.

Detections are matched and sorted once; each set of counts costs a sum. With all counts 1 it is COCO's average
precision, or the official one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from heatprop.lab.evaluation.metrics.matching import Matching
from heatprop.lab.evaluation.metrics.official import mean_of_known
from heatprop.lab.evaluation.metrics.overlap_matching import OverlapMatching
from heatprop.types import IntArray

_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The detections of a dataset by class and falling score.

    Attributes:
        bounds: where the detections of each class begin and end, int64 ``(classes + 1,)``.
        videos: number of the video of each, int64 ``(D,)``.
        hits: whether each found an object, bool ``(D,)``.
        alarms: whether each is a false positive, bool ``(D,)``.
        positives: objects of each video and class, int64 ``(videos, classes)``.
        at_recalls: whether precision is taken at 101 points of recall, as COCO does; otherwise at all.
    """

    bounds: IntArray
    videos: IntArray
    hits: NDArray[np.bool_]
    alarms: NDArray[np.bool_]
    positives: IntArray
    at_recalls: bool

    def mean_average_precision(self, counts: NDArray[np.float64] | IntArray) -> float:
        """Return the mean over the classes that have objects; NaN when none has.

        Args:
            counts: how many times each video is there, ``(videos,)``.
        """
        weights = np.asarray(counts, np.float64)
        of_each = weights[self.videos]
        hits, alarms = of_each * self.hits, of_each * self.alarms
        positives = weights @ self.positives
        values = np.full(len(positives), np.nan)
        for label, (start, end) in enumerate(pairwise(self.bounds.tolist())):
            if positives[label]:
                part = slice(start, end)
                values[label] = self._area(hits[part], alarms[part], float(positives[label]))
        return mean_of_known(values)

    def _area(self, hits: NDArray[np.float64], alarms: NDArray[np.float64], positives: float) -> float:
        found = np.flatnonzero(hits)  # no envelope touches the points between
        if not len(found):
            return 0.0
        right, wrong = np.cumsum(hits)[found], np.cumsum(alarms)[found]
        envelope = np.maximum.accumulate((right / (right + wrong))[::-1])[::-1]
        recall = right / positives
        if not self.at_recalls:
            return float(np.sum(envelope * np.diff(recall, prepend=0.0)))
        reached = np.searchsorted(recall, _RECALLS, "left")
        return float(np.append(envelope, 0.0)[reached].mean())


def rank_coco(matching: OverlapMatching, where: NDArray[np.bool_] | None = None) -> Ranking:
    """Rank for COCO's average precision at the overlap of a matching.

    Args:
        matching: of a whole dataset.
        where: the frames that count, bool ``(F,)``; None for all.
    """
    return _rank(matching, matching.false_alarms, where, at_recalls=True)


def rank_official(matching: Matching, where: NDArray[np.bool_] | None = None) -> Ranking:
    """Rank for the official average precision of ImageNet VID; see `rank_coco`."""
    return _rank(matching, matching.objects < 0, where, at_recalls=False)


def _rank(
    matching: Matching | OverlapMatching,
    alarms: NDArray[np.bool_],
    where: NDArray[np.bool_] | None,
    *,
    at_recalls: bool,
) -> Ranking:
    dataset, truth, detections = matching.dataset, matching.truth, matching.detections
    videos, classes = dataset.video_of_rows(), len(dataset.classes)
    rows, objects = np.arange(len(detections)), np.arange(len(truth))
    if where is not None:
        rows, objects = np.flatnonzero(where[detections.frames]), np.flatnonzero(where[truth.frames])
    order = rows[np.lexsort((-detections.scores[rows], detections.labels[rows]))]
    cells = videos[truth.frames[objects]] * classes + truth.labels[objects]
    return Ranking(
        bounds=np.searchsorted(detections.labels[order], np.arange(classes + 1)),
        videos=videos[detections.frames[order]],
        hits=matching.objects[order] >= 0,
        alarms=alarms[order],
        positives=np.bincount(cells, minlength=len(dataset.videos) * classes).reshape(-1, classes),
        at_recalls=at_recalls,
    )
