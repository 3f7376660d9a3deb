"""Speed of objects in both definitions, and what it does to average precision."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings

from heatprop.lab.evaluation.metrics.class_agnostic import DISPLACEMENT_RANGES, RECALLS, class_agnostic_result
from heatprop.lab.evaluation.metrics.matching import match
from heatprop.lab.evaluation.metrics.motion_subsets import motion_result
from heatprop.lab.evaluation.metrics.object_motion import displacement, motion_iou, same_object, uncovered_pairs
from heatprop.lab.evaluation.metrics.official import official_result
from lab.evaluation.small_datasets import CLASSES, make_dataset, make_detections, plain, scored_datasets
from reference import vid_eval

BOX, FAR = [0, 0, 99, 99], [300, 300, 399, 399]


def known(values):
    return [math.nan if value is None else value for value in values]


@settings(max_examples=200, deadline=None)
@given(scored_datasets())
def test_speeds_equal_their_definitions(drawn):
    matching = match(*drawn)
    objects, _, videos = plain(matching)
    dataset, truth = matching.dataset, matching.truth
    np.testing.assert_allclose(motion_iou(dataset, truth), known(vid_eval.motion_iou(objects, videos)), atol=1e-12)
    wanted = known(vid_eval.displacement(objects, videos, 512))
    np.testing.assert_allclose(displacement(dataset, truth), wanted, atol=1e-12)


@settings(max_examples=300, deadline=None)
@given(scored_datasets())
def test_motion_subsets_equal_their_definition(drawn):
    matching = match(*drawn)
    objects, detections, videos = plain(matching)
    for group in motion_result(matching).groups:
        wanted = vid_eval.motion(objects, detections, videos, CLASSES, (group.low, group.high))
        have = [curve.average_precision for curve in group.curves]
        np.testing.assert_allclose(have, known(wanted), rtol=0, atol=1e-12, err_msg=group.name)


@settings(max_examples=100, deadline=None)
@given(scored_datasets())
def test_all_objects_together_score_as_in_the_official_metric(drawn):
    matching = match(*drawn)
    everything = motion_result(matching).groups[0]
    have = [curve.average_precision for curve in everything.curves]
    np.testing.assert_array_equal(have, official_result(matching).average_precisions)


@settings(max_examples=300, deadline=None)
@given(scored_datasets())
def test_class_agnostic_points_equal_their_definition(drawn):
    matching = match(*drawn)
    objects, detections, videos = plain(matching)
    moved = vid_eval.displacement(objects, videos, 512)
    bounds = {**DISPLACEMENT_RANGES, "overall": (0.0, math.inf)}
    for group in class_agnostic_result(matching).groups:
        points, pairs = vid_eval.class_agnostic(objects, detections, moved, bounds[group.name])
        assert group.curve.positives == pairs
        hits_before = [0, *(hits for _, hits, _ in points)]
        at_hits = [point for point, before in zip(points, hits_before, strict=False) if point[1] > before]
        have = np.column_stack([group.curve.scores, group.curve.hits, group.curve.false_alarms])
        np.testing.assert_allclose(have, np.reshape(at_hits, (-1, 3)), rtol=0, atol=1e-9)
        for recall in RECALLS:
            wanted = math.floor(recall * pairs)
            reached = next((point for point in points if 0 < wanted <= point[1]), None)
            have = group.at_recall(recall)
            if reached is None:
                assert math.isnan(have.score)
                continue
            score, hits, alarms = reached
            assert (have.score, have.true_positives, have.false_negatives) == (score, hits, pairs - hits)
            assert have.false_positives == pytest.approx(alarms, abs=1e-9)
            assert have.precision == pytest.approx(hits / (hits + alarms), abs=1e-12)


def test_an_object_is_followed_by_its_track_within_its_video():
    objects = [(0, 0, 5, BOX), (1, 0, 5, BOX), (2, 0, 5, BOX), (2, 0, -1, BOX), (3, 0, -1, BOX), (4, 0, 5, BOX)]
    dataset = make_dataset(objects, (2, 3))
    assert same_object(dataset, dataset.truth, 1).tolist() == [1, -1, -1, -1, -1, -1]
    assert same_object(dataset, dataset.truth, 2).tolist() == [-1, -1, 5, -1, -1, -1]


def test_frames_in_which_an_object_is_absent_are_passed_over():
    dataset = make_dataset([(0, 0, 0, BOX), (4, 0, 0, BOX)], (5,))
    np.testing.assert_allclose(motion_iou(dataset, dataset.truth), [1, 1])


def test_ten_frames_are_taken_and_no_more():
    near = make_dataset([(0, 0, 0, BOX), (10, 0, 0, BOX)], (20,))
    far = make_dataset([(0, 0, 0, BOX), (11, 0, 0, BOX)], (20,))
    assert motion_iou(near, near.truth).tolist() == [1, 1]
    assert np.isnan(motion_iou(far, far.truth)).all()


def test_displacement_is_in_cells_of_an_image_scaled_to_512():
    moved = [[16, 8, 115, 107], [16, 8, 115, 107]]
    dataset = make_dataset([(0, 0, 0, BOX), (1, 0, 0, moved[0]), (2, 0, 0, moved[1])], size=(1024, 600))
    # 16 px of 1024 are 8 of 512, and 2 cells; then nothing.
    have = displacement(dataset, dataset.truth)
    np.testing.assert_allclose(have, [np.nan, 2, 0])
    assert uncovered_pairs(have, [0, 1, 2]) == [0.5, 0.5, 0.0]


def test_a_detection_of_an_object_of_another_speed_is_neither_right_nor_wrong():
    still = [(row, 0, 0, BOX) for row in range(3)]
    fast = [(row, 0, 1, [200 * row, 300, 200 * row + 50, 350]) for row in range(3)]
    dataset = make_dataset(sorted([*still, *fast]))
    found = make_detections([*((row, 0, 0.5, BOX) for row in range(3)), (0, 0, 0.4, [0, 300, 50, 350])])
    groups = {group.name: group for group in motion_result(match(dataset, found)).groups}
    assert groups["slow"].mean_average_precision == 1.0
    assert groups["fast"].mean_average_precision == pytest.approx(1 / 3)
    assert math.isnan(groups["medium"].mean_average_precision)


STILL = [(row, 0, track, [150 * track, 0, 150 * track + 99, 99]) for track in range(2) for row in range(3)]
RUNNING = [(row, 0, 5, [100 * row, 300, 100 * row + 99, 399]) for row in range(3)]


@pytest.mark.parametrize(
    ("where", "box", "slow", "fast"),
    [
        ("nearest to a slow one", (1, [0, 0, 99, 30]), 1, 0),
        ("nearest to a fast one", (1, [100, 300, 199, 330]), 0, 1),
        ("as near to both", (1, [0, 0, 199, 399]), 1 / 2, 1 / 2),
        ("nearest to one that was not there before", (0, [0, 0, 99, 30]), 0, 0),
        ("touching none of two slow ones and a fast one", (1, [450, 450, 470, 470]), 2 / 3, 1 / 3),
        ("touching none that was there before", (0, [450, 450, 470, 470]), 0, 0),
        ("in an empty frame, there being four slow pairs and two fast ones", (3, [0, 0, 9, 9]), 4 / 6, 2 / 6),
    ],
)
def test_a_false_positive_goes_to_the_speed_it_belongs_to(where, box, slow, fast):
    dataset = make_dataset(sorted([*STILL, *RUNNING]), (4,))
    row, sides = box
    found = [(row, 1, 0.9, sides), (1, 0, 0.5, STILL[1][3]), (1, 0, 0.5, RUNNING[1][3])]
    groups = {group.name: group for group in class_agnostic_result(match(dataset, make_detections(found))).groups}
    assert [groups[name].curve.positives for name in ("slow", "medium", "fast", "overall")] == [4, 0, 2, 6]
    have = [groups[name].curve.false_alarms[-1] for name in ("slow", "fast", "overall")]
    assert have == pytest.approx([slow, fast, slow + fast]), where


def test_the_points_are_counted_as_in_table_3_of_the_paper():
    # 254190 pairs at 75 %: 63548 are missed, so 190642 found: the whole number below.
    assert [math.floor(0.75 * n) for n in (254190, 14820, 3028, 272038)] == [190642, 11115, 2271, 204028]
    objects = [(row, 0, 0, BOX) for row in range(11)]
    dataset = make_dataset(objects, (11,))
    found = make_detections([(row, 0, 0.9 - row / 100, BOX) for row in range(11)])
    overall = class_agnostic_result(match(dataset, found)).groups[-1]
    point = overall.at_recall(0.75)  # 10 pairs
    assert (point.true_positives, point.false_negatives, point.false_positives, point.precision) == (7, 3, 0, 1)
    assert point.score == pytest.approx(0.83)


def test_a_recall_that_is_never_reached_has_no_figures():
    dataset = make_dataset([(row, 0, 0, BOX) for row in range(3)])
    result = class_agnostic_result(match(dataset, make_detections([(1, 0, 0.5, BOX)])))
    overall = result.to_dict()["groups"]["overall"]
    assert overall["pairs"] == 2
    assert overall["at_recall"]["0.75"]["score"] == 0.5  # one of two: floor(1.5)
    nothing = class_agnostic_result(match(dataset, make_detections([]))).to_dict()["groups"]["overall"]
    assert set(nothing["at_recall"]["0.65"].values()) == {None}
