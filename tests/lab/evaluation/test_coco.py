"""COCO's figures are those of pycocotools."""

from __future__ import annotations

import contextlib
import io
import sys

import numpy as np
import pytest
from hypothesis import given, settings

from heatprop.errors import MissingPackageError
from heatprop.lab.evaluation.metrics.coco import coco_result
from heatprop.lab.evaluation.metrics.matching import scored_only
from lab.evaluation.golden_videval import load
from lab.evaluation.small_datasets import make_dataset, make_detections, scored_datasets

BOX, FAR = [0, 0, 100, 100], [300, 300, 400, 400]


def pycocotools_figures(dataset, detections):
    """Return AP50:95, AP50 and AP75 of each class, (classes, 3)."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth, detections = scored_only(dataset, detections)
    classes = len(dataset.classes)

    def annotations(table):
        for number, (row, label, (x1, y1, x2, y2)) in enumerate(
            zip(table.frames.tolist(), table.labels.tolist(), table.boxes.tolist(), strict=True), start=1
        ):
            box = [x1, y1, x2 - x1, y2 - y1]
            yield {"id": number, "image_id": row, "category_id": label, "bbox": box, "area": box[2] * box[3]}

    wanted, found = COCO(), COCO()
    with contextlib.redirect_stdout(io.StringIO()):
        images = [{"id": row, "width": 1, "height": 1} for row in range(dataset.frame_count)]
        categories = [{"id": label} for label in range(classes)]
        for coco in (wanted, found):
            coco.dataset = {"images": images, "categories": categories}
        wanted.dataset["annotations"] = [
            {**each, "iscrowd": int(crowd)} for each, crowd in zip(annotations(truth), truth.crowd, strict=True)
        ]
        found.dataset["annotations"] = [
            {**each, "iscrowd": 0, "score": score}
            for each, score in zip(annotations(detections), detections.scores.tolist(), strict=True)
        ]
        wanted.createIndex()
        found.createIndex()
        evaluation = COCOeval(wanted, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, 2].mean(axis=1).T  # (classes, overlaps)
    precision[precision < 0] = np.nan
    return np.column_stack([precision.mean(axis=1), precision[:, 0], precision[:, 5]])


def figures(result):
    return np.column_stack([result.ap, result.ap50, result.ap75])


def test_the_golden_set_scores_as_by_pycocotools(capfd):
    dataset, detections = load()
    have = figures(coco_result(dataset, detections))
    assert capfd.readouterr() == ("", "")
    np.testing.assert_allclose(have, pycocotools_figures(dataset, detections), rtol=0, atol=1e-9)
    assert np.isfinite(have[:, 0]).sum() == 8


@settings(max_examples=60, deadline=None)
@given(scored_datasets())
def test_small_datasets_score_as_by_pycocotools(drawn):
    np.testing.assert_allclose(figures(coco_result(*drawn)), pycocotools_figures(*drawn), rtol=0, atol=1e-9)


def test_a_random_crowded_set_scores_as_by_pycocotools():
    random = np.random.default_rng(5)

    def boxes(count):
        corner, side = random.uniform(0, 200, (count, 2)), random.uniform(20, 120, (count, 2))
        return np.column_stack([corner, corner + side])

    rows = np.sort(random.integers(0, 20, 400))
    objects = [(row, random.integers(0, 3), -1, box) for row, box in zip(rows, boxes(400), strict=True)]
    dataset = make_dataset(objects, (20,), crowd=random.random(400) < 0.1)
    near = dataset.truth.boxes + random.normal(0, 4, (400, 4))
    found = [(row, label, random.random(), box) for (row, label, _, _), box in zip(objects, near, strict=True)]
    # More than 100 in a frame and class.
    found += [(row, 0, random.random(), box) for row in range(20) for box in boxes(150)]
    detections = make_detections(found)
    np.testing.assert_allclose(
        figures(coco_result(dataset, detections)), pycocotools_figures(dataset, detections), rtol=0, atol=1e-9
    )


def test_a_crowd_need_not_be_found_and_forgives_detections():
    dataset = make_dataset([(0, 0, 0, BOX), (0, 0, 1, FAR), (1, 1, 2, FAR)], crowd=[False, True, True])
    found = make_detections([(0, 0, 0.9, FAR), (0, 0, 0.8, [300, 300, 400, 350]), (0, 0, 0.7, BOX)])
    result = coco_result(dataset, found)
    np.testing.assert_allclose(result.ap, [1, np.nan, np.nan])
    assert result.to_dict()["classes"] == {"11": {"AP50_95": 1.0, "AP50": 1.0, "AP75": 1.0}}


def test_without_objects_or_detections_there_are_figures_all_the_same():
    assert coco_result(make_dataset([]), make_detections([(0, 0, 0.5, BOX)])).to_dict()["AP50"] is None
    assert coco_result(make_dataset([(0, 0, 0, BOX)]), make_detections([])).to_dict()["AP50"] == 0.0


def test_without_the_library_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'heatprop\[evaluate\]'"):
        coco_result(make_dataset([(0, 0, 0, BOX)]), make_detections([]))
