"""Figures that the published evaluation code gave for a small tree, and figures of wrong variants of it."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.golden_videval import EXPECTED, read_dataset, read_detections
from heatprop.evaluation.matching import match
from heatprop.evaluation.motion import motion_iou
from heatprop.evaluation.motion_subsets import motion_result
from heatprop.evaluation.official import official_result


def test_the_official_metric_gives_the_golden_figures():
    dataset = read_dataset()
    result = official_result(match(dataset, read_detections(dataset))).to_dict()
    assert result["mAP"] == pytest.approx(EXPECTED["mAP"], abs=1e-9)
    assert result["ap"] == pytest.approx(EXPECTED["ap"], abs=1e-9)
    assert result["positives"] == EXPECTED["positives"]


def test_motion_iou_is_the_golden_one_of_each_object():
    dataset = read_dataset()
    motion = motion_iou(dataset, dataset.truth)
    for row, name in enumerate(dataset.frame_names):
        np.testing.assert_allclose(motion[dataset.truth.frames == row], EXPECTED["motion_iou"][name], atol=1e-9)


def test_motion_subsets_give_the_golden_figures():
    dataset = read_dataset()
    result = motion_result(match(dataset, read_detections(dataset))).to_dict()
    assert set(result) == set(EXPECTED["motion"])
    for name, wanted in EXPECTED["motion"].items():
        assert result[name]["range"] == wanted["range"]
        assert result[name]["objects"] == wanted["objects"]
        assert result[name]["mAP"] == pytest.approx(wanted["mAP"], abs=1e-9)
        assert result[name]["ap"] == pytest.approx(wanted["ap"], abs=1e-9), name


@pytest.mark.parametrize("variant", EXPECTED["wrong_variants_mAP"])
def test_the_golden_figures_tell_wrong_variants_apart(variant):
    assert abs(EXPECTED["wrong_variants_mAP"][variant] - EXPECTED["mAP"]) > 1e-5
