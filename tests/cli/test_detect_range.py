"""`--start`, `--end` and `--every` of the commands that read a video."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cli.conftest import FRAMES, Run
from heatprop.io.results import read_results
from written_videos import decoded_times

ONNX = ("--backend", "onnx", "--input-size", "64")


def _found(path: str) -> list[tuple[int, float, list[list[float]]]]:
    return [(index, time, detections.boxes.tolist()) for index, time, detections in read_results(Path(path))[1]]


def test_a_range_has_the_times_of_the_whole_and_what_the_network_finds_there(run: Run, short_clip: Path) -> None:
    alone = ("--no-propagation", "--score-threshold", "0.05", *ONNX, "--quiet")
    done = run("detect", short_clip, "--json", "whole.jsonl", *alone)
    assert (done.code, done.err) == (0, "")
    done = run(
        "detect", short_clip, "--start", "0:00.2", "--end", ".48", "--every", "3", "--json", "part.jsonl", *alone
    )
    assert (done.code, done.err) == (0, "")
    whole, found = _found("whole.jsonl"), _found("part.jsonl")
    assert [(index, time) for index, time, _ in found] == [(0, 0.2), (3, 0.32), (6, 0.44)]
    assert [boxes for *_, boxes in found] == [whole[place][2] for place in (5, 8, 11)]
    header = json.loads(Path("part.jsonl").read_text().splitlines()[0])
    assert header["settings"] | {"start": 0.2, "end": 0.48, "every": 3} == header["settings"]


def test_the_video_of_a_range_begins_at_0(run: Run, short_clip: Path) -> None:
    done = run("detect", short_clip, "--start", "0.2", "--every", "2", "-o", "part.mp4", *ONNX)
    assert done.code == 0, done.err
    assert decoded_times(Path("part.mp4")) == pytest.approx([number * 0.08 for number in range(6)], abs=1e-3)


def test_seq_nms_draws_the_range_that_it_rescored(run: Run, short_clip: Path) -> None:
    part = ("--start", "0.2", "--end", "0.4")
    done = run("detect", short_clip, *part, "--seq-nms", "-o", "part.mp4", "--csv", "part.csv", *ONNX)
    assert done.code == 0, done.err
    assert len(decoded_times(Path("part.mp4"))) == 5


def test_another_range_is_another_run(run: Run, short_clip: Path) -> None:
    first = run("detect", short_clip, "--end", "0.4", "--json", "out.jsonl", *ONNX, "--quiet")
    assert first.code == 0, first.err
    same = run("detect", short_clip, "--end", "0:00.4", "--json", "out.jsonl", "--resume", *ONNX)
    assert same.code == 0
    assert "complete" in same.err
    other = run("detect", short_clip, "--end", "0.3", "--json", "out.jsonl", "--resume", *ONNX)
    assert other.code == 2
    assert "end 0.4, now 0.3" in other.err


def test_counting_takes_a_range(run: Run, short_clip: Path) -> None:
    done = run("count", short_clip, "--start", "0.2", "--max-frames", "4", "--csv", "counts.csv", *ONNX)
    assert done.code == 0, done.err
    with Path("counts.csv").open(newline="") as file:
        times = {float(row["time"]) for row in csv.DictReader(file) if row["what"] == "objects"}
    assert times == {0.2, 0.24, 0.28, 0.32}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--start", "soon"), "--start is 'soon'; give seconds such as 65.5, or a time such as 1:05.5"),
        (("--start", "1:60"), "--start is 1:60; no minute has 60 seconds"),
        (("--start", "2", "--end", "1"), "--end 1 is not after --start 2"),
        (("--every", "0"), "--every is 0"),
        (
            ("--start", "99"),
            f"its last frame is at {(FRAMES - 1) / 25:.2f} s, before the range, which begins at 99 s",
        ),
    ],
)
def test_what_is_no_range_is_refused(run: Run, short_clip: Path, options: tuple[str, ...], said: str) -> None:
    for command in ("detect", "count"):
        done = run(command, short_clip, *options, *ONNX)
        assert done.code != 0
        assert said in done.err
        assert [path.name for path in Path().iterdir()] == []
