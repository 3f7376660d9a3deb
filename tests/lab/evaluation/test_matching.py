"""Detections find objects as the development kit of ILSVRC says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from heatprop.errors import InvalidArrayError
from heatprop.lab.evaluation.metrics import matching
from heatprop.lab.evaluation.metrics.matching import match, official_thresholds
from lab.evaluation.small_datasets import make_dataset, make_detections, plain, scored_datasets
from reference import vid_eval

BOX, SHIFTED, FAR = [0, 0, 99, 99], [10, 0, 109, 99], [300, 300, 399, 399]


@settings(max_examples=400, deadline=None)
@given(scored_datasets())
def test_matching_equals_matching_one_by_one(drawn):
    found = match(*drawn)
    objects, detections, _ = plain(found)
    wanted = [-1 if j is None else j for j in vid_eval.match(objects, detections)]
    assert found.objects.tolist() == wanted


@settings(max_examples=50, deadline=None)
@given(scored_datasets())
def test_the_size_of_a_batch_of_pairs_changes_nothing(drawn):
    whole = match(*drawn).objects
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "_PAIRS_AT_ONCE", 2)
        np.testing.assert_array_equal(match(*drawn).objects, whole)


def test_each_detection_takes_the_best_object_that_is_still_free():
    dataset = make_dataset([(0, 0, 0, BOX), (0, 0, 1, SHIFTED)])
    # Both overlap the first object most; the second to come gets the other.
    found = match(dataset, make_detections([(0, 0, 0.5, BOX), (0, 0, 0.9, BOX), (0, 0, 0.4, BOX)]))
    assert found.objects.tolist() == [1, 0, -1]


def test_equal_scores_come_in_the_order_of_the_table():
    dataset = make_dataset([(0, 0, 0, BOX)])
    found = match(dataset, make_detections([(0, 0, 0.5, SHIFTED), (0, 0, 0.5, BOX)]))
    assert found.objects.tolist() == [0, -1]


def test_of_objects_overlapped_equally_the_first_is_taken():
    dataset = make_dataset([(0, 0, 7, BOX), (0, 0, 8, BOX)])
    assert match(dataset, make_detections([(0, 0, 0.5, BOX)])).objects.tolist() == [0]


def test_class_frame_and_place_must_agree():
    dataset = make_dataset([(0, 0, 0, BOX)])
    found = match(dataset, make_detections([(1, 0, 0.9, BOX), (0, 1, 0.9, BOX), (0, 0, 0.9, FAR)]))
    assert found.objects.tolist() == [-1, -1, -1]


def test_small_objects_need_less_overlap():
    # 10 x 10 px with the last pixel: 100 / 400.
    np.testing.assert_allclose(official_thresholds(np.array([[0.0, 0, 9, 9], BOX])), [0.25, 0.5])
    dataset = make_dataset([(0, 0, 0, [0, 0, 9, 9])])
    # 10 x 4 px of it: 40 / 100 is enough; 20 / 100 is not.
    assert match(dataset, make_detections([(0, 0, 1, [0, 0, 9, 3])])).objects.tolist() == [0]
    assert match(dataset, make_detections([(0, 0, 1, [0, 0, 9, 1])])).objects.tolist() == [-1]


def test_an_overlap_of_exactly_the_threshold_is_enough():
    dataset = make_dataset([(0, 0, 0, BOX)])
    assert match(dataset, make_detections([(0, 0, 1, [0, 0, 99, 49])])).objects.tolist() == [0]


def test_classes_that_are_not_scored_in_a_video_are_skipped_there():
    objects = [(0, 0, 0, BOX), (0, 1, 1, BOX), (3, 0, 0, BOX)]
    dataset = make_dataset(objects, (3, 3), evaluated=[frozenset({0}), None])
    found = match(dataset, make_detections([(0, 1, 0.9, BOX), (0, 0, 0.8, BOX), (3, 1, 0.7, BOX)]))
    assert len(found.truth) == 2
    assert found.detections.labels.tolist() == [0, 1]
    assert found.objects.tolist() == [0, -1]


def test_crowds_are_no_objects_of_the_official_metric():
    dataset = make_dataset([(0, 0, 0, BOX), (0, 0, 1, FAR)], crowd=[True, False])
    found = match(dataset, make_detections([(0, 0, 0.9, BOX), (0, 0, 0.8, FAR)]))
    assert len(found.truth) == 1
    assert found.objects.tolist() == [-1, 0]


def test_a_detection_with_crossed_sides_finds_nothing():
    dataset = make_dataset([(0, 0, 0, [0, 0, 5, 5])])
    assert match(dataset, make_detections([(0, 0, 1, [5, 5, 0, 0])])).objects.tolist() == [-1]


@pytest.mark.parametrize("wrong", [(3, 0), (-1, 0), (0, 3), (0, -1)])
def test_frames_and_classes_that_do_not_exist_are_refused(wrong):
    with pytest.raises(InvalidArrayError, match=r"must be from 0 to 2"):
        match(make_dataset([]), make_detections([(*wrong, 0.5, BOX)]))
