"""Everything a set of detections scores on a dataset, in one report."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from rich.console import Group

from heatprop.errors import InvalidConfigError, check_range
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.class_agnostic import ClassAgnosticResult, class_agnostic_result
from heatprop.lab.evaluation.metrics.coco import CocoResult, coco_result
from heatprop.lab.evaluation.metrics.flicker import SHOWN_FROM
from heatprop.lab.evaluation.metrics.matching import match
from heatprop.lab.evaluation.metrics.motion_subsets import MotionResult, motion_result
from heatprop.lab.evaluation.metrics.official import NAME, OfficialResult, mean_of_known, official_result
from heatprop.lab.evaluation.metrics.tracking import TrackingResult, tracking_result
from heatprop.lab.evaluation.tables import new_table, percent_text, titled

Metric: TypeAlias = Literal["official", "coco", "tracking"]
METRICS: tuple[Metric, ...] = ("official", "coco")
"""Those of detections, which need no identities."""
WIDEST_TABLE = 110
"""Characters that `EvaluationReport.tables` takes; narrower, names of videos would be cut."""


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationReport:
    """What detections score.

    Attributes:
        dataset: what they were compared with.
        detections: how many there are.
        official: the metric of ImageNet VID; None, like all that follows, where it was not asked for.
        motion: the same by motion IoU; comes with `official`.
        class_agnostic: precision and recall by displacement; comes with `official`.
        coco: the metrics of COCO.
        tracking: HOTA, IDF1, MOTA and what belongs to them.
    """

    dataset: VideoDataset
    detections: int
    official: OfficialResult | None = None
    motion: MotionResult | None = None
    class_agnostic: ClassAgnosticResult | None = None
    coco: CocoResult | None = None
    tracking: TrackingResult | None = None

    def summary(self) -> Group:
        """Return one line for each metric, for `rich`."""
        dataset = self.dataset
        title = (
            f"{dataset.layout}: {len(dataset.videos)} videos, {dataset.frame_count} frames, "
            f"{len(dataset.truth)} objects, {self.detections} detections"
        )
        table = new_table(("metric", "%"))
        if self.official is not None:
            table.add_row(f"mAP, {NAME}", percent_text(self.official.mean_average_precision), style="bold")
        for group in self.motion.groups[1:] if self.motion is not None else ():
            table.add_row(f"mAP, {NAME}, {group.name} objects", percent_text(group.mean_average_precision))
        if self.coco is not None:
            for name, figures in (("50:95", self.coco.ap), ("50", self.coco.ap50), ("75", self.coco.ap75)):
                table.add_row(f"AP{name}, COCO", percent_text(mean_of_known(figures)))
        if self.tracking is not None:
            identities = self.tracking.figures()
            for name in ("HOTA", "IDF1", "MOTA"):
                table.add_row(f"{name}, TrackEval", percent_text(identities[name]))
        return titled(title, table)

    def tables(self) -> Group:
        """Return all tables, the summary last, for `rich`."""
        results = (self.official, self.motion, self.class_agnostic, self.coco, self.tracking)
        tables = [result.table() for result in results if result is not None]
        return Group(*(part for table in tables for part in (table, "")), self.summary())

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as shares of 1, for strict JSON: null stands for what does not exist."""
        dataset = self.dataset
        report: dict[str, Any] = {
            "dataset": {
                "layout": dataset.layout,
                "videos": len(dataset.videos),
                "frames": dataset.frame_count,
                "objects": len(dataset.truth),
            },
            "detections": self.detections,
            "class_names": {str(n): name for n, name in zip(dataset.class_ids, dataset.classes, strict=True)},
        }
        if self.official is not None:
            report |= {"metric": NAME, **self.official.to_dict()}
        if self.motion is not None:
            report["motion"] = self.motion.to_dict()
        if self.class_agnostic is not None:
            report["class_agnostic"] = self.class_agnostic.to_dict()
        if self.coco is not None:
            report["coco"] = self.coco.to_dict()
        if self.tracking is not None:
            report["tracking"] = self.tracking.to_dict()
        return report


def score(
    dataset: VideoDataset,
    detections: DetectionTable,
    metrics: Collection[Metric] = METRICS,
    *,
    shown_from: float = SHOWN_FROM,
) -> EvaluationReport:
    """Score detections; "official" brings the motion subsets and the class-agnostic figures with it.

    Args:
        dataset: what they are of.
        detections: for "tracking" with `track_ids`.
        metrics: which.
        shown_from: detections of at least this score count in "tracking"; in [0, 1].

    Raises:
        InvalidArrayError: a detection lies in a frame, or has a class, that the dataset does not have; or see
            `tracking_result`.
        InvalidConfigError: there is no such metric, or `shown_from` lies outside its range.
        DatasetError: "tracking" is asked for, and the dataset lacks identities.
        MissingPackageError: "coco" is asked for, and faster-coco-eval not installed; or "tracking", and TrackEval.
    """
    for metric in metrics:
        if metric not in get_args(Metric):
            raise InvalidConfigError(f"metric {metric!r} is unknown; choose from {', '.join(get_args(Metric))}")
    check_range("shown_from", shown_from, 0, 1)
    matching = match(dataset, detections) if "official" in metrics else None
    return EvaluationReport(
        dataset,
        len(detections),
        official=None if matching is None else official_result(matching),
        motion=None if matching is None else motion_result(matching),
        class_agnostic=None if matching is None else class_agnostic_result(matching),
        coco=coco_result(dataset, detections) if "coco" in metrics else None,
        tracking=tracking_result(dataset, detections, shown_from) if "tracking" in metrics else None,
    )
