"""Measuring this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.conftest import FRAMES, Run
from heatprop.cli.bench_report import STAGES


def test_the_stages_of_a_video_are_told_beside_the_bare_network(run: Run, short_clip: Path) -> None:
    done = run("bench", short_clip, "--rounds", "2", "--json", "--quiet")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    assert (report["source"], report["width"], report["height"]) == ("street.mp4", 320, 136)
    assert report["frames"] == report["key_frames"] == FRAMES
    assert (report["model"], report["rounds"]) == ("mb3-coco", 2)
    assert report["machine"]["usable"] >= 1
    assert set(report["stages"]) == set(STAGES)
    assert all(stage["ms_per_frame"] > 0 for stage in report["stages"].values())
    assert sum(stage["share"] for stage in report["stages"].values()) == pytest.approx(1, abs=1e-3)
    assert report["speeds"]["bare network"]["share_of_network"] == 1
    assert all(speed["frames_per_second"] > 0 for speed in report["speeds"].values())


def test_without_a_source_a_video_is_made_and_nothing_is_left(run: Run) -> None:
    done = run("bench", "--frames", "8", "--rounds", "1", "--input-size", "128", "--backend", "onnx")
    assert done.code == 0
    assert done.err == "heatprop: making a synthetic video of 8 frames\n"
    lines = done.out.splitlines()
    assert lines[0].startswith("synthetic video: 8 frames of 1280 x 720, ")
    assert lines[0].endswith("once")
    assert any(line.startswith("  backend    ONNX Runtime ") for line in lines)
    assert any("input 128 x " in line for line in lines)
    for name in (*STAGES, "bare network", "detect --json", "detect --json -o"):
        assert any(line.startswith(f"  {name} ") for line in lines), name
    assert not list(Path().iterdir())


def test_key_frames_are_told(run: Run, short_clip: Path) -> None:
    done = run("bench", short_clip, "--rounds", "1", "--keyframe-interval", "4")
    assert done.code == 0
    (told,) = (line for line in done.out.splitlines() if line.endswith(" key frames"))
    assert told.startswith("  network    on ")
    assert FRAMES // 4 <= int(told.split()[2]) < FRAMES


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["camera:0"], "camera:0 is live, and gives frames no faster than it has them; measure with a file"),
        (["missing.mp4"], "missing.mp4"),
        (["--rounds", "0"], "--rounds is 0; it must be a whole number of at least 1"),
        (["--frames", "0"], "--frames is 0; it must be a whole number of at least 1"),
        (["--model", "mb3"], "mb3"),
    ],
)
def test_what_cannot_be_measured_is_refused(run: Run, arguments: list[str], reason: str) -> None:
    done = run("bench", "--quiet", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("heatprop: error: ")
    assert reason in done.err
    assert len(done.err.splitlines()) == 1


def test_a_file_that_is_no_video_is_refused(run: Run) -> None:
    Path("text.mp4").write_text("no video")
    done = run("bench", "text.mp4")
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1


def test_a_folder_of_videos_is_refused(run: Run, short_clip: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        Path(name).symlink_to(short_clip)
    done = run("bench", ".")
    assert (done.code, done.out) == (2, "")
    assert ". is 2 videos; name one of them" in done.err
