"""`heatprop detect --crops`: a picture of each object, alone or beside other outputs."""

import json
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import cv2
import pytest

from cli.conftest import FRAMES, Run, command, run_process
from heatprop.io.completeness import Completeness, state_of
from heatprop.io.results import read_results
from small_videos import build_video

ONNX = ("--backend", "onnx", "--score-threshold", "0.1")
LONG = 400


def names(folder: Path = Path()) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def objects_in(results: Path) -> dict[int, str]:
    header, frames = read_results(results)
    return {
        int(number): header.classes[label]
        for *_, found in frames
        for number, label in zip(found.track_ids, found.labels, strict=True)
    }


@pytest.mark.parametrize("options", [(), ("--seq-nms",), ("--keyframe-interval", "3")], ids=" ".join)
def test_each_object_has_one_picture(run: Run, short_clip: Path, options: tuple[str, ...]) -> None:
    done = run("detect", short_clip, *ONNX, *options, "--crops", "crops", "--json", "out.jsonl")
    assert done.code == 0, done.err
    objects = objects_in(Path("out.jsonl"))
    assert objects
    pictures = {f"{kind.replace(' ', '-')}-{number}.jpg" for number, kind in objects.items()}
    assert set(names(Path("crops"))) == {"crops.jsonl", *pictures}
    for picture in pictures:
        assert cv2.imread(f"crops/{picture}") is not None
    many = "s" if len(pictures) > 1 else ""
    assert f"wrote    crops ({len(pictures)} picture{many})" in done.err


def test_alone_it_draws_no_video(run: Run, short_clip: Path) -> None:
    assert run("detect", short_clip, *ONNX, "--crops", "deep/crops/").code == 0
    assert "deep/crops/crops.jsonl" in names()
    assert not [name for name in names() if name.endswith(".mp4")]


def test_a_crop_shows_what_its_line_says(run: Run, short_clip: Path) -> None:
    assert run("detect", short_clip, *ONNX, "--crops", "crops", "-o", "out.mp4").code == 0
    film = cv2.VideoCapture(str(short_clip))
    frames = [film.read()[1] for _ in range(FRAMES)]
    _, *lines, _ = [json.loads(line) for line in Path("crops/crops.jsonl").read_text().splitlines()]
    for line in lines:
        picture = cv2.imread(f"crops/{line['file']}")
        left, top = (int(value) for value in line["box"][:2])
        height, width = picture.shape[:2]
        seen = frames[line["frame"]][top : top + height, left : left + width]
        assert abs(picture.astype(int) - seen.astype(int)).mean() < 6


def test_several_sources_have_a_folder_each(run: Run, short_clip: Path) -> None:
    clips = [shutil.copy(short_clip, f"{name}.mp4") for name in "ab"]
    assert run("detect", *clips, *ONNX, "--crops", "crops").code == 0
    assert names(Path("crops/a")) == names(Path("crops/b"))
    assert "crops.jsonl" in names(Path("crops/a"))


def test_crops_that_are_complete_are_skipped_and_others_are_replaced_on_request(
    run: Run, short_clip: Path
) -> None:
    arguments = ("detect", short_clip, *ONNX, "--crops", "crops")
    assert run(*arguments).code == 0
    before = {name: Path(name).read_bytes() for name in names()}
    refused = run(*arguments)
    assert refused.code == 2
    assert "crops/crops.jsonl exists already and is complete" in refused.err
    assert "crops/crops.jsonl is complete (16 frames): skipped" in run(*arguments, "--resume").err
    assert {name: Path(name).read_bytes() for name in names()} == before
    assert run(*arguments, "--overwrite", "--score-threshold", "0.99").code == 0
    assert names() == ["crops/crops.jsonl"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_was_stopped_is_known_as_unfinished_and_done_again(tmp_path: Path, number: signal.Signals) -> None:
    clip = build_video(tmp_path / "long.mp4", LONG, width=160, height=128)
    arguments = (
        "detect", clip, "--backend", "onnx", "--input-size", "96", "--score-threshold", "0.02",
        "--crops", "crops", "--json", "out.jsonl",
    )  # fmt: skip
    growing = tmp_path / "out.part.jsonl"
    with subprocess.Popen(command(*arguments), cwd=tmp_path, stderr=subprocess.PIPE) as process:
        while process.poll() is None and not (growing.exists() and growing.read_bytes().count(b"\n") > 200):
            time.sleep(0.01)
        process.send_signal(number)
        process.communicate(timeout=120)
    found = tmp_path / "crops" / "crops.jsonl"
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert state_of(found).completeness is Completeness.UNFINISHED
        assert 0 < (state_of(found).frames or 0) < LONG
    done = run_process(*arguments, "--resume", folder=tmp_path)
    assert done.code == 0, done.err
    assert (state_of(found).completeness, state_of(found).frames) == (Completeness.COMPLETE, LONG)
    listed = {json.loads(line).get("file") for line in found.read_text().splitlines()} - {None}
    assert {path.name for path in found.parent.glob("*.jpg")} == listed
    assert listed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--crops", "crops", "--no-propagation"], r"--crops needs ids, .* drop --no-propagation"),
        (["--crops", "old"], r"--crops old is a file"),
        (["--crops", "old/crops"], r"old/crops: cannot make this folder"),
        (["--crops", "out.jpg"], r"--crops out.jpg names a file"),
        (["--crops", "-"], r"--crops is '-'"),
        (["--crops", ""], r"--crops is ''"),
        (["--crops", "/proc/crops"], r"/proc/crops"),
        (["--crops", "album"], r"album/cat-1.jpg exists already, and no crops.jsonl names it"),
        (["--crops", "album", "--overwrite"], r"album/cat-1.jpg exists already, and no crops.jsonl names it"),
    ],
)
def test_bad_requests_are_one_line_and_leave_nothing(
    run: Run, short_clip: Path, arguments: list[str], message: str
) -> None:
    Path("old").write_text("precious")
    Path("album").mkdir()
    Path("album/cat-1.jpg").write_text("precious")
    done = run("detect", short_clip, *ONNX, *arguments)
    assert done.code == 2, done.err
    assert (done.out, done.err.count("\n")) == ("", 1), done.err
    assert re.search(message, done.err), done.err
    assert names() == ["album/cat-1.jpg", "old"]


def test_the_folder_of_the_source_is_refused(run: Run, short_clip: Path) -> None:
    Path("shots").mkdir()
    film = cv2.VideoCapture(str(short_clip))
    for index in range(2):
        cv2.imwrite(f"shots/{index}.png", film.read()[1])
    for source in ("shots", "shots/*.png"):
        done = run("detect", source, *ONNX, "--crops", "./shots")
        assert done.code == 2
        assert "--crops shots is a source; choose another folder" in done.err
    assert names() == ["shots/0.png", "shots/1.png"]


def test_a_full_disk_exits_with_1_and_keeps_what_is_whole(demo_clip: Path, tmp_path: Path) -> None:
    arguments = ("detect", demo_clip, "--backend", "onnx", "--crops", "crops", "--max-frames", "60")
    done = run_process(*arguments, folder=tmp_path, largest_file=10_000)
    assert done.code == 1
    assert re.search(r"error: crops/[\w-]+\.jpg: cannot write it \(File too large\)", done.err)
    assert "Traceback" not in done.err
    assert state_of(tmp_path / "crops" / "crops.jsonl").completeness is Completeness.UNFINISHED
    pictures = [path for path in (tmp_path / "crops").iterdir() if path.suffix == ".jpg"]
    assert pictures
    for picture in pictures:
        assert cv2.imread(str(picture)) is not None
    assert not [name for name in names(tmp_path) if "part" in name]
