"""`heatprop synthesize`, as a user runs it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.conftest import Run, run_process
from heatprop.lab.datasets import load_imagenet_vid

SMALL = ("--videos", "2", "--frames", "5", "--stills", "3", "--width", "96", "--height", "72")


def files_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_it_makes_a_dataset_and_says_what_is_in_it(run: Run) -> None:
    done = run("synthesize", "out", *SMALL, "--seed", "4")

    assert (done.code, done.err) == (0, "")
    assert "ImageNet VID" in done.out
    assert "motion_blur" in done.out
    assert load_imagenet_vid(Path("out"), "test_unseen").frame_count == 10
    check = run("dataset", "check", "out", "--quiet")
    assert check.code == 0


def test_twice_gives_the_same_bytes(run: Run) -> None:
    assert run("synthesize", "a", *SMALL, "--quiet").code == 0
    assert run("synthesize", "b", *SMALL, "--quiet").code == 0

    assert files_of(Path("a")) == files_of(Path("b"))


def test_quiet_is_quiet(run: Run) -> None:
    done = run("synthesize", "out", *SMALL, "--split", "val", "--quiet")

    assert (done.code, done.out, done.err) == (0, "", "")
    assert not Path("out/Data/DET").exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--videos", "0"), "videos is 0"),
        (("--dial", "fog=1"), "--dial 'fog=1' names no cause"),
        (("--dial", "noise=2"), "--dial 'noise=2'"),
        (("--split", "dev"), "split 'dev' is unknown"),
        (("--width", "10"), "width is 10"),
        (("--speed", "-1"), "speed is -1"),
    ],
)
def test_bad_requests_are_said_in_one_line(run: Run, options: tuple[str, ...], named: str) -> None:
    done = run("synthesize", "out", *options)

    assert done.code == 2
    assert named in done.err
    assert done.err.count("\n") == 1
    assert not Path("out").exists()


def test_a_folder_of_something_else_is_not_touched(run: Run) -> None:
    Path("mine").mkdir()
    Path("mine/letter.txt").write_text("dear")

    done = run("synthesize", "mine", *SMALL)

    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "is not empty" in done.err
    assert [path.name for path in Path("mine").iterdir()] == ["letter.txt"]


def test_a_file_in_place_of_the_folder_is_said(run: Run) -> None:
    Path("out").write_text("a file")

    done = run("synthesize", "out", *SMALL)

    assert (done.code, done.err.count("\n")) == (2, 1)


def test_an_interrupted_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    options = [
        "--videos",
        "40",
        "--frames",
        "20",
        "--stills",
        "0",
        "--split",
        "val",
        "--width",
        "96",
        "--height",
        "72",
    ]
    command = [sys.executable, "-m", "heatprop", "synthesize"]
    process = subprocess.Popen([*command, "out", *options], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    done = tmp_path / "out" / "Annotations" / "VID" / "val"
    while process.poll() is None and not (done.is_dir() and len(list(done.glob("synthetic*"))) >= 2):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()

    assert process.returncode == 130
    assert said == "heatprop: interrupted; what is finished is kept, run again to go on\n"
    assert not (tmp_path / "out" / "causes.json").exists()
    for folder in (["out"], ["whole"]):
        subprocess.run([*command, *folder, *options, "--quiet"], cwd=tmp_path, check=True)
    made, whole = files_of(tmp_path / "out"), files_of(tmp_path / "whole")
    assert {name: made[name] for name in made if ".part" not in name} == whole


def test_no_room_is_one_line_and_finished_work_is_kept(tmp_path: Path) -> None:
    done = run_process("synthesize", "out", *SMALL, "--quiet", folder=tmp_path, largest_file=2600)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert re.match(r"heatprop: error: out: cannot be written \(File too large\); see to room", done.err)
    finished = list((tmp_path / "out" / "Annotations").glob("VID/*/synthetic*"))
    for folder in finished:
        assert len(list(folder.iterdir())) == 5
    assert run_process("synthesize", "out", *SMALL, "--quiet", folder=tmp_path).code == 0
