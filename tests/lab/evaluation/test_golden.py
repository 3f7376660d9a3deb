"""Figures that the published evaluation code gave for a small tree, and figures of wrong variants of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heatprop.boxes import iou
from heatprop.lab.evaluation.metrics import matching
from heatprop.lab.evaluation.metrics.matching import match
from heatprop.lab.evaluation.metrics.motion_subsets import motion_result
from heatprop.lab.evaluation.metrics.object_motion import motion_iou
from heatprop.lab.evaluation.metrics.official import official_result
from lab.evaluation.golden_videval import EXPECTED, load


def mean_average_precision(dataset, detections):
    return official_result(match(dataset, detections)).mean_average_precision


def test_the_official_metric_gives_the_golden_figures():
    result = official_result(match(*load())).to_dict()
    assert result["mAP"] == pytest.approx(EXPECTED["mAP"], abs=1e-9)
    assert result["ap"] == pytest.approx(EXPECTED["ap"], abs=1e-9)
    assert result["positives"] == EXPECTED["positives"]


def test_motion_iou_is_the_golden_one_of_each_object():
    dataset, _ = load()
    motion = motion_iou(dataset, dataset.truth)
    for row, name in enumerate(dataset.frame_names):
        np.testing.assert_allclose(motion[dataset.truth.frames == row], EXPECTED["motion_iou"][name], atol=1e-9)


def test_motion_subsets_give_the_golden_figures():
    result = motion_result(match(*load())).to_dict()
    assert set(result) == set(EXPECTED["motion"])
    for name, wanted in EXPECTED["motion"].items():
        assert result[name]["range"] == wanted["range"]
        assert result[name]["objects"] == wanted["objects"]
        assert result[name]["mAP"] == pytest.approx(wanted["mAP"], abs=1e-9)
        assert result[name]["ap"] == pytest.approx(wanted["ap"], abs=1e-9), name


def test_known_mistakes_give_their_own_golden_figures(monkeypatch):
    dataset, detections = load()
    wrong = EXPECTED["wrong_variants_mAP"]

    rounded = replace(detections, scores=detections.scores.round(2))
    assert mean_average_precision(dataset, rounded) == pytest.approx(wrong["score_rounded_to_2_digits"], abs=1e-9)
    clear = replace(dataset, truth=dataset.truth.select(~dataset.truth.occluded))
    assert mean_average_precision(clear, detections) == pytest.approx(wrong["occluded_objects_dropped"], abs=1e-9)
    with monkeypatch.context() as patch:
        patch.setattr(matching, "official_thresholds", lambda boxes: np.full(len(boxes), 0.5))
        have = mean_average_precision(dataset, detections)
        assert have == pytest.approx(wrong["threshold_always_0.5"], abs=1e-9)
    with monkeypatch.context() as patch:
        patch.setattr(matching, "inclusive_iou", iou)
        assert mean_average_precision(dataset, detections) == pytest.approx(wrong["iou_without_+1"], abs=1e-9)
