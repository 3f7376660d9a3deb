"""Average precision of ImageNet VID, against its definition one box at a time."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatprop.lab.evaluation.metrics.average_precision import precision_recall
from heatprop.lab.evaluation.metrics.matching import match
from heatprop.lab.evaluation.metrics.official import official_result
from lab.evaluation.small_datasets import CLASSES, make_dataset, make_detections, plain, scored_datasets
from reference import vid_eval

BOX, FAR = [0, 0, 99, 99], [300, 300, 399, 399]


def score(dataset, detections):
    return official_result(match(dataset, detections))


@settings(max_examples=400, deadline=None)
@given(scored_datasets())
def test_average_precision_equals_its_definition(drawn):
    matching = match(*drawn)
    objects, detections, _ = plain(matching)
    wanted = [math.nan if ap is None else ap for ap in vid_eval.official(objects, detections, CLASSES)]
    result = official_result(matching)
    np.testing.assert_allclose(result.average_precisions, wanted, rtol=0, atol=1e-12)
    known = [ap for ap in wanted if not math.isnan(ap)]
    mean = sum(known) / len(known) if known else math.nan
    np.testing.assert_allclose(result.mean_average_precision, mean, rtol=0, atol=1e-12)


@settings(max_examples=200, deadline=None)
@given(scored_datasets(), st.sets(st.integers(0, 11)))
def test_some_frames_of_a_matching_score_as_a_dataset_of_those_alone(drawn, chosen):
    matching = match(*drawn)
    objects, detections = ([row for row in rows if row[0] in chosen] for rows in plain(matching)[:2])
    wanted = [math.nan if ap is None else ap for ap in vid_eval.official(objects, detections, CLASSES)]
    where = np.isin(np.arange(matching.dataset.frame_count), sorted(chosen))
    result = official_result(matching, where)
    np.testing.assert_allclose(result.average_precisions, wanted, rtol=0, atol=1e-12)


def test_a_class_with_detections_but_without_objects_is_skipped_of_the_mean():
    dataset = make_dataset([(0, 0, 0, BOX)])
    result = score(dataset, make_detections([(0, 0, 0.9, BOX), (0, 1, 0.99, BOX)]))
    assert result.mean_average_precision == 1.0
    assert result.to_dict() == {"mAP": 1.0, "ap": {"11": 1.0}, "positives": {"11": 1}}


def test_a_class_with_objects_but_without_detections_counts_as_zero():
    dataset = make_dataset([(0, 0, 0, BOX), (0, 1, 0, BOX)])
    assert score(dataset, make_detections([(0, 0, 0.9, BOX)])).mean_average_precision == 0.5


def test_frames_without_objects_have_false_positives():
    dataset = make_dataset([(0, 0, 0, BOX)])
    assert score(dataset, make_detections([(2, 0, 0.9, BOX), (0, 0, 0.8, BOX)])).mean_average_precision == 0.5


def test_a_second_detection_of_an_object_is_a_false_positive():
    dataset = make_dataset([(0, 0, 0, BOX), (1, 0, 0, BOX)])
    found = make_detections([(0, 0, 0.9, BOX), (0, 0, 0.8, BOX), (1, 0, 0.7, BOX)])
    assert score(dataset, found).mean_average_precision == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_without_objects_there_is_no_mean():
    result = score(make_dataset([]), make_detections([(0, 0, 0.5, BOX)]))
    assert math.isnan(result.mean_average_precision)
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == {"mAP": None, "ap": {}, "positives": {}}


def test_without_detections_all_is_zero():
    dataset = make_dataset([(0, 0, 0, BOX)])
    assert score(dataset, make_detections([])).mean_average_precision == 0.0


def test_equal_scores_come_by_frame_and_within_a_frame_in_the_order_of_the_table():
    dataset = make_dataset([(1, 0, 0, BOX)])
    hit, miss, before, after = (1, 0, 0.5, BOX), (1, 0, 0.5, FAR), (0, 0, 0.5, FAR), (2, 0, 0.5, FAR)
    assert score(dataset, make_detections([hit, miss])).mean_average_precision == 1.0
    assert score(dataset, make_detections([miss, hit])).mean_average_precision == 0.5
    assert score(dataset, make_detections([after, hit])).mean_average_precision == 1.0
    assert score(dataset, make_detections([hit, before])).mean_average_precision == 0.5


def test_curves_keep_a_point_for_each_hit():
    scores, hit = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False])
    curve = precision_recall(scores, hit, (~hit).astype(float), positives=3)
    np.testing.assert_allclose(curve.scores, [0.9, 0.7])
    np.testing.assert_allclose(curve.recall, [1 / 3, 2 / 3])
    np.testing.assert_allclose(curve.precision, [1, 2 / 3])
