"""One report for all metrics, for people and for programs."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from heatprop.errors import InvalidArrayError, InvalidConfigError
from heatprop.lab.evaluation.results import METRICS, score
from lab.evaluation.golden_videval import load
from lab.evaluation.small_datasets import make_dataset, make_detections

BOX = [0, 0, 99, 99]


def printed(report, width=120):
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False)
    console.print(report.tables())
    return console.file.getvalue()


def test_json_is_strict_and_says_what_was_compared():
    report = score(*load())
    parsed = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert parsed["dataset"] == {"layout": "imagenet-vid", "videos": 4, "frames": 60, "objects": 215}
    assert parsed["detections"] == 346
    assert parsed["coco"]["max_detections"] == 100
    assert parsed["class_agnostic"]["groups"]["fast"]["range"] == [4.0, None]
    assert parsed["class_agnostic"]["groups"]["fast"]["at_recall"]["0.75"]["precision"] is None


@pytest.mark.parametrize("found", [[], [(0, 0, 0.5, BOX)]])
@pytest.mark.parametrize("objects", [[], [(0, 0, 0, BOX)], [(0, 1, -1, BOX)]])
def test_the_least_of_datasets_has_a_report(objects, found):
    report = score(make_dataset(objects), make_detections(found))
    json.dumps(report.to_dict(), allow_nan=False)
    assert "nan" not in printed(report)


@pytest.mark.parametrize("metric", METRICS)
def test_each_metric_alone_gives_the_figures_it_gives_with_the_other(metric):
    both, alone = score(*load()).to_dict(), score(*load(), [metric]).to_dict()
    assert set(alone) < set(both)
    assert {name: both[name] for name in alone} == alone


def test_every_figure_of_the_summary_is_under_the_name_of_its_metric():
    lines = printed(score(*load())).rstrip().splitlines()[-7:]
    assert [" ".join(line.split()) for line in lines] == [
        "mAP, official ImageNet VID 74.14",
        "mAP, official ImageNet VID, slow objects 61.24",
        "mAP, official ImageNet VID, medium objects 83.11",
        "mAP, official ImageNet VID, fast objects 73.49",
        "AP50:95, COCO 38.33",
        "AP50, COCO 65.31",
        "AP75, COCO 37.81",
    ]


def test_objects_of_unknown_speed_are_counted():
    text = printed(score(make_dataset([(0, 0, 0, BOX)]), make_detections([]), ["official"]))
    assert "1 objects of unknown speed are in no group but all" in text
    assert "unknown speed" not in printed(score(*load(), ["official"]))


def test_an_unknown_metric_is_refused():
    with pytest.raises(InvalidConfigError, match="'voc' is unknown; choose from official, coco"):
        score(make_dataset([]), make_detections([]), ["voc"])


@pytest.mark.parametrize("metric", METRICS)
def test_detections_of_another_dataset_are_refused(metric):
    with pytest.raises(InvalidArrayError, match="frames of the detections hold 3"):
        score(make_dataset([]), make_detections([(3, 0, 0.5, BOX)]), [metric])
