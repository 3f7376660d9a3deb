"""Many settings of the temporal methods on cached network outputs, over all processors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from heatprop.errors import InvalidConfigError
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.coco import coco_result
from heatprop.lab.evaluation.metrics.matching import match
from heatprop.lab.evaluation.metrics.official import mean_of_known, official_result
from heatprop.lab.evaluation.runs.cache import OutputCache
from heatprop.lab.evaluation.runs.cached_methods import run_cached
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.lab.evaluation.tables import json_number
from heatprop.offline.seqnms import SeqNmsConfig
from heatprop.propagation import PropagationConfig

_MAX_METHODS = 10_000


@dataclass(frozen=True, slots=True)
class SweepRow:
    """What one setting scores: means over the classes that have objects, shares of 1.

    Attributes:
        method: the setting.
        ap50: COCO's average precision at overlap .50.
        ap75: at overlap .75.
        official: mAP of the official metric of ImageNet VID.
        detections: how many there are.
    """

    method: Method
    ap50: float
    ap75: float
    official: float
    detections: int

    def to_dict(self) -> dict[str, Any]:
        """Return settings and figures for JSON or a table."""
        return self.method.to_json() | {
            "AP50": json_number(self.ap50),
            "AP75": json_number(self.ap75),
            "mAP": json_number(self.official),
            "detections": self.detections,
        }


def grid(
    radii: Sequence[int],
    alphas: Sequence[float],
    betas: Sequence[float],
    thresholds: Sequence[float],
    *,
    seq_nms: SeqNmsConfig | None,
) -> list[Method]:
    """Return propagation with every combination, after the network alone and interpolation with each threshold.

    Raises:
        InvalidConfigError: a value lies outside its range, or there are more than 10000 combinations.
    """
    count = len(radii) * len(alphas) * len(betas) * len(thresholds)
    if count > _MAX_METHODS:
        raise InvalidConfigError(f"the grid has {count} settings; ask for at most {_MAX_METHODS}")
    methods = [
        Method(name=name, score_threshold=threshold, seq_nms=seq_nms)
        for threshold in thresholds
        for name in ("network", "interpolation")
    ]
    for threshold, radius, alpha, beta in product(thresholds, radii, alphas, betas):
        config = PropagationConfig(radius=radius, alpha=alpha, beta=beta)
        methods.append(Method(propagation=config, score_threshold=threshold, seq_nms=seq_nms))
    return methods


def sweep(
    dataset: VideoDataset,
    cache: OutputCache,
    methods: Sequence[Method],
    *,
    jobs: int,
    advance: Callable[[int], None] = lambda _: None,
) -> Iterator[SweepRow]:
    """Score methods on the outputs in a cache; see `run_cached` for arguments and errors.

    Yields:
        The score of each, in their order.
    """
    return run_cached(dataset, cache, methods, score_row, jobs=jobs, advance=advance)


def score_row(dataset: VideoDataset, method: Method, table: DetectionTable) -> SweepRow:
    """Return what a method scores by the detections that it finds."""
    coco = coco_result(dataset, table)
    official = official_result(match(dataset, table))
    return SweepRow(
        method=method,
        ap50=mean_of_known(coco.ap50),
        ap75=mean_of_known(coco.ap75),
        official=official.mean_average_precision,
        detections=len(table),
    )
