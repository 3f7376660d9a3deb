"""`heatprop detect` with the network on key frames only, and with a frame rate to hold."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cli.conftest import FRAMES, HEIGHT, WIDTH, Run, video_shape
from heatprop import open_video
from heatprop.boxes import iou
from heatprop.io.results import read_results

ONNX = ("--backend", "onnx")


def detections(path: Path) -> list:
    return [found for _, _, found in read_results(path)[1]]


def test_every_frame_is_written_and_the_summary_says_how_often_the_network_ran(run: Run, short_clip: Path) -> None:
    done = run("detect", short_clip, *ONNX, "--keyframe-interval", "3", "-o", "out.mp4", "--json", "out.jsonl")
    assert done.code == 0
    assert video_shape(Path("out.mp4")) == (FRAMES, WIDTH, HEIGHT)
    assert "on 6 key frames, one in 2.7 frames" in done.err
    header, lines = read_results("out.jsonl")
    assert [index for index, _, _ in lines] == list(range(FRAMES))
    assert header.settings["keyframes"] == {"interval": 3, "target_fps": None, "fill": "auto"}


def test_an_interval_of_one_changes_nothing(run: Run, short_clip: Path) -> None:
    run("detect", short_clip, *ONNX, "--json", "usual.jsonl")
    run("detect", short_clip, *ONNX, "--keyframe-interval", "1", "--json", "one.jsonl")
    assert Path("usual.jsonl").read_bytes() == Path("one.jsonl").read_bytes()


@pytest.mark.parametrize("fill", ["past", "between"])
def test_what_is_seen_in_every_frame_is_seen_between_looks_at_about_the_same_place(
    run: Run, demo_clip: Path, fill: str
) -> None:
    common = ("detect", demo_clip, *ONNX, "--score-threshold", "0.2", "--max-frames", "60", "--json")
    run(*common, "each.jsonl")
    run(*common, "few.jsonl", "--keyframe-interval", "3", "--keyframe-fill", fill)
    overlaps = []
    for each, few in zip(detections(Path("each.jsonl")), detections(Path("few.jsonl")), strict=True):
        sure = each.select(each.scores >= 0.4)
        for box, label in zip(sure.boxes, sure.labels, strict=True):
            same = few.boxes[few.labels == label]
            overlaps.append(iou(box[None], same).max() if len(same) else 0.0)
    assert len(overlaps) >= 30
    assert np.mean(np.array(overlaps) >= 0.5) >= 0.9


def test_boxes_from_the_past_equal_every_frame_up_to_the_second_key_frame(run: Run, short_clip: Path) -> None:
    for name, more in (("each", ()), ("few", ("--keyframe-interval", "4", "--keyframe-fill", "past"))):
        run("detect", short_clip, *ONNX, "--json", f"{name}.jsonl", *more, "--max-frames", "4")
    each, few = detections(Path("each.jsonl")), detections(Path("few.jsonl"))
    np.testing.assert_array_equal(each[0].boxes, few[0].boxes)
    for found in few[1:]:
        assert found.lengths.tolist() == few[0].lengths.tolist()


def test_a_target_that_is_far_above_what_can_be_held_is_said_once(run: Run, demo_clip: Path) -> None:
    folder, times = Path("frames"), 4  # large images, and enough of them, for a fast machine to be sure, too
    folder.mkdir()
    with open_video(demo_clip) as source:
        for number, frame in enumerate(source):
            image = cv2.resize(frame.image, None, fx=2, fy=2)
            coded = cv2.imencode(".jpg", image)[1].tobytes()
            for again in range(times):
                (folder / f"{again}-{number:04d}.jpg").write_bytes(coded)
    done = run("detect", folder, *ONNX, "--target-fps", "1000", "--json", "out.jsonl")
    assert done.code == 0
    said = [line for line in done.err.splitlines() if "cannot be held" in line]
    assert len(said) == 1
    assert "1000 frames a second cannot be held, even with the network on every 30th; some" in said[0]
    assert len(detections(Path("out.jsonl"))) == times * 250


def test_a_target_that_is_easily_held_runs_the_network_on_each_frame(run: Run, short_clip: Path) -> None:
    done = run("detect", short_clip, *ONNX, "--target-fps", "0.5", "--json", "out.jsonl")
    assert f"on {FRAMES} key frames, one in 1.0 frames" in done.err
    assert "cannot be held" not in done.err


def test_the_network_runs_on_the_first_frame_of_a_shot(run: Run, short_clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shots"
    folder.mkdir()
    with open_video(short_clip) as source:
        images = [frame.image for frame in source][:5]
    other = np.ascontiguousarray(images[0][::-1, ::-1])
    for number, image in enumerate([*images, *[255 - other] * 2]):
        cv2.imwrite(str(folder / f"{number:03d}.png"), image[:, :, ::-1])
    done = run("detect", folder, *ONNX, "--keyframe-interval", "30", "--json", "out.jsonl")
    assert "on 2 key frames, one in 3.5 frames" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--keyframe-interval", "0"], "keyframe interval is 0; it must be a whole number from 1 to 30"),
        (["--keyframe-interval", "31"], "keyframe interval is 31; it must be a whole number from 1 to 30"),
        (["--target-fps", "0"], "target_fps is 0.0"),
        (["--target-fps", "nan"], "target_fps is nan"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_anything_is_written(
    run: Run, short_clip: Path, arguments: list[str], said: str
) -> None:
    done = run("detect", short_clip, *arguments, "--json", "out.jsonl")
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not list(Path().iterdir())


def test_seq_nms_works_on_what_lies_between(run: Run, short_clip: Path) -> None:
    done = run("detect", short_clip, *ONNX, "--keyframe-interval", "4", "--seq-nms", "--json", "out.jsonl")
    assert done.code == 0
    assert len(Path("out.jsonl").read_text().splitlines()) == FRAMES + 2
    assert all(json.loads(line) for line in Path("out.jsonl").read_text().splitlines())
