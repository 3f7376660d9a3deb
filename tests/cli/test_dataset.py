"""`heatprop dataset check`: what it prints, and its exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from cli.conftest import Run, command, run_process
from lab.datasets.trees import GOLDEN, coco, frame_lines, write_coco, write_list, write_vid, xml, xml_object

TWO = {"ILSVRC2015_val_00000000": 3, "ILSVRC2015_val_00000001": 2}


def test_a_usable_dataset_is_shown_with_its_counts(run: Run) -> None:
    done = run("dataset", "check", GOLDEN)
    assert (done.code, done.err) == (0, "")
    assert "4 videos, 60 frames (4 without objects), 215 boxes" in done.out
    assert "zebra" in done.out
    assert "note: no pictures" in done.out
    assert done.out.endswith("usable\n")


def test_json_is_one_object(run: Run) -> None:
    report = json.loads(run("dataset", "check", GOLDEN, "--no-images", "--json").out)
    assert (report["usable"], report["frames"], report["boxes"], report["findings"]) == (True, 60, 215, [])
    assert sum(one["boxes"] for one in report["classes"]) == 215


def test_damage_gives_exit_code_1_with_file_and_line(run: Run, tmp_path: Path) -> None:
    write_list(write_vid(tmp_path / "vid set", TWO, images=True), "val.txt", frame_lines(TWO))
    path = tmp_path / "vid set/Annotations/VID/val/ILSVRC2015_val_00000000/000001.xml"
    path.write_text(xml(xml_object(box=(9, 9, 3, 3))))
    done = run("dataset", "check", tmp_path / "vid set", "--quick")
    assert (done.code, done.err) == (1, "")
    assert "DAMAGE: inverted box: 1" in done.out
    assert f"{path}, line 14: box is inverted: x from 9 to 3" in done.out
    assert "1 damaged or missing" in done.out


def test_as_a_user_runs_it_on_damaged_images(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "data", coco({"a": 4}, [{}]), images=True)
    data = (root / "a/000001.jpg").read_bytes()
    (root / "a/000001.jpg").write_bytes(data[: len(data) // 3])
    (root / "a/000002.jpg").write_bytes(b"<html>404</html>")
    done = run_process("dataset", "check", root, "--json", folder=tmp_path)
    assert (done.code, done.err) == (1, "")
    (group,) = (each for each in json.loads(done.out)["findings"] if each["damage"])
    assert (group["kind"], group["count"]) == ("damaged picture", 2)
    assert [Path(one["place"]).name for one in group["examples"]] == ["000001.jpg", "000002.jpg"]


def test_a_cut_off_annotation_file_is_damage(run: Run, tmp_path: Path) -> None:
    (tmp_path / "annotations.json").write_text('{"images": [')
    done = run("dataset", "check", tmp_path)
    assert done.code == 1
    assert "annotations.json, line 1, column 13: is not whole JSON" in done.out.replace(": line 1", ", line 1")


def test_a_bad_request_is_one_line_and_exit_code_2(run: Run, tmp_path: Path) -> None:
    for arguments, message in (
        (["check", tmp_path / "gone"], "gone: no such folder"),
        (["check", tmp_path], "no dataset is recognised"),
        (["check", tmp_path, "--layout", "imagenet-vid"], "no Annotations/VID in it"),
        (["check", tmp_path, "--layout", "coco-video"], "no JSON file in it"),
        (["check", GOLDEN, "--split", "test"], "splits that are there: val"),
    ):
        done = run("dataset", *arguments)
        assert (done.code, done.out) == (2, "")
        assert message in done.err
        assert done.err.count("\n") == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_it_with_one_line(tmp_path: Path, number: signal.Signals, code: int) -> None:
    write_vid(tmp_path, {f"ILSVRC2015_val_{number:08d}": 20 for number in range(150)})
    pipe = tmp_path / "Annotations/VID/val/ILSVRC2015_val_00000000/000000.xml"
    pipe.unlink()
    os.mkfifo(pipe)  # it is damage, and says when it is checked: there are 2,999 more to check
    process = subprocess.Popen(
        command("dataset", "check", tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with open(pipe, "wb"):  # opens when the process has opened it too
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "")
    assert err == "heatprop: error: stopped before the whole dataset was checked\n"
