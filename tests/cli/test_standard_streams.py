"""Standard output and error may be closed, full, or left by their reader: the exit code is right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from small_videos import build_video

COMMANDS = ["--version", "--help", "detect --help", "models", "models --json", "dataset check set"]
HEATPROP = f"'{sys.executable}' -m heatprop"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="uses /dev/full")


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", f"set -o pipefail; {line}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    build_video(folder / "a.mp4", 12)
    (folder / "set").mkdir()
    (folder / "set" / "annotations.json").write_text(
        '{"categories": [{"id": 1, "name": "person"}], "images": [], "annotations": []}'
    )
    return folder


@pytest.mark.parametrize("where", [">/dev/full", ">&-"])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_cannot_be_printed_is_a_failure_in_one_line(command: str, where: str, place: Path) -> None:
    done = shell(f"{HEATPROP} {command} {where}", place)
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1].startswith("heatprop: error: cannot write on standard output (")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS[:-1])
def test_a_reader_that_leaves_is_no_failure(command: str, place: Path) -> None:
    done = shell(f"{HEATPROP} {command} | true", place)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-", "2>&- >/dev/null", "2>/dev/full </dev/null"])
def test_standard_error_changes_no_exit_code(where: str, place: Path) -> None:
    for command, code in (
        ("models", 0),
        ("--version", 0),
        ("detect missing.mp4 --json -", 2),
        ("detect --wrong", 2),
        ("detect a.mp4 --json x.jsonl --overwrite --input-size 64", 0),
    ):
        assert shell(f"{HEATPROP} {command} {where}", place).returncode == code, command


@pytest.mark.parametrize("where", [">/dev/full", ">&-"])
def test_detections_that_cannot_be_printed_are_a_failure(where: str, place: Path) -> None:
    done = shell(f"{HEATPROP} detect a.mp4 --json - --quiet --input-size 64 {where}", place)
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_closed_streams_do_not_mix_with_outputs(place: Path) -> None:
    done = shell(f"{HEATPROP} detect a.mp4 --json y.jsonl --overwrite --input-size 64 >&- 2>&- <&-", place)
    assert done.returncode == 0
    assert len((place / "y.jsonl").read_text().splitlines()) == 14
