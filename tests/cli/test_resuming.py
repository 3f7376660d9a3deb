"""Work that was stopped, killed or cut off by a full disk is known as unfinished, and `--resume` does it again."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cli.conftest import FRAMES, Finished, Run, command, run_process, video_shape
from heatprop.io.completeness import Completeness, count_frames, state_of
from heatprop.io.results import ResultsHeader, ResultsWriter
from small_videos import build_video

ONNX = ("--backend", "onnx")
SMALL = ("--input-size", "96")
BOTH = (*ONNX, "-o", "out.mp4", "--json", "out.jsonl")
LONG = 240


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def completeness(*paths: Path) -> list[Completeness]:
    return [state_of(path).completeness for path in paths]


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clip that takes seconds."""
    return build_video(tmp_path_factory.mktemp("clip") / "long.mp4", LONG, width=160, height=128)


def stop(number: signal.Signals, folder: Path, *arguments: str | Path, at: int = 40) -> Finished:
    """Send a signal to a run when its results have so many lines."""
    growing, started = folder / "out.part.jsonl", time.time()

    def has_come_so_far() -> bool:
        is_new = growing.exists() and growing.stat().st_mtime > started
        return is_new and growing.read_bytes().count(b"\n") > at

    text = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command("detect", *arguments), cwd=folder, **text) as process:
        while process.poll() is None and not has_come_so_far():
            time.sleep(0.01)
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    return Finished(process.returncode, out, err)


def test_what_ctrl_c_leaves_is_unfinished_is_said_to_be_and_is_done_again(long_clip: Path, tmp_path: Path) -> None:
    done = stop(signal.SIGINT, tmp_path, long_clip, *BOTH, *SMALL)
    assert done.code == 130, done.err
    video, results = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    assert names(tmp_path) == ["out.jsonl", "out.mp4"]
    assert completeness(video, results) == [Completeness.UNFINISHED] * 2
    count = count_frames(results)
    assert 40 <= count < LONG
    assert json.loads(results.read_text().splitlines()[-1]) == {"end": {"frames": count, "complete": False}}
    assert video_shape(video)[0] == count_frames(video) == count
    before = video.read_bytes()

    done = run_process("detect", long_clip, *BOTH, *SMALL, folder=tmp_path)
    assert done.code == 2
    assert done.err.count("\n") == 1
    for words in (f"out.mp4 exists already and is unfinished ({count} frames)", "--resume", "--overwrite"):
        assert words in done.err
    assert video.read_bytes() == before

    done = run_process("detect", long_clip, *BOTH, *SMALL, "--resume", folder=tmp_path)
    assert done.code == 0, done.err
    assert f"out.jsonl is unfinished ({count} frames): done again from the start" in done.err
    assert names(tmp_path) == ["out.jsonl", "out.mp4"]
    assert completeness(video, results) == [Completeness.COMPLETE] * 2
    assert video_shape(video)[0] == count_frames(results) == LONG


def test_what_a_kill_leaves_is_named_plays_and_is_taken_over(long_clip: Path, tmp_path: Path) -> None:
    done = stop(signal.SIGKILL, tmp_path, long_clip, *BOTH, *SMALL, at=100)
    assert done.code == -signal.SIGKILL
    left, lines = tmp_path / "out.part.mp4", tmp_path / "out.part.jsonl"
    assert {left.name, lines.name} <= set(names(tmp_path))
    finished = count_frames(lines)
    assert finished >= 100
    assert video_shape(left)[0] >= finished - 30
    assert completeness(left, lines) == [Completeness.UNFINISHED] * 2

    done = run_process("detect", long_clip, *BOTH, *SMALL, "--max-frames", "3", folder=tmp_path)
    assert done.code == 0
    assert f"out.part.jsonl ({finished} frames) is left of a run that was killed" in done.err
    assert left.exists()
    for made in ("out.mp4", "out.jsonl"):
        (tmp_path / made).unlink()

    # Stopped before it has come as far: what is longer stays.
    done = stop(signal.SIGINT, tmp_path, long_clip, *BOTH, *SMALL, "--resume", at=5)
    assert done.code == 130
    assert f"out.part.jsonl, left of a run that was killed, is now out.jsonl ({finished} frames)" in done.err
    assert f"out.jsonl keeps the {finished} frames it had" in done.err
    assert names(tmp_path) == ["out.jsonl", "out.mp4"]
    assert count_frames(tmp_path / "out.jsonl") == finished

    done = run_process("detect", long_clip, *BOTH, *SMALL, "--resume", folder=tmp_path)
    assert done.code == 0, done.err
    assert names(tmp_path) == ["out.jsonl", "out.mp4"]
    assert completeness(tmp_path / "out.mp4", tmp_path / "out.jsonl") == [Completeness.COMPLETE] * 2
    assert count_frames(tmp_path / "out.mp4") == LONG


def test_what_is_complete_is_skipped_and_what_is_missing_is_done(run: Run, short_clip: Path) -> None:
    assert run("detect", short_clip, *BOTH).code == 0
    video, results = Path("out.mp4"), Path("out.jsonl")
    before = video.read_bytes(), results.read_bytes()
    done = run("detect", short_clip, *BOTH, "--resume")
    assert done.code == 0
    assert done.err == "".join(f"heatprop: {path} is complete (16 frames): skipped\n" for path in (video, results))
    for gone, kept in ((results, video), (video, results)):
        old = kept.read_bytes()
        gone.unlink()
        done = run("detect", short_clip, *BOTH, "--resume")
        assert done.code == 0, done.err
        assert f"{kept} is complete (16 frames): skipped" in done.err
        assert f"wrote    {gone}" in done.err
        assert kept.read_bytes() == old
    assert results.read_bytes() == before[1]
    assert state_of(video).frames == FRAMES


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        (("--alpha", "0.25"), "alpha"),
        (("--no-propagation",), "propagation on, now not set"),
        (("--score-threshold", "0.5"), "score_threshold 0.3, now 0.5"),
        (("--max-frames", "5"), "max_frames not set, now 5"),
        (("--input-size", "256"), "input_size not set, now 256"),
        (("--keyframe-interval", "3"), "keyframes not set, now on"),
        (("--seq-nms",), "seq_nms not set, now on"),
    ],
)
def test_what_is_complete_with_other_settings_is_not_taken_as_done(
    run: Run, short_clip: Path, options: tuple[str, ...], difference: str
) -> None:
    assert run("detect", short_clip, *ONNX, "--json", "out.jsonl", "--quiet").code == 0
    before = Path("out.jsonl").read_bytes()
    done = run("detect", short_clip, *ONNX, "--json", "out.jsonl", "--resume", *options)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert f"out.jsonl is complete, but made otherwise ({difference}" in done.err
    assert Path("out.jsonl").read_bytes() == before


def test_another_source_or_another_kind_of_video_is_not_taken_as_done(
    run: Run, short_clip: Path, tmp_path: Path
) -> None:
    clip = Path(shutil.copy2(short_clip, tmp_path / "clip.mp4"))
    run("detect", clip, *ONNX, "-o", "out.mp4", "--json", "out.jsonl", "--quiet")
    done = run("detect", clip, *ONNX, "-o", "out.mp4", "--compare", "--resume")
    assert (done.code, "compare False, now True" in done.err) == (2, True)
    os.utime(clip, (1, 1))
    done = run("detect", clip, *ONNX, "--json", "out.jsonl", "--resume")
    assert done.code == 2
    assert "another source, or one that was changed since" in done.err


def test_a_file_of_before_or_of_others_is_not_taken_as_done_nor_replaced(run: Run, short_clip: Path) -> None:
    Path("out.jsonl").write_text(json.dumps({**ResultsHeader("m", ["a"]).to_json(), "version": 1}) + "\n")
    shutil.copy(short_clip, "out.mp4")
    for options in (("--json", "out.jsonl"), ("-o", "out.mp4")):
        before = Path(options[1]).read_bytes()
        done = run("detect", short_clip, *ONNX, *options, "--resume")
        assert done.code == 2
        assert f"{options[1]} does not say whether it is complete" in done.err
        assert Path(options[1]).read_bytes() == before


def test_a_full_disk_leaves_unfinished_outputs_that_play(long_clip: Path, tmp_path: Path) -> None:
    done = run_process("detect", long_clip, *BOTH, *SMALL, "--quiet", folder=tmp_path, largest_file=12_000)
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "cannot write" in done.err
    assert "left" not in done.err
    assert completeness(tmp_path / "out.mp4", tmp_path / "out.jsonl") == [Completeness.UNFINISHED] * 2
    assert 0 < video_shape(tmp_path / "out.mp4")[0] < LONG
    assert names(tmp_path) == ["out.jsonl", "out.mp4"]
    done = run_process("detect", long_clip, *BOTH, *SMALL, "--quiet", "--resume", folder=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert state_of(tmp_path / "out.mp4").frames == LONG


def test_each_of_several_sources_is_resumed_for_itself(run: Run, short_clip: Path, tmp_path: Path) -> None:
    clips = [Path(shutil.copy2(short_clip, tmp_path / f"{name}.mp4")) for name in "abc"]
    run("detect", *clips, *ONNX, "--json", "found", "--quiet")
    lines = Path("found/b.jsonl").read_bytes()
    Path("found/b.jsonl").write_bytes(lines[: len(lines) // 2])
    Path("found/c.jsonl").unlink()
    before = Path("found/a.jsonl").stat().st_mtime_ns
    done = run("detect", *clips, *ONNX, "--json", "found")
    assert done.code == 1
    assert "b.jsonl exists already and is unfinished" in done.err, done.err
    Path("found/c.jsonl").unlink()
    done = run("detect", *clips, *ONNX, "--json", "found", "--resume")
    assert done.code == 0, done.err
    assert "a.jsonl is complete (16 frames): skipped" in done.err
    assert Path("found/a.jsonl").stat().st_mtime_ns == before
    assert Path("found/b.jsonl").read_bytes() == lines
    assert completeness(*(Path("found", f"{name}.jsonl") for name in "abc")) == [Completeness.COMPLETE] * 3


def test_a_recording_of_a_live_source_is_not_made_again(run: Run, short_clip: Path, tmp_path: Path) -> None:
    with ResultsWriter("out.jsonl", ResultsHeader("m", ["a"])) as writer:
        writer.close(complete=False)
    before = Path("out.jsonl").read_bytes()
    pipe = tmp_path / "live.ts"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", short_clip], stdout=os.open(pipe, os.O_RDWR)) as feeder:
        done = run("detect", pipe, *ONNX, "--json", "out.jsonl", "--resume")
        feeder.terminate()
    assert done.code == 2
    assert "what a live source showed does not come again" in done.err
    assert Path("out.jsonl").read_bytes() == before


def test_a_file_of_the_user_that_is_called_like_a_part_is_left_alone(run: Run, short_clip: Path) -> None:
    source = Path(shutil.copy2(short_clip, "out.part.mp4"))
    shutil.copy2(short_clip, "out.part-7.mp4")
    done = run("detect", source, *ONNX, "-o", "out.mp4", "--resume")
    assert done.code == 0, done.err
    assert names(Path()) == ["out.mp4", "out.part-7.mp4", "out.part.mp4"]


@pytest.mark.parametrize("second", [("-o", "out.mp4"), ("--json", "sub/../out.jsonl"), ("--json", "link.jsonl")])
@pytest.mark.parametrize("more", [("--overwrite",), ("--resume",), ()])
def test_the_second_run_with_an_output_is_told_at_the_beginning(
    long_clip: Path, tmp_path: Path, second: tuple[str, str], more: tuple[str, ...]
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.jsonl").symlink_to("out.jsonl")
    with subprocess.Popen(command("detect", long_clip, *BOTH, "--quiet"), cwd=tmp_path) as first:
        growing = tmp_path / "out.part.jsonl"
        while first.poll() is None and not (growing.exists() and growing.stat().st_size):
            time.sleep(0.01)
        done = run_process("detect", long_clip, *ONNX, *second, *more, folder=tmp_path)
        assert first.poll() is None
        assert first.wait(timeout=120) == 0
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert f"{second[1]} is in use by another run" in done.err
    assert names(tmp_path) == ["link.jsonl", "out.jsonl", "out.mp4", "sub"]
    assert count_frames(tmp_path / "out.jsonl") == count_frames(tmp_path / "out.mp4") == LONG


def test_devices_and_pipes_take_results(short_clip: Path, tmp_path: Path) -> None:
    assert run_process("detect", short_clip, *ONNX, "--json", os.devnull, folder=tmp_path).code == 0
    done = run_process("detect", short_clip, *ONNX, "--json", "/dev/stdout", "--quiet", folder=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out.splitlines()[-1]) == {"end": {"frames": FRAMES, "complete": True}}
    done = run_process("detect", short_clip, *ONNX, "--json", "/dev/full", folder=tmp_path)
    assert (done.code, done.err) == (1, "heatprop: error: /dev/full: cannot write (No space left on device)\n")
    done = run_process("detect", short_clip, *ONNX, "-o", os.devnull, "--json", os.devnull, folder=tmp_path)
    assert done.code == 0, done.err
    assert "encode" in done.err
    assert "wrote" not in done.err
    os.mkfifo(tmp_path / "pipe")
    done = run_process("detect", short_clip, *ONNX, "--json", "pipe", folder=tmp_path)
    assert (done.code, "no program reads from this pipe" in done.err) == (1, True)
    with subprocess.Popen(["cat", "pipe"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as reader:
        time.sleep(0.2)
        done = run_process("detect", short_clip, *ONNX, "--json", "pipe", folder=tmp_path)
        out, _ = reader.communicate(timeout=60)
    assert done.code == 0, done.err
    assert len(out.splitlines()) == FRAMES + 2
    assert names(tmp_path) == ["pipe"]


def test_resume_and_overwrite_contradict_each_other(run: Run, short_clip: Path) -> None:
    done = run("detect", short_clip, "--resume", "--overwrite")
    assert done.code == 2
    assert "drop one of them" in done.err
