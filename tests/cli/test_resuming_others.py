"""`--resume` replaces no work of another source, model or setting: complete, unfinished, or left by a kill."""

import os
import shutil
from pathlib import Path

import onnx
import pytest

from cli.conftest import FRAMES, Run, run_process, video_shape
from heatprop.io.completeness import Completeness, state_of
from heatprop.io.results import ResultsHeader, ResultsWriter
from heatprop.types import Detections
from heatprop.zoo import load
from small_videos import build_video

ONNX = ("--backend", "onnx", "--input-size", "64")
OTHER_SETTINGS = [("--score-threshold", "0.9"), ("--no-propagation",), ("--max-frames", "5"), ("--seq-nms",)]


def copies(clip: Path, folder: Path) -> tuple[Path, Path]:
    """Return two sources that only their names and times tell apart."""
    first, second = Path(shutil.copy(clip, folder / "a.mp4")), Path(shutil.copy(clip, folder / "b.mp4"))
    os.utime(first, (1_000, 1_000))
    return first, second


def cut_end(path: Path) -> bytes:
    """Take the end line of JSON Lines away, as a kill does, and return what is left."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    return path.read_bytes()


@pytest.mark.parametrize("options", OTHER_SETTINGS)
def test_unfinished_results_of_other_settings_are_refused(
    run: Run, short_clip: Path, options: tuple[str, ...]
) -> None:
    assert run("detect", short_clip, *ONNX, "--json", "out.jsonl", "--quiet").code == 0
    before = cut_end(Path("out.jsonl"))
    done = run("detect", short_clip, *ONNX, "--json", "out.jsonl", "--resume", *options)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"out.jsonl is unfinished ({FRAMES} frames), and made otherwise" in done.err
    assert Path("out.jsonl").read_bytes() == before
    done = run("detect", short_clip, *ONNX, "--json", "out.jsonl", "--resume", "--quiet")
    assert (done.code, state_of("out.jsonl").completeness) == (0, Completeness.COMPLETE)


def test_unfinished_results_of_another_source_are_refused(run: Run, short_clip: Path, tmp_path: Path) -> None:
    first, second = copies(short_clip, tmp_path)
    run("detect", first, *ONNX, "--json", "out.jsonl", "--quiet")
    before = cut_end(Path("out.jsonl"))
    done = run("detect", second, *ONNX, "--json", "out.jsonl", "--resume")
    assert (done.code, "made otherwise (another source, or one that was changed since" in done.err) == (2, True)
    assert Path("out.jsonl").read_bytes() == before
    assert run("detect", f"file://{first}", *ONNX, "--json", "out.jsonl", "--resume", "--quiet").code == 0


def test_a_recording_of_a_camera_is_not_replaced_by_what_is_in_a_file(run: Run, short_clip: Path) -> None:
    header = ResultsHeader("mb3-coco", ["a"], source={"name": "camera:0", "is_live": True})
    for name in ("out.jsonl", "new.part.jsonl"):
        with ResultsWriter(name, header) as writer:
            writer.write(0, 0.0, Detections.empty())
        before = cut_end(Path(name))
        done = run("detect", short_clip, *ONNX, "--json", name.replace(".part", ""), "--resume")
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert f"{name} " in done.err
        assert "made otherwise (" in done.err
        assert Path(name).read_bytes() == before


def test_what_a_kill_left_of_other_settings_stays_beside_what_is_complete(run: Run, short_clip: Path) -> None:
    run("detect", short_clip, *ONNX, "--json", "out.jsonl", "--max-frames", "9", "--quiet")
    Path("out.jsonl").rename("out.part.jsonl")
    left = cut_end(Path("out.part.jsonl"))
    run("detect", short_clip, *ONNX, "--json", "out.jsonl", "--quiet")
    done = run("detect", short_clip, *ONNX, "--json", "out.jsonl", "--resume")
    assert done.code == 0
    assert (
        "out.part.jsonl, left of a run that was killed, was made otherwise (max_frames 9, now not set): it stays"
        in done.err
    )
    assert "out.jsonl is complete (16 frames): skipped" in done.err
    assert Path("out.part.jsonl").read_bytes() == left


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov", "out.part.mp4", "out.part.mkv"])
def test_a_video_cut_short_says_in_its_head_what_made_it(
    run: Run, name: str, tmp_path: Path, short_clip: Path
) -> None:
    long = build_video(tmp_path / "long.mp4", 70, width=160, height=128)
    output = name.replace(".part", "")
    arguments = ("detect", long, *ONNX, "-o", output, "--quiet")
    assert run_process(*arguments, folder=Path.cwd(), largest_file=6_000).code == 1
    assert state_of(output).header is None
    assert 0 < video_shape(Path(output))[0] < 70
    left = Path(output).rename(name)
    before = left.read_bytes()
    done = run(*arguments, "--compare", "--resume")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"{name} " in done.err
    assert "made otherwise (another source, model or setting)" in done.err
    done = run("detect", short_clip, *arguments[2:], "--resume")
    assert (done.code, "made otherwise" in done.err) == (2, True)
    assert left.read_bytes() == before
    assert run(*arguments, "--resume").code == 0
    assert [path.name for path in Path().iterdir()] == [output]
    assert state_of(output).frames == 70


def test_weights_beside_an_onnx_file_are_part_of_the_model(run: Run, short_clip: Path) -> None:
    model = onnx.load(load("mb3-coco").path)
    onnx.save_model(model, "net.onnx", save_as_external_data=True, location="net.weights")
    arguments = ("detect", short_clip, *ONNX, "--model", "net.onnx", "--json", "out.jsonl", "--quiet")
    assert run(*arguments).code == 0
    assert run(*arguments, "--resume").code == 0
    weights = bytearray(Path("net.weights").read_bytes())
    weights[-1] ^= 1
    Path("net.weights").write_bytes(weights)
    done = run(*arguments, "--resume")
    assert (done.code, "model_sha256" in done.err) == (2, True)


def test_a_file_that_has_changed_is_another_source_however_it_is_called(
    run: Run, short_clip: Path, tmp_path: Path
) -> None:
    clip = Path(shutil.copy2(short_clip, tmp_path / "größe 1.mp4"))
    for source in (clip.as_uri(), clip):
        assert run("detect", source, *ONNX, "--json", "out.jsonl", "--resume", "--quiet").code == 0
    os.utime(clip, (1, 1))
    for source in (clip.as_uri(), clip):
        done = run("detect", source, *ONNX, "--json", "out.jsonl", "--resume")
        assert (done.code, "another source, or one that was changed since" in done.err) == (2, True)
