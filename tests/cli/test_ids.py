"""`heatprop detect` and the ids of objects: drawn on request, and different ones counted."""

import json
import re
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

from cli.conftest import WIDTH, Run
from heatprop.cli.summary import Distinct
from heatprop.io.completeness import state_of

ONNX = ("--backend", "onnx", "--score-threshold", "0.1")


def last_frame(path: str) -> np.ndarray:
    with av.open(path) as container:
        return list(container.decode(video=0))[-1].to_ndarray(format="rgb24").astype(int)


def test_ids_and_colours_are_drawn_when_asked_for_and_the_file_says_so(run: Run, short_clip: Path) -> None:
    few = ("--max-frames", "6")
    for name, options in {"plain": (), "ids": ("--draw-ids",), "colours": ("--colour-by", "id")}.items():
        assert run("detect", short_clip, *ONNX, *few, "-o", f"{name}.mp4", *options).code == 0
    plain, ids, colours = (last_frame(f"{name}.mp4") for name in ("plain", "ids", "colours"))
    assert np.abs(plain - ids).max() > 60
    assert np.abs(plain - colours).max() > 60
    settings = {name: state_of(f"{name}.mp4").header.settings for name in ("plain", "ids", "colours")}
    assert "draw_ids" not in settings["plain"]
    assert settings["ids"]["draw_ids"] is True
    assert settings["colours"]["colour_by"] == "id"


def test_beside_the_network_alone_only_propagation_has_ids(run: Run, short_clip: Path) -> None:
    few = ("--max-frames", "6", "--compare")
    assert run("detect", short_clip, *ONNX, *few, "-o", "plain.mp4").code == 0
    assert run("detect", short_clip, *ONNX, *few, "-o", "ids.mp4", "--draw-ids").code == 0
    changed = np.abs(last_frame("plain.mp4") - last_frame("ids.mp4")).max(axis=2) > 50  # more than coding does
    assert not changed[:, : WIDTH - 8].any()
    assert changed[:, WIDTH:].sum() > 50


def test_an_output_made_without_ids_is_not_resumed_with_them(run: Run, short_clip: Path) -> None:
    assert run("detect", short_clip, *ONNX, "--max-frames", "2", "-o", "out.mp4").code == 0
    done = run("detect", short_clip, *ONNX, "--max-frames", "2", "-o", "out.mp4", "--draw-ids", "--resume")
    assert done.code == 2
    assert "made otherwise (draw_ids not set, now True)" in done.err


@pytest.mark.parametrize("least_frames", [1, 5])
def test_the_summary_counts_different_objects_by_class(run: Run, short_clip: Path, least_frames: int) -> None:
    done = run("detect", short_clip, *ONNX, "--json", "out.jsonl", "--least-frames", str(least_frames))
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()[1:-1]]
    seen = Counter(pair for line in lines for pair in zip(line["ids"], line["names"], strict=True))
    wanted = Counter(name for (_, name), times in seen.items() if times >= least_frames)
    assert sum(wanted.values()) > 0
    said = re.search(r"^  distinct (.*)$", done.err, re.MULTILINE)
    assert said is not None
    assert said[1] == str(Distinct(wanted, least_frames))


def test_without_propagation_nothing_is_counted_and_nothing_can_be_numbered(run: Run, short_clip: Path) -> None:
    done = run("detect", short_clip, *ONNX, "--no-propagation", "--max-frames", "6", "--json", "out.jsonl")
    assert done.code == 0
    assert "distinct" not in done.err
    for option in (("--draw-ids",), ("--colour-by", "id")):
        done = run("detect", short_clip, *ONNX, "--no-propagation", "-o", "out.mp4", *option)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert f"{' '.join(option)} needs ids" in done.err
        done = run("detect", short_clip, *ONNX, "--json", "new.jsonl", *option)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert f"{' '.join(option)} is for the video" in done.err
    assert run("detect", short_clip, *ONNX, "--json", "new.jsonl", "--least-frames", "0").code == 2
    assert not Path("new.jsonl").exists()


def test_where_nothing_is_found_nothing_is_counted(run: Run, short_clip: Path) -> None:
    few = ("--score-threshold", "1", "--max-frames", "6")
    done = run("detect", short_clip, *ONNX[:2], *few, "--json", "out.jsonl")
    assert done.code == 0
    assert "objects  0" in done.err
    assert "distinct" not in done.err


def test_many_classes_are_said_on_one_line() -> None:
    counts = {f"class {number}": number for number in range(1, 12)}
    said = str(Distinct(counts, 1))
    assert said.startswith("11 class 11, 10 class 10, ")
    assert said.endswith("4 class 4, 6 of 3 other classes (each seen in at least 1 frame)")


def test_the_video_is_drawn_as_asked_for_and_says_how(run: Run, short_clip: Path) -> None:
    few = ("--max-frames", "8")
    asked = {
        "thick": ("--line-width", "9"),
        "bare": ("--no-labels",),
        "parts": ("--label-parts", "id", "length"),
        "trails": ("--trails", "5"),
    }
    assert run("detect", short_clip, *ONNX, *few, "-o", "plain.mp4").code == 0
    for name, options in asked.items():
        assert run("detect", short_clip, *ONNX, *few, "-o", f"{name}.mp4", *options).code == 0
        assert np.abs(last_frame("plain.mp4") - last_frame(f"{name}.mp4")).max() > 60, name
    settings = {name: state_of(f"{name}.mp4").header.settings for name in ("plain", *asked)}
    assert not {"line_width", "label_parts", "trails"} & set(settings["plain"])
    assert settings["thick"]["line_width"] == 9
    assert settings["bare"]["label_parts"] == []
    assert settings["parts"]["label_parts"] == ["id", "length"]
    assert settings["trails"]["trails"] == 5
    again = run("detect", short_clip, *ONNX, *few, "-o", "parts.mp4", *asked["parts"], "--resume")
    assert again.code == 0
    assert "skipped" in again.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--line-width", "0"), "--line-width is 0; it must be a whole number from 1 to 100"),
        (("--trails", "-1"), "--trails is -1"),
        (("--no-labels", "--label-parts", "name"), "--no-labels contradicts --label-parts"),
        (("--draw-ids", "--no-labels"), "--draw-ids writes into the tags"),
        (("--trails", "2", "--no-propagation"), "--trails needs ids"),
        (("--label-parts", "id", "--no-propagation"), "--label-parts id needs ids"),
        (("--trails", "2", "--json", "out.jsonl"), "--trails is for the video; add -o OUT.mp4"),
    ],
)
def test_drawing_that_cannot_be_is_refused_in_a_line(
    run: Run, short_clip: Path, options: tuple[str, ...], said: str
) -> None:
    done = run("detect", short_clip, *options)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1
