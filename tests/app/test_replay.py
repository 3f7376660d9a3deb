"""What the page shows is what `heatprop detect` writes with the same settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_videos import configs, outputs, videos
from app_client import Client
from heatprop.app.kept_frames import KeptFrame, best_of_classes, only_classes, read_kept, read_summary, write_kept
from heatprop.app.replay import FLOOR, OutputForm, Replay, findable
from heatprop.app.settings import Tuning
from heatprop.boxes import iou
from heatprop.cli import main
from heatprop.letterbox import InputFormat
from heatprop.runtime.kept_outputs import SCORE_ERROR, SparseOutput, restored, sparsify
from heatprop.runtime.wanted_classes import without_others
from heatprop.types import Detections
from same_detections import assert_same_detections

ROUNDING_OF_SCORES = 1e-4
# A size is kept within 2^-11 of itself: of the widest box of the clip, which fills it, so much of a pixel.
PIXELS = 640 * 2**-11 + 0.02


@pytest.fixture(scope="module", params=["mb3-coco", "nanodet-coco"])
def clip_run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, demo_clip: Path
) -> Iterator[tuple[Client, str, str, str]]:
    """Return a client, a run of the real clip, its model and its source: a heatmap network, and one of boxes."""
    from heatprop.app.serving import AppServer

    with AppServer(tmp_path_factory.mktemp("clip"), max_upload=1) as server:
        client = Client(server.address)
        run = client.begin(source=str(demo_clip), model=request.param)
        assert client.ended(run)["state"] == "done"
        yield client, run, request.param, str(demo_clip)


SETTINGS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"form": "paper", "alpha": 0.9}, ["--propagation", "paper", "--alpha", "0.9"]),
    ({"alpha": 1, "beta": 1, "score_threshold": 0.4}, ["--alpha", "1", "--beta", "1", "--score-threshold", "0.4"]),
    ({"form": "none", "score_threshold": 0.4}, ["--no-propagation", "--score-threshold", "0.4"]),
]


def lines_of(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


@pytest.mark.parametrize(("settings", "options"), SETTINGS, ids=["default", "paper", "adaptive", "alone"])
def test_replaying_gives_what_the_command_writes(
    clip_run: tuple[Client, str, str, str], tmp_path: Path, settings: dict[str, Any], options: list[str]
) -> None:
    client, run, model, source = clip_run
    key = client.tune(run, **settings)["key"]
    header, *frames, end = lines_of(client.exported(run, format="jsonl", key=key).body)
    path = tmp_path / "detect.jsonl"
    assert main(["detect", source, "--model", model, "--json", str(path), "--quiet", *options]) == 0
    wanted_header, *wanted, wanted_end = lines_of(path.read_bytes())
    for name in ("bytes", "modified"):
        del wanted_header["source"][name]
    assert header == wanted_header
    assert end == wanted_end
    assert len(frames) == len(wanted) == 250
    for found, each in zip(frames, wanted, strict=True):
        for name in ("frame", "time", "labels", "names", "lengths", "ids"):
            assert found[name] == each[name], found["frame"]
        np.testing.assert_allclose(found["scores"], each["scores"], rtol=0, atol=SCORE_ERROR + ROUNDING_OF_SCORES)
        np.testing.assert_allclose(found["boxes"], each["boxes"], rtol=0, atol=PIXELS)


def test_faint_objects_and_an_endless_past_may_differ_where_two_cells_are_nearly_the_same(
    clip_run: tuple[Client, str, str, str], tmp_path: Path
) -> None:
    client, run, model, source = clip_run
    key = client.tune(run, beta="inf", score_threshold=0.2)["key"]
    _, *frames, _ = lines_of(client.exported(run, format="jsonl", key=key).body)
    path = tmp_path / "detect.jsonl"
    options = ("--beta", "inf", "--score-threshold", "0.2", "--quiet")
    assert main(["detect", source, "--model", model, "--json", str(path), *options]) == 0
    wanted = lines_of(path.read_bytes())[1:-1]
    same = [found["labels"] == each["labels"] for found, each in zip(frames, wanted, strict=True)]
    assert sum(same) >= (250 if model == "nanodet-coco" else 225)  # boxes are kept as they are


def test_the_commands_that_it_names_write_the_same(clip_run: tuple[Client, str, str, str], tmp_path: Path) -> None:
    client, run, _, _ = clip_run
    key = client.tune(run, form="paper", alpha=0.95, score_threshold=0.25)["key"]
    _, *frames, _ = lines_of(client.exported(run, format="jsonl", key=key).body)
    said = client.get(f"/api/runs/{run}/commands?key={key}").json
    assert said["note"] is None
    (tmp_path / "shell").mkdir()
    (tmp_path / "python").mkdir()
    # The command is found whether or not this environment's scripts are on the path.
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    subprocess.run(said["shell"], shell=True, check=True, cwd=tmp_path / "shell", env=environment)
    subprocess.run([sys.executable, "-c", said["python"]], check=True, cwd=tmp_path / "python", env=environment)
    (by_shell,), (by_python,) = ((tmp_path / name).glob("*.jsonl") for name in ("shell", "python"))
    assert lines_of(by_shell.read_bytes())[1:] == lines_of(by_python.read_bytes())[1:]
    for found, wanted in zip(frames, lines_of(by_python.read_bytes())[1:-1], strict=True):
        assert (found["labels"], found["ids"]) == (wanted["labels"], wanted["ids"])


def test_a_setting_that_the_command_line_lacks_is_said_in_python(
    clip_run: tuple[Client, str, str, str], tmp_path: Path
) -> None:
    client, run, _, _ = clip_run
    key = client.tune(run, velocity=0.25, max_length="inf", nms_iou=0.5)["key"]
    said = client.get(f"/api/runs/{run}/commands?key={key}").json
    assert said["shell"] is None
    assert said["note"] == "heatprop detect has no option for nms_iou, velocity, max_length; the Python has"
    subprocess.run([sys.executable, "-c", said["python"]], check=True, cwd=tmp_path)
    (path,) = tmp_path.glob("*.jsonl")
    _, *frames, _ = lines_of(client.exported(run, format="jsonl", key=key).body)
    for found, wanted in zip(frames, lines_of(path.read_bytes())[1:-1], strict=True):
        assert (found["labels"], found["lengths"]) == (wanted["labels"], wanted["lengths"])


def test_wanted_classes_and_another_input_size_are_replayed_too(
    client: Client, demo_clip: Path, tmp_path: Path
) -> None:
    run = client.begin(source=str(demo_clip), classes=["car", "0"], input_size=256, name="small.mp4")
    client.ended(run)
    _, *frames, _ = lines_of(client.exported(run, format="jsonl").body)
    said = client.get(f"/api/runs/{run}/commands").json
    subprocess.run(
        [sys.executable, "-m", *said["shell"].split()], check=True, cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    wanted = lines_of((tmp_path / "small.jsonl").read_bytes())[1:-1]
    assert [each["ids"] for each in frames] == [each["ids"] for each in wanted]
    assert [each["labels"] for each in frames] == [each["labels"] for each in wanted]


def kept_frames(frames: Any, floor: float = 0.0) -> list[KeptFrame]:
    kept = [sparsify(output, floor) for output in outputs(frames)]
    side = 4 * max(kept[0].shape[1:])
    return [KeptFrame(number / 25, side, side, number == 3, False, each) for number, each in enumerate(kept)]


FORM = OutputForm(4, None, InputFormat(longest_side=64, multiple=4))


@given(videos(), configs(), st.sampled_from([0.05, 0.3]))
def test_classes_that_never_reach_the_least_score_can_be_left_out(
    frames: Any, config: Any, threshold: float
) -> None:
    if config.score_threshold < 0.05:
        return  # what the page cannot set
    kept = kept_frames(frames)
    channels = findable(best_of_classes([each.output for each in kept]))
    tuning = Tuning(config, max(threshold, config.score_threshold))
    form = OutputForm(1, None, None)
    height, width = kept[0].output.shape[1:]
    sized = [KeptFrame(each.time, width, height, each.starts_shot, False, each.output) for each in kept]
    whole, part = Replay(form, tuning), Replay(form, tuning, channels)
    for each in sized:
        assert_same_detections(part.step(each), whole.step(each))


@given(videos(), st.data())
def test_some_classes_of_a_kept_output_are_those_of_the_whole(frames: Any, data: st.DataObject) -> None:
    for kept in (each.output for each in kept_frames(frames, FLOOR)):
        classes = kept.shape[0]
        channels = np.array(sorted(data.draw(st.sets(st.integers(0, classes - 1), min_size=1))))
        found = restored(only_classes(kept, channels))
        wanted = without_others(restored(kept), channels)
        np.testing.assert_array_equal(found.heatmap, wanted.heatmap)
        places = found.heatmap.max(axis=0) > 0
        np.testing.assert_array_equal(found.size[:, places], wanted.size[:, places])
        if wanted.offset is not None:
            np.testing.assert_array_equal(found.offset[:, places], wanted.offset[:, places])


@given(videos())
def test_a_chunk_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, frames: Any) -> None:
    path = tmp_path_factory.mktemp("chunk") / "a.npz"
    kept = kept_frames(frames, FLOOR)
    write_kept(path, kept)
    for found, wanted in zip(read_kept(path), kept, strict=True):
        assert (found.time, found.width, found.height) == (wanted.time, wanted.width, wanted.height)
        assert (found.starts_shot, found.shows_the_same) == (wanted.starts_shot, wanted.shows_the_same)
        for name in ("shape", "cells", "scores", "sizes", "offsets"):
            np.testing.assert_array_equal(getattr(found.output, name), getattr(wanted.output, name))
    summary = read_summary(path)
    assert summary.times == [each.time for each in kept]
    assert summary.cuts == [number for number, each in enumerate(kept) if each.starts_shot]
    np.testing.assert_array_equal(summary.best, best_of_classes([each.output for each in kept]))


def test_cells_that_are_far_apart_are_kept(tmp_path: Path) -> None:
    cells = np.array([0, 1, 255, 256, 511, 766, 70_000, 89_999])
    output = SparseOutput((9, 100, 100), cells, np.arange(8).astype(np.uint16), np.zeros((7, 2), np.float16), None)
    write_kept(tmp_path / "a.npz", [KeptFrame(0.0, 8, 8, False, False, output)] * 2)
    for frame in read_kept(tmp_path / "a.npz"):
        np.testing.assert_array_equal(frame.output.cells, cells)


def test_boxes_are_kept_as_they_are(tmp_path: Path) -> None:
    boxes = Detections([[1, 2, 3.25, 4]], [0.123456], [7], lengths=[5], track_ids=[9])
    frames = [KeptFrame(0.0, 8, 8, False, False, each) for each in (boxes, Detections.empty(), boxes)]
    write_kept(tmp_path / "a.npz", frames)
    for found, wanted in zip(read_kept(tmp_path / "a.npz"), frames, strict=True):
        assert_same_detections(found.output, wanted.output)


def test_the_preview_of_the_first_frames_is_what_the_whole_replay_shows(
    clip_run: tuple[Client, str, str, str],
) -> None:
    client, run, _, _ = clip_run
    preview = client.tune(run, at=4, form="paper", alpha=0.85)
    assert (preview["exact"], preview["preview"]["from"]) == (True, 0)
    frames = client.detections(run, preview["key"])
    for found, wanted in zip(preview["preview"]["frames"], frames, strict=False):
        assert found == wanted  # with the same ids, too: it begins where the video does


def test_a_preview_amid_a_shot_is_near_to_what_the_whole_replay_shows(
    clip_run: tuple[Client, str, str, str],
) -> None:
    client, run, _, _ = clip_run
    preview = client.tune(run, at=230, alpha=0.9)
    start = preview["preview"]["from"]
    assert start <= 230 < preview["preview"]["to"]
    found, wanted = preview["preview"]["frames"][230 - start], client.detections(run, preview["key"])[230]
    assert found["labels"] == wanted["labels"]
    assert (np.diag(iou(np.array(found["boxes"])[:, None], np.array(wanted["boxes"])[None])) > 0.9).all()
