"""Methods on head outputs and on detections run on one cache, and differences come with honest intervals."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from heatprop.errors import InvalidConfigError
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.coco import coco_result
from heatprop.lab.evaluation.metrics.official import mean_of_known
from heatprop.lab.evaluation.runs.cache import OutputCache
from heatprop.lab.evaluation.runs.cached_methods import run_cached
from heatprop.lab.evaluation.runs.comparison import ComparisonRow, ComparisonSettings, compare, difference
from heatprop.lab.evaluation.runs.evaluation_folder import EvaluationFolder
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.lab.evaluation.runs.running import detect_dataset
from heatprop.lab.evaluation.runs.sweep import score_row
from heatprop.lab.evaluation.runs.temporal import TemporalMethod, finish, temporal_methods
from heatprop.offline.seqbbox import seq_bbox
from heatprop.offline.seqnms import SeqNmsConfig
from heatprop.types import Detections
from lab.evaluation.small_runs import tiny_cache, tiny_network, write_dataset

ALONE = TemporalMethod(title="network alone", name="network")
SETTINGS = ComparisonSettings(resamples=50)


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> tuple[VideoDataset, OutputCache]:
    folder = tmp_path_factory.mktemp("temporal")
    dataset = write_dataset(folder)
    cache = tiny_cache(folder / "cache", dataset)
    network, _ = tiny_network(dataset)
    detect_dataset(dataset, network, Method(), EvaluationFolder(folder / "out", {}), cache=cache)
    return dataset, cache


def halved(detections: list[Detections]) -> list[Detections]:
    return [Detections(each.boxes, each.scores / 2, each.labels) for each in detections]


def table_of(dataset: VideoDataset, method: Method, table: DetectionTable) -> DetectionTable:
    return finish(dataset, method, table)[0]


def rows_of(cached: tuple[VideoDataset, OutputCache], *methods: TemporalMethod) -> list[ComparisonRow]:
    return list(compare(*cached, methods, SETTINGS))


def test_steps_see_each_video_whole_and_in_order(cached: tuple[VideoDataset, OutputCache]) -> None:
    dataset, cache = cached
    steps = partial(seq_bbox)
    plain, stepped = run_cached(dataset, cache, [ALONE, ALONE.then("stepped", steps)], table_of, jobs=1)
    assert len(plain) > 0
    for video in dataset.videos:
        frames = []
        for row in video.rows:
            part = plain.select(plain.frames == row)
            frames.append(Detections(part.boxes.astype(np.float32), part.scores.astype(np.float32), part.labels))
        for row, wanted in zip(video.rows, seq_bbox(frames), strict=True):
            part = stepped.select(stepped.frames == row)
            np.testing.assert_array_equal(part.scores.astype(np.float32), wanted.scores)
            np.testing.assert_array_equal(part.boxes.astype(np.float32), wanted.boxes)


def test_seq_nms_as_a_step_is_the_seq_nms_of_a_method(cached: tuple[VideoDataset, OutputCache]) -> None:
    (step,) = rows_of(cached, ALONE.with_seq_nms())
    (wanted,) = run_cached(*cached, [Method(name="network", seq_nms=SeqNmsConfig())], score_row, jobs=1)
    assert step.value("AP50") == pytest.approx(wanted.ap50, abs=1e-12)
    assert step.value("AP75") == pytest.approx(wanted.ap75, abs=1e-12)


def test_a_video_alone_is_scored_as_if_there_were_no_other(cached: tuple[VideoDataset, OutputCache]) -> None:
    dataset, cache = cached
    (row,) = rows_of(cached, ALONE)
    (table,) = run_cached(dataset, cache, [ALONE], table_of, jobs=1)
    for number, chosen in enumerate(dataset.videos):
        videos = tuple(each if each is chosen else replace(each, evaluated=frozenset()) for each in dataset.videos)
        wanted = coco_result(replace(dataset, videos=videos), table)
        assert row.by_video[number, 0] == pytest.approx(mean_of_known(wanted.ap50), abs=1e-12)


def test_a_method_does_not_differ_from_itself_and_halved_scores_rank_alike(
    cached: tuple[VideoDataset, OutputCache],
) -> None:
    alone, same, half = rows_of(cached, ALONE, ALONE, ALONE.then("halved", halved))
    for name in alone.names:
        assert difference(same, alone, name) == (0.0, 0.0, 0.0)
    assert difference(half, alone, "AP50") == (0.0, 0.0, 0.0)
    assert half.value("false_positives") < alone.value("false_positives")
    delta, low, high = difference(half, alone, "false_positives")
    assert low <= delta <= high < 0


def test_processes_change_no_figure(cached: tuple[VideoDataset, OutputCache]) -> None:
    one, two = (list(compare(*cached, temporal_methods(), SETTINGS, jobs=jobs)) for jobs in (1, 2))
    for a, b in zip(one, two, strict=True):
        assert str(a.method) == str(b.method)
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_array_equal(a.resampled, b.resampled)
        np.testing.assert_array_equal(a.by_video, b.by_video)
        assert a.milliseconds > 0


def test_average_precision_of_some_frames_stands_beside_that_of_all(
    cached: tuple[VideoDataset, OutputCache],
) -> None:
    dataset, cache = cached
    everything = np.ones(dataset.frame_count, np.bool_)
    first = everything & (dataset.video_of_rows() == 0)
    (row,) = compare(dataset, cache, [ALONE], SETTINGS, subsets={"all": everything, "first": first})
    assert row.value("AP50 all") == row.value("AP50")
    assert row.value("AP50 first") == row.by_video[0, 0]


def test_one_video_says_nothing_of_others(cached: tuple[VideoDataset, OutputCache]) -> None:
    (row,) = rows_of(cached, ALONE)
    single = replace(row, by_video=row.by_video[:1])
    assert np.isnan(difference(single, single, "AP50")[1:]).all()


def test_only_what_uses_later_frames_is_offline() -> None:
    methods = {method.title: method.online for method in temporal_methods()}
    assert methods["Seq-Bbox Matching, online"]
    assert not methods["Seq-Bbox Matching, offline"]
    assert not methods["network alone + Seq-NMS"]
    assert next(iter(methods)) == "network alone"


@pytest.mark.parametrize("settings", [{"shown_from": 1.5}, {"resamples": 0}, {"seed": -1}])
def test_a_setting_outside_its_range_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(InvalidConfigError, match=next(iter(settings))):
        ComparisonSettings(**settings)  # type: ignore[arg-type]


def test_each_drawing_has_as_many_videos_and_the_seed_decides() -> None:
    draws = SETTINGS.draws(7)
    assert (draws.sum(axis=1) == 7).all()
    np.testing.assert_array_equal(draws, SETTINGS.draws(7))
    assert (draws != ComparisonSettings(resamples=50, seed=1).draws(7)).any()
