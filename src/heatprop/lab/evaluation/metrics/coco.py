"""The metrics of COCO, by faster-coco-eval, which agrees with pycocotools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group

from heatprop.errors import MissingPackageError
from heatprop.lab.datasets.annotations import GroundTruth, VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.matching import scored_only
from heatprop.lab.evaluation.metrics.official import mean_of_known
from heatprop.lab.evaluation.tables import json_number, new_table, percent_text, titled
from heatprop.types import IntArray

MAX_DETECTIONS = 100
"""Detections that count in a frame and class, the best ones, as COCO has it."""


@dataclass(frozen=True, slots=True, eq=False)
class CocoResult:
    """Average precision over 101 points of recall; NaN for a class without objects.

    Attributes:
        classes: a name for each class number.
        class_ids: official number of each class.
        ap: mean over the overlaps .50, .55, ... .95, float64 ``(classes,)``.
        ap50: at overlap .50, float64 ``(classes,)``.
        ap75: at overlap .75, float64 ``(classes,)``.
    """

    classes: tuple[str, ...]
    class_ids: tuple[int, ...]
    ap: NDArray[np.float64]
    ap50: NDArray[np.float64]
    ap75: NDArray[np.float64]

    def table(self) -> Group:
        """Return a table of the classes that have objects, for `rich`."""
        title = f"COCO average precision (%), at most {MAX_DETECTIONS} detections a frame and class"
        table = new_table(("class", "id", "AP50:95", "AP50", "AP75"))
        rows = zip(self.classes, self.class_ids, self.ap, self.ap50, self.ap75, strict=True)
        for name, number, *figures in rows:
            if not np.isnan(figures[0]):
                table.add_row(name, str(number), *(percent_text(figure) for figure in figures))
        table.add_section()
        means = (percent_text(mean_of_known(figures)) for figures in (self.ap, self.ap50, self.ap75))
        table.add_row("mean", "", *means, style="bold")
        return titled(title, table)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON; classes that have objects are keyed by their official number."""
        known = np.flatnonzero(~np.isnan(self.ap))
        figures = {"AP50_95": self.ap, "AP50": self.ap50, "AP75": self.ap75}
        return {
            **{name: json_number(mean_of_known(values)) for name, values in figures.items()},
            "max_detections": MAX_DETECTIONS,
            "classes": {
                str(self.class_ids[label]): {name: float(values[label]) for name, values in figures.items()}
                for label in known.tolist()
            },
        }


def coco_result(dataset: VideoDataset, detections: DetectionTable) -> CocoResult:
    """Score detections as COCO does; a side is ``x2 - x1``, crowds are not to be found but forgive detections.

    Classes that are not scored in a video are skipped there. Memory grows with the detections of one class.

    Raises:
        InvalidArrayError: a detection lies in a frame, or has a class, that the dataset does not have.
        MissingPackageError: faster-coco-eval is not installed.
    """
    truth, detections = scored_only(dataset, detections)
    precision = np.full((len(dataset.classes), 10), np.nan)
    for label in range(len(dataset.classes)):
        objects = truth.select(truth.labels == label)
        if not objects.crowd.all():
            precision[label] = _one_class(objects, detections.select(detections.labels == label))
    return CocoResult(dataset.classes, dataset.class_ids, precision.mean(axis=1), precision[:, 0], precision[:, 5])


def _one_class(objects: GroundTruth, detections: DetectionTable) -> NDArray[np.float64]:
    """Return the average precision at the 10 overlaps of COCO, float64 ``(10,)``."""
    try:
        from faster_coco_eval import COCO, COCOeval_faster  # noqa: PLC0415 (optional, and slow to import)
    except ImportError:
        raise MissingPackageError(
            "COCO's metrics need faster-coco-eval; pip install 'heatprop[evaluate]', or leave them out"
        ) from None
    frames = np.union1d(objects.frames, detections.frames).tolist()
    shared = {"images": [{"id": frame} for frame in frames], "categories": [{"id": 1, "name": "object"}]}
    wanted = _annotations(objects.frames, objects.boxes)
    found = _annotations(detections.frames, detections.boxes)
    for annotation, crowd in zip(wanted, objects.crowd.tolist(), strict=True):
        annotation["iscrowd"] = int(crowd)
    for annotation, score in zip(found, detections.scores.tolist(), strict=True):
        annotation["score"] = score
    evaluation = COCOeval_faster(
        COCO({**shared, "annotations": wanted}),
        COCO({**shared, "annotations": found}),
        "bbox",
        print_function=_say_nothing,
    )
    evaluation.params.maxDets = [MAX_DETECTIONS]
    evaluation.params.areaRng, evaluation.params.areaRngLbl = evaluation.params.areaRng[:1], ["all"]
    evaluation.evaluate()
    evaluation.accumulate()
    precision: NDArray[np.float64] = np.asarray(evaluation.eval["precision"]).reshape(10, -1)
    average: NDArray[np.float64] = precision.mean(axis=1)
    return average


def _annotations(frames: IntArray, boxes: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Return boxes ``(N, 4)`` as COCO has them, of one class; 0 is no id, it would mean unmatched."""
    return [
        {"id": number, "image_id": frame, "category_id": 1, "bbox": [x, y, w, h], "area": w * h, "iscrowd": 0}
        for number, (frame, x, y, w, h) in enumerate(
            zip(
                frames.tolist(),
                boxes[:, 0].tolist(),
                boxes[:, 1].tolist(),
                (boxes[:, 2] - boxes[:, 0]).tolist(),
                (boxes[:, 3] - boxes[:, 1]).tolist(),
                strict=True,
            ),
            start=1,
        )
    ]


def _say_nothing(*_: object) -> None:
    pass
