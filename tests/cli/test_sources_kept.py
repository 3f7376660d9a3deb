"""A source is never written over, and outputs that lie beside sources are no sources."""

import os
import shutil
from pathlib import Path

import cv2
import pytest

from cli.conftest import FRAMES, Run
from small_videos import build_video, paint

ONNX = ("--backend", "onnx", "--input-size", "64")


@pytest.mark.parametrize("option", ["-o", "--json"])
@pytest.mark.parametrize("way", ["plain", "link", "hard link", "file", "quoted file", "relative"])
def test_a_source_is_not_written_over_whatever_it_is_called(run: Run, option: str, way: str) -> None:
    path = build_video(Path("a b.mkv").resolve(), 3)
    Path("link.mkv").symlink_to(path)
    os.link(path, "hard.mkv")
    before = path.read_bytes()
    source = {
        "plain": str(path),
        "link": "link.mkv",
        "hard link": "hard.mkv",
        "file": f"file://{path}",
        "quoted file": path.as_uri(),
        "relative": f"../{Path.cwd().name}/./a b.mkv",
    }[way]
    for output in ("a b.mkv", "link.mkv", "hard.mkv", str(path)):
        for more in ("--overwrite", "--resume"):
            done = run("detect", source, *ONNX, option, output, more)
            assert (done.code, done.err.count("\n")) == (2, 1)
            assert f"{output} is the source itself" in done.err
    assert path.read_bytes() == before


def test_no_image_of_a_folder_is_written_over(run: Run) -> None:
    Path("shots").mkdir()
    for number in range(2):
        cv2.imwrite(f"shots/{number}.png", paint(number))
    done = run("detect", "shots", *ONNX, "--json", "shots/1.png", "--overwrite")
    assert (done.code, "shots/1.png is the source itself" in done.err) == (2, True)


def test_of_several_sources_none_is_written_over(run: Run) -> None:
    Path("films").mkdir()
    sources = [build_video(Path(f"films/{name}").resolve(), 3) for name in ("a.mkv", "a.mp4", "b.mkv")]
    done = run("detect", sources[0].as_uri(), sources[2].as_uri(), "-o", "films", "--overwrite")
    assert done.code == 0, done.err  # films/a.mp4 is none of these sources
    done = run("detect", sources[0].as_uri(), sources[1].as_uri(), "-o", "films", "--overwrite")
    assert done.code == 2
    Path("linked").symlink_to("films")
    done = run("detect", sources[1].as_uri(), sources[2].as_uri(), "-o", "linked", "--overwrite")
    assert (done.code, "linked/a.mp4 would be written, and it is a source" in done.err) == (2, True)


def test_a_folder_where_the_outputs_lie_too_can_be_done_again_and_again(run: Run, short_clip: Path) -> None:
    shutil.copy2(short_clip, "x.mkv")
    shutil.copy2(short_clip, "y.mp4")
    Path("._x.mkv").write_bytes(b"?")
    first = run("detect", ".", *ONNX)
    assert first.code == 0, first.err
    assert "note     .: 1 file beside the videos is skipped (of macOS: ._x.mkv)\n" in first.err
    shutil.copy2(Path("x.heatprop.mp4"), "drawn.mp4")  # known by what stands in it
    names = sorted(os.listdir())
    again = run("detect", ".", *ONNX, "--resume")
    assert again.code == 0, again.err
    assert again.err.count(" frames): skipped\n") == 2
    assert again.err.count("note") == 1
    assert "made by heatprop: drawn.mp4, x.heatprop.mp4, y.heatprop.mp4" in again.err
    assert sorted(os.listdir()) == names
    assert run("detect", ".", *ONNX, "--json", "found", "--quiet").err == ""
    assert sorted(os.listdir("found")) == ["x.jsonl", "y.jsonl"]


def test_what_is_kept_nowhere_is_done_all_the_same(run: Run, short_clip: Path) -> None:
    done = run("detect", short_clip, *ONNX, "-o", os.devnull)
    assert done.code == 0, done.err
    assert f"{FRAMES} frames" in done.err
    assert "encode" in done.err
    for more in (
        ("--resume",),
        ("--overwrite", "--compare"),
        ("--json", "out.jsonl"),
        ("--json", "out.jsonl", "--resume"),
    ):
        done = run("detect", short_clip, *ONNX, "-o", os.devnull, *more)
        assert done.code == 0, done.err
        assert "encode" in done.err
    shutil.copy2(short_clip, "other.mp4")
    assert run("detect", short_clip, "other.mp4", *ONNX, "-o", os.devnull, "--json", os.devnull).code == 0
    assert sorted(os.listdir()) == ["other.mp4", "out.jsonl"]
    assert not Path(os.devnull).is_file()
