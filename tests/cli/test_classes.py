"""`heatprop detect --classes` and `heatprop count --classes`: only these are found, and the outputs say so."""

import json
from pathlib import Path

import pytest

from cli.conftest import Run

ONNX = ("--backend", "onnx", "--score-threshold", "0.1")


def header_and_frames(path: str) -> tuple[dict, list[dict]]:
    header, *frames, _ = map(json.loads, Path(path).read_text().splitlines())
    return header, frames


@pytest.mark.parametrize("more", [(), ("--no-propagation",), ("--keyframe-interval", "3"), ("--seq-nms",)])
def test_only_the_wanted_classes_are_found(run: Run, short_clip: Path, more: tuple[str, ...]) -> None:
    assert run("detect", short_clip, *ONNX, *more, "--json", "all.jsonl").code == 0
    done = run("detect", short_clip, *ONNX, *more, "--json", "cars.jsonl", "--classes", "CAR", "0")
    assert done.code == 0
    (all_header, everything), (header, frames) = map(header_and_frames, ("all.jsonl", "cars.jsonl"))
    assert header["settings"]["only"] == ["person", "car"]
    assert "only" not in all_header["settings"]
    assert header["classes"] == all_header["classes"]
    assert {name for frame in everything for name in frame["names"]} - {"person", "car"}
    assert any(frame["labels"] for frame in frames)
    for frame, whole in zip(frames, everything, strict=True):
        rows = [row for row, name in enumerate(whole["names"]) if name in ("person", "car")]
        for key in ("boxes", "scores", "labels", "names", "lengths"):
            assert frame[key] == [whole[key][row] for row in rows]


def test_another_choice_is_not_resumed(run: Run, short_clip: Path) -> None:
    few = ("--max-frames", "2", "--json", "out.jsonl")
    assert run("detect", short_clip, *ONNX, *few, "--classes", "car").code == 0
    done = run("detect", short_clip, *ONNX, *few, "--classes", "2", "--resume")
    assert (done.code, "skipped" in done.err) == (0, True)
    done = run("detect", short_clip, *ONNX, *few, "--classes", "person", "car", "--resume")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "made otherwise (only ['car'], now ['person', 'car'])" in done.err


def test_count_counts_them_alone(run: Run, short_clip: Path) -> None:
    options = (*ONNX, "--json", "--least-frames", "1", "--quiet")
    every = json.loads(run("count", short_clip, *options).out)["objects"]["by_class"]
    wanted = min(every)
    done = run("count", short_clip, *options, "--classes", wanted)
    assert done.code == 0
    assert len(every) > 1
    assert json.loads(done.out)["objects"]["by_class"] == {wanted: every[wanted]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["street.mp4", "--classes", "persn"], "the model has no class 'persn'; perhaps person"),
        (["street.mp4", "--classes"], "--classes names none"),
        (["--classes", "person", "street.mp4"], "missing from heatprop detect, before --classes,: SOURCE"),
    ],
)
def test_a_bad_choice_is_said_in_a_line(run: Run, short_clip: Path, arguments: list[str], said: str) -> None:
    arguments = [str(short_clip) if each == "street.mp4" else each for each in arguments]
    done = run("detect", *arguments, "-o", "out.mp4")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert said in done.err
    assert not Path("out.mp4").exists()
