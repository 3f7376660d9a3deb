"""Whole datasets: the same however often a run was stopped, and however its outputs came."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from heatprop.errors import InvalidArrayError, SourceError
from heatprop.io.image_files import read_image
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.runs.cache_manifest import CacheError
from heatprop.lab.evaluation.runs.evaluation_folder import EvaluationFolder, EvaluationFolderError
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.lab.evaluation.runs.running import (
    detect_dataset,
    finished_detections,
    images_of_other_size,
    unfinished,
)
from heatprop.letterbox import boxes_to_frame, fit_letterbox, letterbox
from heatprop.offline.seqnms import SeqNmsConfig, seq_nms
from heatprop.propagation import HeatmapPropagator, PropagationConfig, decode
from heatprop.types import Detections, HeadOutput, ImageArray
from lab.evaluation.small_runs import LENGTHS, TinyBackend, tiny_cache, tiny_network, write_dataset
from same_detections import assert_same_detections

METHODS = [
    Method(name="network"),
    Method(name="interpolation"),
    Method(),
    Method(propagation=PropagationConfig(radius=1, alpha=0.8), seq_nms=SeqNmsConfig()),
    Method(name="adaptive"),
]


class StopError(Exception):
    """Stands for the end of a process between two frames."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> VideoDataset:
    return write_dataset(tmp_path_factory.mktemp("images"))


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def run(dataset: VideoDataset, folder: Path, method: Method, cache: Path | None = None, stop: int = -1) -> int:
    """Run until `stop` frames are done; return how often the network ran."""
    network, backend = tiny_network(dataset)
    left = stop

    def advance() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise StopError

    detect_dataset(
        dataset,
        network,
        method,
        EvaluationFolder(folder, method.to_json()),
        cache=None if cache is None else tiny_cache(cache, dataset),
        advance=advance,
    )
    return backend.runs


def found(dataset: VideoDataset, folder: Path, method: Method) -> list[Detections]:
    rows, each = zip(
        *finished_detections(dataset, method, EvaluationFolder(folder, method.to_json())), strict=True
    )
    assert list(rows) == list(range(dataset.frame_count))
    return list(each)


def assert_same(one: list[Detections], other: list[Detections]) -> None:
    assert len(one) == len(other)
    for before, after in zip(one, other, strict=True):
        assert_same_detections(after, before)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_a_run_says_what_frame_after_frame_by_hand_says(
    dataset: VideoDataset, tmp_path: Path, method: Method
) -> None:
    run(dataset, tmp_path / "out", method)
    network, backend = tiny_network(dataset)
    config = method.config()
    expected = []
    for video in dataset.videos:
        propagator, frames = HeatmapPropagator(config), []
        for row in video.rows:
            image = read_image(dataset.image_paths[row])
            assert image is not None
            fitted = fit_letterbox(48, 36, network.card.input)
            (output,) = backend.infer(letterbox(image, fitted)[None])
            # The model's classes are class-1, class-0 and one that the dataset lacks.
            kept = HeadOutput(output.heatmap[[1, 0]], output.size, output.offset)
            area = fitted.image_area(4)
            seen = decode(kept) if config is None else propagator.update(kept, image_area=area)
            boxes = boxes_to_frame(seen.boxes, fitted, 4)
            frames.append(replace(seen, boxes=boxes))
        expected += frames if method.seq_nms is None else seq_nms(frames)
    assert sum(map(len, expected)) > 500
    assert_same(found(dataset, tmp_path / "out", method), expected)


@pytest.mark.parametrize("method", [METHODS[2], METHODS[4]], ids=str)
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("stops", [[1], [64], [65, 3, 1], [70, 1], [135], [30, 30, 64, 64, 5]])
def test_stopped_runs_end_as_one_run_does(
    dataset: VideoDataset, tmp_path: Path, stops: list[int], cached: bool, method: Method
) -> None:
    cache = [tmp_path / name if cached else None for name in ("cache", "other cache")]
    run(dataset, tmp_path / "once", method, cache[0])
    for stop in stops:
        with suppress(StopError):
            run(dataset, tmp_path / "stopped", method, cache[1], stop)
    run(dataset, tmp_path / "stopped", method, cache[1])
    assert content(tmp_path / "stopped") == content(tmp_path / "once")
    assert len(content(tmp_path / "once")) == 1 + 2 + 1 + 1


def test_what_is_finished_is_not_done_again(dataset: VideoDataset, tmp_path: Path) -> None:
    with pytest.raises(StopError):
        run(dataset, tmp_path / "out", METHODS[2], stop=100)
    folder = EvaluationFolder(tmp_path / "out", METHODS[2].to_json())
    assert list(unfinished(dataset, folder)) == [(2, 0)]
    assert run(dataset, tmp_path / "out", METHODS[2]) == 64
    assert run(dataset, tmp_path / "out", METHODS[2]) == 0


def test_a_part_in_the_middle_that_was_deleted_is_made_again(dataset: VideoDataset, tmp_path: Path) -> None:
    run(dataset, tmp_path / "out", METHODS[2])
    before = content(tmp_path / "out")
    (tmp_path / "out" / "work" / "000000-001.npz").unlink()
    assert run(dataset, tmp_path / "out", METHODS[2]) == LENGTHS[0] - 64
    assert content(tmp_path / "out") == before


def test_a_cache_spares_the_network_and_changes_nothing(dataset: VideoDataset, tmp_path: Path) -> None:
    for method in METHODS:
        runs = run(dataset, tmp_path / f"first {method}", method, tmp_path / "cache")
        assert runs == (sum(LENGTHS) if method is METHODS[0] else 0)
        run(dataset, tmp_path / f"fresh {method}", method, tmp_path / f"cache of {method}")
        assert content(tmp_path / f"first {method}") == content(tmp_path / f"fresh {method}")


def test_a_cache_moves_scores_and_boxes_by_what_storage_adds(dataset: VideoDataset, tmp_path: Path) -> None:
    # Nothing here falls below the floor where it counts, so only the coding is left.
    method = METHODS[0]
    run(dataset, tmp_path / "exact", method)
    run(dataset, tmp_path / "cached", method, tmp_path / "cache")
    pairs = zip(
        found(dataset, tmp_path / "exact", method), found(dataset, tmp_path / "cached", method), strict=True
    )
    compared = total = 0
    for exact, cached in pairs:
        total += len(exact)
        for box, score, label in zip(exact.boxes, exact.scores, exact.labels, strict=True):
            near = (np.abs(cached.boxes - box).max(axis=1) < 0.02) & (cached.labels == label)
            near &= np.abs(cached.scores - score) < 1e-5
            compared += int(near.any())
    assert total > 500
    assert compared >= 0.99 * total  # equal neighbours may trade places: docs/benchmarks.md has how often


def test_a_damaged_image_is_named_and_finished_work_kept(
    tmp_path: Path,
) -> None:
    (tmp_path / "images").mkdir()
    dataset = write_dataset(tmp_path / "images", (66, 3))
    damaged = Path(dataset.image_paths[65])
    whole = damaged.read_bytes()
    damaged.write_bytes(b"no image")
    with pytest.raises(SourceError, match=r"000065.png: this image is damaged"):
        run(dataset, tmp_path / "out", METHODS[2])
    damaged.unlink()
    with pytest.raises(SourceError, match=r"000065.png: cannot read it"):
        run(dataset, tmp_path / "out", METHODS[2])
    damaged.write_bytes(whole)
    assert run(dataset, tmp_path / "out", METHODS[2]) == 2 + 3


class BrokenBackend(TinyBackend):
    """Gives NaN from its fourth image on."""

    concurrency = 1

    def infer(self, images: ImageArray) -> list[HeadOutput]:
        (output,) = super().infer(images)
        if self.runs > 3:
            output.heatmap[0, 0, 0] = np.nan
        return [output]


@pytest.mark.parametrize("cached", [False, True])
def test_a_broken_output_is_named_by_its_image(dataset: VideoDataset, tmp_path: Path, cached: bool) -> None:
    network = replace(tiny_network(dataset)[0], backend=BrokenBackend())
    cache = tiny_cache(tmp_path / "cache", dataset) if cached else None
    folder = EvaluationFolder(tmp_path / "out", {})
    with pytest.raises(InvalidArrayError, match=r"0000\d\d.png: heatmap is nan at"):
        detect_dataset(dataset, network, METHODS[2], folder, cache=cache)
    assert not folder.has(0, 0)


def test_other_settings_are_refused_by_name(dataset: VideoDataset, tmp_path: Path) -> None:
    run(dataset, tmp_path / "out", METHODS[2])
    before = content(tmp_path / "out")
    for method, said in [
        (METHODS[0], "with method propagation, not network"),
        (Method(propagation=PropagationConfig(beta=np.inf)), "with beta 2.0, not inf"),
        (Method(score_threshold=0.1), "with score_threshold 0.05, not 0.1"),
        (Method(seq_nms=SeqNmsConfig()), "with seq_nms"),
    ]:
        with pytest.raises(EvaluationFolderError, match=said) as caught:
            run(dataset, tmp_path / "out", method)
        assert "give -o another folder" in str(caught.value)
    assert content(tmp_path / "out") == before


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(EvaluationFolderError, match="holds other files"):
        EvaluationFolder(tmp_path, {})
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(EvaluationFolderError, match=r"run.json cannot be read"):
        EvaluationFolder(tmp_path, {})


@pytest.mark.parametrize("text", ["[]", "null", '"x"', '{"format": "heatprop-evaluation", "version": 2}'])
def test_a_folder_of_another_version_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(EvaluationFolderError, match="give -o another folder"):
        EvaluationFolder(tmp_path, {"beta": 1})


def test_damaged_work_is_named(dataset: VideoDataset, tmp_path: Path) -> None:
    run(dataset, tmp_path / "out", METHODS[2])
    path = tmp_path / "out" / "work" / "000001-000.npz"
    whole = path.read_bytes()
    for damaged in (b"", b"x", whole[: len(whole) // 2], whole[:400] + b"xxxx" + whole[404:]):
        path.write_bytes(damaged)
        with pytest.raises(EvaluationFolderError, match=r"000001-000.npz is damaged .* delete it and run again"):
            found(dataset, tmp_path / "out", METHODS[2])
    path.unlink()
    run(dataset, tmp_path / "out", METHODS[2])
    assert path.read_bytes() == whole


def test_a_damaged_part_of_the_cache_stops_the_run(dataset: VideoDataset, tmp_path: Path) -> None:
    run(dataset, tmp_path / "out", METHODS[2], tmp_path / "cache")
    path = tmp_path / "cache" / "parts" / "000002-000.zarr.zip"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(CacheError, match=r"000002-000.zarr.zip is damaged"):
        run(dataset, tmp_path / "again", METHODS[2], tmp_path / "cache")
    assert sorted(content(tmp_path / "again")) == [
        "run.json",
        "work/000000-000.npz",
        "work/000000-001.npz",
        "work/000001-000.npz",
    ]
    path.unlink()
    assert run(dataset, tmp_path / "again", METHODS[2], tmp_path / "cache") == 64
    assert content(tmp_path / "again") == content(tmp_path / "out")


def test_images_that_are_not_as_the_annotations_say_are_found(dataset: VideoDataset, tmp_path: Path) -> None:
    run(dataset, tmp_path / "out", METHODS[0])
    sizes = dataset.image_sizes.copy()
    sizes[66] = (48, 37)
    sizes[3] = (0, 0)  # nothing is said
    folder = EvaluationFolder(tmp_path / "out", METHODS[0].to_json())
    assert images_of_other_size(dataset, folder) == []
    assert images_of_other_size(replace(dataset, image_sizes=sizes), folder) == [66]
