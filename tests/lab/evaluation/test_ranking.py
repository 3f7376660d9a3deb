"""Average precision of weighted videos is that of the metrics themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.coco import coco_result
from heatprop.lab.evaluation.metrics.matching import match
from heatprop.lab.evaluation.metrics.official import mean_of_known, official_result
from heatprop.lab.evaluation.metrics.overlap_matching import match_at
from heatprop.lab.evaluation.metrics.ranking import rank_coco, rank_official
from lab.evaluation.small_datasets import make_dataset, make_detections, scored_datasets


def with_crowds(dataset: VideoDataset, crowd: list[bool]) -> VideoDataset:
    flags = np.array((crowd * len(dataset.truth))[: len(dataset.truth)], np.bool_)
    return replace(dataset, truth=replace(dataset.truth, crowd=flags))


@settings(max_examples=150, deadline=None)
@given(scored_datasets(), st.lists(st.booleans(), min_size=1, max_size=5) | st.just([False]))
def test_with_each_video_once_it_is_coco(data: tuple[VideoDataset, DetectionTable], crowd: list[bool]) -> None:
    dataset, detections = with_crowds(data[0], crowd), data[1]
    wanted = coco_result(dataset, detections)
    ones = np.ones(len(dataset.videos))
    for overlap, values in ((0.5, wanted.ap50), (0.75, wanted.ap75)):
        value = rank_coco(match_at(dataset, detections, overlap)).mean_average_precision(ones)
        assert value == pytest.approx(mean_of_known(values), abs=1e-12, nan_ok=True)


@given(scored_datasets())
def test_with_each_video_once_it_is_official(data: tuple[VideoDataset, DetectionTable]) -> None:
    matching = match(*data)
    value = rank_official(matching).mean_average_precision(np.ones(len(data[0].videos)))
    assert value == pytest.approx(official_result(matching).mean_average_precision, abs=1e-12, nan_ok=True)


@given(scored_datasets(), st.data())
def test_frames_can_be_skipped(data: tuple[VideoDataset, DetectionTable], draw: st.DataObject) -> None:
    matching = match(*data)
    frames = data[0].frame_count
    where = np.array(draw.draw(st.lists(st.booleans(), min_size=frames, max_size=frames)))
    value = rank_official(matching, where).mean_average_precision(np.ones(len(data[0].videos)))
    wanted = official_result(matching, where).mean_average_precision
    assert value == pytest.approx(wanted, abs=1e-12, nan_ok=True)


def test_a_count_is_how_often_a_video_is_there() -> None:
    boxes = [[0, 0, 40, 40], [50, 0, 90, 40], [100, 0, 140, 40]]
    random = np.random.default_rng(0)
    objects = [(row, label, label, boxes[label]) for row in range(6) for label in range(2)]
    found = [
        (row, int(random.integers(2)), float(random.random()), boxes[random.integers(3)])
        for row in range(6)
        for _ in range(4)
    ]
    dataset = make_dataset(objects, (2, 2, 2))
    counts = [2, 0, 1]
    copies = [0, 0, 2]
    longer = make_dataset(
        [(2 * place + row % 2, *rest) for place, video in enumerate(copies) for row, *rest in objects
         if row // 2 == video],
        (2, 2, 2),
    )  # fmt: skip
    more = [
        (2 * place + row % 2, *rest)
        for place, video in enumerate(copies)
        for row, *rest in found
        if row // 2 == video
    ]
    one, other = make_detections(found), make_detections(more)
    for overlap in (0.5, 0.75):
        value = rank_coco(match_at(dataset, one, overlap)).mean_average_precision(np.array(counts))
        wanted = rank_coco(match_at(longer, other, overlap)).mean_average_precision(np.ones(3))
        assert value == pytest.approx(wanted, abs=1e-12)
    value = rank_official(match(dataset, one)).mean_average_precision(np.array(counts))
    assert value == pytest.approx(official_result(match(longer, other)).mean_average_precision, abs=1e-12)
