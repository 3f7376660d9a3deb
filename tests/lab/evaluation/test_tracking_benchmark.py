"""`benchmarks/tracking.py` runs every method on the same detections and scores what it shows."""

from __future__ import annotations

import importlib
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.lab.datasets import load_dataset
from heatprop.lab.datasets.annotations import select_videos
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.tracking import TRACKING_FIGURES, tracking_result
from heatprop.lab.evaluation.runs.comparison import ComparisonRow
from heatprop.lab.evaluation.runs.temporal import TemporalMethod
from heatprop.types import Detections, ImageArray
from lab.evaluation.small_datasets import make_dataset
from small_video_datasets import write_coco_video

pytest.importorskip("trackeval", reason="pip install --no-deps trackeval")

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
BOX, OTHER = [0.0, 0, 40, 40], [60.0, 0, 100, 40]


@pytest.fixture(scope="module", autouse=True)
def _benchmarks() -> Iterator[None]:
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def measuring() -> ModuleType:
    return importlib.import_module("identities.measuring")


@pytest.fixture(scope="module")
def families() -> ModuleType:
    return importlib.import_module("identities.families")


def frame(*found: tuple[int, float]) -> Detections:
    """Return objects of class 0 given as (track id, score), side by side."""
    boxes = [[50.0 * number, 0, 50 * number + 40, 40] for number in range(len(found))]
    ids = np.array([each[0] for each in found], np.int64)
    return Detections(boxes, [each[1] for each in found], np.zeros_like(ids), track_ids=ids)


def plainly_shown(video: Sequence[Detections], first: float, stays: float, frames: int) -> list[list[int]]:
    """Return the ids that are shown in each frame, from the start anew for each."""
    result = []
    for now in range(len(video)):
        here = []
        for number, score in zip(video[now].track_ids.tolist(), video[now].scores.tolist(), strict=True):
            before = [
                (t, float(found.scores[found.track_ids == number][0]))
                for t, found in enumerate(video[: now + 1])
                if number in found.track_ids
            ]
            starts = [t for t, each in before if each >= np.float32(first)]
            seen = [t for t, each in before if starts and t >= starts[0] and each >= np.float32(stays)]
            if number >= 0 and score >= np.float32(stays) and starts and len(seen) >= frames:
                here.append(number)
        result.append(here)
    return result


@given(
    st.lists(st.dictionaries(st.integers(0, 3), st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.75])), max_size=8),
    st.sampled_from([(0.3, 0.3), (0.5, 0.2), (0.75, 0.1)]),
    st.integers(1, 3),
)
def test_an_object_is_shown_from_one_score_on_and_as_long_as_it_has_another(
    video: list[dict[int, float]], scores: tuple[float, float], frames: int
) -> None:
    module = importlib.import_module("identities.shown")
    found = [frame(*each.items()) for each in video]
    settings = module.ShownSettings(first=scores[0], stays=scores[1], frames=frames)
    left = [each.track_ids.tolist() for each in module.shown(found, settings)]
    assert left == plainly_shown(found, *scores, frames)


def test_what_has_no_id_is_never_shown() -> None:
    module = importlib.import_module("identities.shown")
    assert [len(each) for each in module.shown([frame((-1, 0.9)), frame((-1, 0.9), (4, 0.9))])] == [0, 1]


def test_each_method_begins_with_what_is_recommended_and_can_be_sent_to_a_process(families: ModuleType) -> None:
    titles = [family.title for family in families.families()]
    assert len(set(titles)) == len(titles) >= 5
    for family in families.families():
        words = [candidate.words for candidate in family.candidates]
        assert len(words) > len(set(words)) / 2 > 10
        assert pickle.loads(pickle.dumps(family)).title == family.title
    ours = families.families()[0]
    assert (ours.title, ours.candidates[0].words) == (
        families.ADAPTIVE,
        "first from 0.3, then from 0.3, after 1 frames",
    )


def test_links_of_seq_bbox_matching_end_where_an_object_is_missed() -> None:
    module = importlib.import_module("peers.seq_bbox_ids")
    one = Detections([BOX], [0.9], [1])
    both = Detections([OTHER, BOX], [0.9, 0.8], [1, 1])
    weak = Detections([BOX], [0.1], [1])
    ids = [each.track_ids.tolist() for each in module.seq_bbox_ids([one, both, weak, both], least=0.3)]
    assert ids == [[0], [1, 0], [], [2, 3]]


def test_videos_scored_one_by_one_and_joined_score_as_the_dataset(measuring: ModuleType) -> None:
    dataset = make_dataset(
        [(row, 0, 1, BOX) for row in range(6)] + [(row, 1, 2, OTHER) for row in range(6, 9)], (3, 3, 3)
    )
    nowhere = [Path("none")] * 9
    dataset = replace(dataset, image_paths=nowhere, annotation_paths=nowhere)
    random = np.random.default_rng(5)
    rows = np.arange(9)
    labels = (rows >= 6).astype(np.int64)
    boxes = np.where(labels[:, None] == 0, BOX, OTHER) + random.normal(0, 4, (9, 1))
    table = DetectionTable(rows, labels, np.ones(9), boxes, np.array([1, 1, 2, 3, 3, 3, 4, 5, 4]))
    whole = tracking_result(dataset, table, 0.0)
    scores = []
    for number, video in enumerate(dataset.videos):
        here = np.flatnonzero((rows >= video.start) & (rows < video.start + video.length))
        part = table.select(here)
        alone = DetectionTable(part.frames - video.start, part.labels, part.scores, part.boxes, part.track_ids)
        dataset_of_it = select_videos(dataset, [number])
        scores.append(measuring.Score(tracking_result(dataset_of_it, alone, 0.0), 1, 2.0))
    together = measuring.joined(scores)
    assert together.result.figures() == pytest.approx(whole.figures())
    found = dict(zip(measuring.FIGURES, together.figures(), strict=True))
    assert {name: found[name] for name in TRACKING_FIGURES if name in found} == pytest.approx(
        {name: value for name, value in whole.figures().items() if name in found}
    )
    assert (found["ids"], found["recall"], together.milliseconds) == (3, 1, 2)
    twice = measuring.figures(together.result, 0, np.array([0, 2, 1]))
    assert twice[0] == pytest.approx(whole.figures(np.array([0, 2, 1]))["HOTA"])


def test_recall_is_the_share_of_objects_that_are_found_at_half_overlap(measuring: ModuleType) -> None:
    dataset = make_dataset([(row, 0, 1, BOX) for row in range(4)], (4,))
    table = DetectionTable(np.array([1]), np.array([0]), np.ones(1), np.array([BOX]), np.array([7]))
    found = measuring.figures(tracking_result(dataset, table, 0.0), 1)
    assert found[measuring.FIGURES.index("recall")] == 0.25


def test_ids_count_that_are_in_five_frames(measuring: ModuleType) -> None:
    video = [frame((1, 0.9), (2, 0.9))] * 4 + [frame((1, 0.9))]
    assert (measuring.shown_ids(video), measuring.shown_ids([])) == (1, 0)
    objects = [(row, 0, 1, BOX) for row in range(5)] + [(row, 1, 2, OTHER) for row in range(5)]
    objects += [(row, 2, 3, BOX) for row in range(4)]
    objects.sort(key=lambda each: each[0])
    assert measuring.true_ids(make_dataset(objects, (5,))) == 2
    assert measuring.true_ids(make_dataset(objects, (5,), evaluated=[frozenset({1})])) == 1


def row(*by_video: tuple[float, float]) -> ComparisonRow:
    """Return a row of which recall and switches of each video are given."""
    figures = importlib.import_module("identities.measuring").FIGURES
    values = np.zeros((len(by_video), len(figures)))
    values[:, [figures.index("recall"), figures.index("IDSW")]] = by_video
    none = np.zeros(len(figures))
    return ComparisonRow(TemporalMethod(title="one"), figures, none, none[None], values, 1.0)


def test_switches_are_compared_at_the_nearest_recall_of_each_clip() -> None:
    tracking = importlib.import_module("tracking")
    ours = [row((0.9, 8), (0.5, 4)), row((0.6, 3), (0.4, 2))]
    near = tracking.nearest_recall(ours, row((0.7, 1), (0.5, 1)))
    assert near.by_video[:, near.names.index("IDSW")].tolist() == [3, 4]
    tables = importlib.import_module("identities.tables")
    assert "| one | 0.0 | 2 | 0.0 | 7 |" in tables.recall_table("ours", [(row((0.7, 1), (0.5, 1)), near)])


def test_frame_rates_are_read_where_the_dataset_says_them(
    measuring: ModuleType, street_image: ImageArray, tmp_path: Path
) -> None:
    root = write_coco_video(tmp_path / "clips", street_image, (2, 2))
    assert measuring.frame_rates(load_dataset("coco-video", root)) == {}
    content = json.loads((root / "annotations.json").read_text())
    content["videos"][1]["fps"] = 7
    (root / "annotations.json").write_text(json.dumps(content))
    assert measuring.frame_rates(load_dataset("coco-video", root)) == {"clip-2": 7.0}


def finished(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([sys.executable, *command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows_of(said: str) -> dict[str, Any]:
    return {each["method"]: each for each in json.loads(said.splitlines()[-1])["methods"]}


def test_real_clips_are_compared_from_a_cache(street_image: ImageArray, tmp_path: Path) -> None:
    write_coco_video(tmp_path / "clips", street_image, (6, 2, 2, 10, 8))  # two objects in the last two
    evaluate = ("-m", "heatprop", "evaluate", "--dataset", "coco-video", "--root", "clips", "--backend", "onnx")
    finished(*evaluate, "--method", "network", "-o", "alone", "--cache", "cache", cwd=tmp_path)
    command = (BENCHMARKS / "tracking.py", "real", "--root", "clips", "--cache", "cache", "--resamples", "20")
    said = finished(*command, "--only", "HP, adaptive", cwd=tmp_path)
    found = rows_of(said)
    assert {"HP, adaptive", "HP, adaptive, tuned", "HP, adaptive, joined, tuned"} < set(found)
    assert 0.2 < found["HP, adaptive"]["HOTA"] < 1
    assert found["HP, adaptive, tuned"]["settings"]
    assert "Clips with several objects: 2" in said
    assert "| clip-1 (1) | clip-2 (0) | clip-3 (0) | clip-4 (2) | clip-5 (2) |" in said
    one, two = (
        rows_of(finished(*command, "--only", "the paper's", "--jobs", jobs, cwd=tmp_path)) for jobs in ("1", "2")
    )
    for each in (*one.values(), *two.values()):
        del each["milliseconds"]
    assert one == two


def test_the_synthetic_benchmark_is_compared_by_cause(tmp_path: Path) -> None:
    synthesize = (
        "-m",
        "heatprop",
        "synthesize",
        "made",
        "--split",
        "val",
        "test",
        "--videos",
        "2",
        "--frames",
        "20",
    )
    finished(*synthesize, cwd=tmp_path)
    for split in ("val", "test"):
        evaluate = ("-m", "heatprop", "evaluate", "--dataset", "imagenet-vid", "--root", "made", "--split", split)
        options = ("--model", "synthvid", "--method", "network", "--backend", "onnx", "-o", f"alone-{split}")
        finished(*evaluate, *options, "--cache", f"cache-{split}", cwd=tmp_path)
    command = (BENCHMARKS / "tracking.py", "synthetic", "--root", "made", "--cache", "cache-test")
    options = ("--tune-cache", "cache-val", "--only", "HP, adaptive", "--resamples", "10")
    said = finished(*command, *options, cwd=tmp_path)
    assert "of the videos in which a cause is at work" in said
    found = rows_of(said)
    assert found["HP, adaptive, tuned"]["settings"]
    assert 0 < found["HP, adaptive"]["HOTA"] < 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["synthetic", "--root", "a", "--cache", "b"], "synthetic needs --tune-cache"),
        (["real", "--root", "a", "--root", "b", "--cache", "c"], "give one --cache for each --root"),
        (["real", "--root", "a", "--cache", "c", "--only", "none"], "no method is called none; there are HP"),
    ],
)
def test_requests_that_cannot_be_met_are_refused(options: list[str], said: str, tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "tracking.py"), *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr
