"""A sweep says of each setting what evaluating with it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heatprop.errors import InvalidConfigError
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.official import mean_of_known
from heatprop.lab.evaluation.results import score
from heatprop.lab.evaluation.runs import cached_methods
from heatprop.lab.evaluation.runs.cache import OutputCache
from heatprop.lab.evaluation.runs.cache_manifest import CacheError
from heatprop.lab.evaluation.runs.cached_methods import parts_of
from heatprop.lab.evaluation.runs.evaluation_folder import EvaluationFolder
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.lab.evaluation.runs.running import detect_dataset, finished_detections
from heatprop.lab.evaluation.runs.sweep import grid, sweep
from heatprop.offline.seqnms import SeqNmsConfig
from lab.evaluation.small_runs import tiny_cache, tiny_network, write_dataset


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> tuple[VideoDataset, OutputCache]:
    folder = tmp_path_factory.mktemp("sweep")
    dataset = write_dataset(folder)
    cache = tiny_cache(folder / "cache", dataset)
    network, _ = tiny_network(dataset)
    detect_dataset(dataset, network, Method(), EvaluationFolder(folder / "out", {}), cache=cache)
    return dataset, cache


def test_the_grid_has_each_combination_after_the_two_to_compare_with() -> None:
    methods = grid([0, 2], [0.5, 1.0], [2.0], [0.05, 0.1], seq_nms=None)
    assert [method.name for method in methods[:4]] == ["network", "interpolation"] * 2
    settings = [
        (method.score_threshold, method.propagation.radius, method.propagation.alpha) for method in methods[4:]
    ]
    assert settings == [(t, r, a) for t in (0.05, 0.1) for r in (0, 2) for a in (0.5, 1.0)]


@pytest.mark.parametrize(
    "lists",
    [
        ([-1], [0.5], [2.0], [0.05]),
        ([1], [1.5], [2.0], [0.05]),
        ([1], [0.5], [-2.0], [0.05]),
        ([1], [0.5], [2.0], [7.0]),
        (range(1000), [0.5] * 100, [2.0], [0.05]),
    ],
)
def test_an_impossible_grid_is_refused(lists: tuple[list[int], list[float], list[float], list[float]]) -> None:
    with pytest.raises(InvalidConfigError):
        grid(*lists, seq_nms=None)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("seq_nms", [None, SeqNmsConfig()])
def test_each_row_is_what_a_run_with_this_setting_scores(
    cached: tuple[VideoDataset, OutputCache], tmp_path: Path, seq_nms: SeqNmsConfig | None, jobs: int
) -> None:
    dataset, cache = cached
    # More settings than are worked on at once.
    methods = grid([0, 1, 2, 3], [0.5, 0.98], [0.5, 2.0], [0.05, 0.3], seq_nms=seq_nms)
    counted: list[int] = []
    rows = list(sweep(dataset, cache, methods, jobs=jobs, advance=counted.append))
    assert [row.method for row in rows] == methods
    assert sum(counted) == len(methods) * dataset.frame_count
    for row in rows[:: 1 if seq_nms is None else 7]:
        network, backend = tiny_network(dataset)
        folder = EvaluationFolder(tmp_path / str(id(row)), {})
        detect_dataset(dataset, network, row.method, folder, cache=cache)
        assert backend.runs == 0
        table = DetectionTable.from_frames(finished_detections(dataset, row.method, folder))
        report = score(dataset, table)
        assert report.official is not None
        assert report.coco is not None
        assert row.detections == len(table) > 0
        assert row.official == report.official.mean_average_precision
        assert row.ap50 == mean_of_known(report.coco.ap50)
        assert row.ap75 == mean_of_known(report.coco.ap75)
    assert len({row.official for row in rows}) > 3
    assert np.isfinite([row.ap50 for row in rows]).all()


@pytest.mark.parametrize(("room", "jobs"), [(1, 1), (1 << 22, 2), (1 << 40, 8)])
def test_room_and_processors_change_no_figure(
    cached: tuple[VideoDataset, OutputCache], monkeypatch: pytest.MonkeyPatch, room: int, jobs: int
) -> None:
    dataset, cache = cached
    methods = grid([1, 2], [0.5], [2.0], [0.05], seq_nms=None)
    wanted = list(sweep(dataset, cache, methods, jobs=1))
    monkeypatch.setattr(cached_methods, "_ROOM", room)
    counted: list[int] = []
    assert list(sweep(dataset, cache, methods, jobs=jobs, advance=counted.append)) == wanted
    assert sum(counted) == len(methods) * dataset.frame_count


@pytest.mark.parametrize("methods", [1, 2, 16])
@pytest.mark.parametrize("videos", [1, 3, 500])
@pytest.mark.parametrize("jobs", [1, 2, 64])
def test_tasks_are_enough_for_all_processors_and_hold_each_method_once(
    methods: int, videos: int, jobs: int
) -> None:
    parts = parts_of(methods, videos, jobs)
    assert [number for part in parts for number in range(methods)[part]] == list(range(methods))
    assert all(range(methods)[part] for part in parts)
    assert len(parts) == methods or videos * len(parts) >= 2 * jobs
    assert videos < 2 * jobs or len(parts) == 1


def test_a_threshold_below_the_floor_is_refused(cached: tuple[VideoDataset, OutputCache]) -> None:
    dataset, cache = cached
    with pytest.raises(InvalidConfigError, match=r"0.005, but the cache holds only cells of at least 0.01"):
        next(sweep(dataset, cache, [Method(score_threshold=0.005)], jobs=1))


def test_a_damaged_part_is_named(cached: tuple[VideoDataset, OutputCache], tmp_path: Path) -> None:
    dataset, cache = cached
    copy = tmp_path / "copy"
    (copy / "parts").mkdir(parents=True)
    for path in [cache.path / "manifest.json", *(cache.path / "parts").iterdir()]:
        (copy / path.relative_to(cache.path)).write_bytes(path.read_bytes())
    (copy / "parts" / "000002-000.zarr.zip").write_bytes(b"x" * 500)
    with pytest.raises(CacheError, match=r"000002-000.zarr.zip is damaged"):
        list(sweep(dataset, OutputCache(copy), [Method()], jobs=2))
