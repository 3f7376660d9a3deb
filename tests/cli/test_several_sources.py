"""`heatprop detect` with several sources: each as if it were alone; none takes anything from the others."""

import contextlib
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.conftest import FRAMES, HEIGHT, WIDTH, Run, command, run_process, silent_pipe, video_shape
from heatprop.cli.output_names import folders_made, name_outputs, stem_of
from heatprop.cli.output_options import OutputOptions
from heatprop.errors import HeatpropError
from heatprop.io.results import read_results
from heatprop.runtime.multi_stream import AT_ONCE as FILES_AT_ONCE

ONNX = ("--backend", "onnx")


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def clips(short_clip: Path, tmp_path: Path) -> list[Path]:
    """Return more clips than are worked on at a time."""
    folder = tmp_path / "films"
    folder.mkdir()
    paths = [folder / f"clip{number}.mp4" for number in range(FILES_AT_ONCE + 2)]
    for path in paths:
        shutil.copy(short_clip, path)
    return paths


@pytest.mark.parametrize("options", [(), ("--seq-nms", "--score-threshold", "0.1"), ("--max-frames", "5")])
def test_each_source_gives_byte_for_byte_what_it_gives_alone(
    run: Run, clips: list[Path], options: tuple[str, ...]
) -> None:
    done = run("detect", *clips, *ONNX, *options, "--json", "found")
    assert done.code == 0, done.err
    assert done.out == ""
    for clip in clips:
        run("detect", clip, *ONNX, *options, "--json", "alone.jsonl", "--overwrite")
        assert Path("found", f"{clip.stem}.jsonl").read_bytes() == Path("alone.jsonl").read_bytes()


def test_as_a_user_runs_it(clips: list[Path], tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    done = run_process("detect", *clips[:2], *ONNX, "-o", "drawn/", "--json", "found/", folder=work)
    assert done.code == 0, done.err
    assert names(work) == ["drawn/clip0.mp4", "drawn/clip1.mp4", "found/clip0.jsonl", "found/clip1.jsonl"]
    assert video_shape(work / "drawn" / "clip1.mp4") == (FRAMES, WIDTH, HEIGHT)
    for words in ("clip0.mp4: 16 frames", "clip1.mp4: 16 frames", "2 sources: 32 frames", "fps", "ONNX Runtime"):
        assert done.err.count(words) >= 1, done.err
    assert done.err.count("stages") == 2


def test_without_outputs_the_videos_are_named_after_the_sources(run: Run, clips: list[Path]) -> None:
    assert run("detect", *clips[:2], *ONNX, "--max-frames", "2").code == 0
    assert names(Path()) == ["clip0.heatprop.mp4", "clip1.heatprop.mp4"]


def test_compare_and_quiet(run: Run, clips: list[Path]) -> None:
    done = run("detect", *clips[:2], *ONNX, "--compare", "-o", "both", "--max-frames", "3", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert video_shape(Path("both/clip1.mp4")) == (3, 2 * WIDTH, HEIGHT)


# what fails


def test_one_that_is_bad_ends_no_other(run: Run, clips: list[Path]) -> None:
    done = run("detect", clips[0], "gone.mp4", clips[1], *ONNX, "--json", "found", "--quiet")
    assert (done.code, done.out, done.err) == (1, "", "heatprop: error: gone.mp4: no such file; check the path\n")
    assert names(Path()) == ["found/clip0.jsonl", "found/clip1.jsonl"]


def test_one_whose_output_exists_ends_no_other_unless_it_may_be_replaced(run: Run, clips: list[Path]) -> None:
    Path("found").mkdir()
    Path("found/clip0.jsonl").write_text("precious")
    done = run("detect", *clips[:2], *ONNX, "--json", "found", "--max-frames", "2")
    assert done.code == 1
    assert done.err.count("heatprop: error: found/clip0.jsonl exists already") == 1
    assert "2 sources: 2 frames" in done.err
    assert "1 failed" in done.err
    assert Path("found/clip0.jsonl").read_text() == "precious"
    assert run("detect", *clips[:2], *ONNX, "--json", "found", "--max-frames", "2", "--overwrite").code == 0
    assert len(Path("found/clip0.jsonl").read_text().splitlines()) == 4


def test_one_that_fails_on_the_way_keeps_what_it_has_and_ends_no_other(clips: list[Path], tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    program = """
import sys
from heatprop.cli import main
from heatprop.errors import SourceError
from heatprop.io.container_source import ContainerSource

frames = ContainerSource._frames

def breaking(self):
    for frame in frames(self):
        if self.info.name.endswith("clip1.mp4") and frame.index == 4:
            raise SourceError("clip1.mp4: the cable")
        yield frame

ContainerSource._frames = breaking
sys.exit(main(["detect", *sys.argv[1:], "--backend", "onnx", "--json", "found"]))
"""
    arguments = [sys.executable, "-W", "error", "-c", program, *map(str, clips[:3])]
    done = subprocess.run(arguments, cwd=work, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("heatprop: error: clip1.mp4: the cable\n") == 1
    assert "Traceback" not in done.stderr
    counts = [len((work / "found" / f"{clip.stem}.jsonl").read_text().splitlines()) - 2 for clip in clips[:3]]
    assert counts == [FRAMES, 4, FRAMES]


def test_a_fault_of_heatprop_shows_itself_after_the_others_have_ended(clips: list[Path], tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    program = """
import sys
from heatprop.cli import main
from heatprop.cli.detect_outputs import DetectOutputs

write = DetectOutputs.write

def writing(self, *arguments):
    write(self, *arguments)
    if self.frames == 4 and "clip1" in str(self._records[0].path):
        raise RuntimeError("a fault")

DetectOutputs.write = writing
sys.exit(main(["detect", *sys.argv[1:], "--backend", "onnx", "--json", "found"]))
"""
    arguments = [sys.executable, "-W", "error", "-c", program, *map(str, clips[:2])]
    done = subprocess.run(arguments, cwd=work, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("RuntimeError: a fault")
    counts = [len((work / "found" / f"{clip.stem}.jsonl").read_text().splitlines()) - 2 for clip in clips[:2]]
    assert counts == [FRAMES, 4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["gone.mp4", "gone2.mp4", "-o", "out"],
            r"gone2?.mp4: no such file",
        ),
        (["CLIP", "CLIP"], r"street.mp4 and .*street.mp4 would both write street.heatprop.mp4"),
        (["CLIP", "other/street.avi", "--json", "out"], r"would both write out/street.jsonl"),
        (["CLIP", "gone.mp4", "--json", "-"], r"--json - .* 2 sources; .* folder: --json found"),
        (["CLIP", "gone.mp4", "-o", "out.mp4"], r"-o out.mp4 names a file; .* folder: -o out"),
        (["CLIP", "gone.mp4", "--json", "out.jsonl"], r"--json out.jsonl names a file; .*: --json out"),
        (["CLIP", "gone.mp4", "-o", "old"], r"-o old is a file"),
        (["CLIP", "gone.mp4", "-o", "old/out"], r"old/out: cannot make this folder"),
        (["CLIP", "gone.mp4", "-o", "out", "--model", "yolo"], r"yolo"),
        (["CLIP", "gone.mp4", "-o", "out", "--alpha", "2"], r"alpha is 2"),
        (["CLIP", "gone.mp4", "-o", "out", "--max-frames", "0"], r"--max-frames is 0"),
        (["CLIP", "gone.mp4", "--json", "out", "--compare"], r"--compare .* -o"),
        ([*(f"{n}.jpg" for n in range(9)), "-o", "out"], r"0.jpg, 1.jpg, 2.jpg and 6 more; .*pattern in quotes"),
        (["in/a.avi", "in/a.mp4", "-o", "drawn", "--overwrite"], r"would both write drawn/a.mp4"),
        (["in/a.avi", "in/b.mp4", "-o", "in", "--overwrite"], r"in/b.mp4 would be written, and it is a source"),
    ],
)
def test_bad_requests_leave_nothing_behind(run: Run, short_clip: Path, arguments: list[str], message: str) -> None:
    Path("old").write_text("precious")
    done = run("detect", *[str(short_clip) if word == "CLIP" else word for word in arguments])
    assert done.code == 2, done.err
    assert done.out == ""
    assert re.fullmatch(r"(heatprop: error: .*\n)+", done.err)
    assert done.err.count("\n") == (2 if "gone2.mp4" in arguments else 1)
    assert re.search(message, done.err), done.err
    assert [str(path) for path in Path().iterdir()] == ["old"]
    assert Path("old").read_text() == "precious"


# names


def test_cameras_whose_addresses_end_alike_are_told_apart_by_their_host() -> None:
    cameras = ["rtsp://bob:secret@10.0.0.7:554/live", "rtsp://10.0.0.8/live", "rtsp://10.0.0.8/yard", "camera:0"]
    named = name_outputs(cameras, OutputOptions(output="out"))
    assert [each.video and each.video.name for each in named] == [
        "10.0.0.7-554-live.mp4",
        "10.0.0.8-live.mp4",
        "yard.mp4",
        "camera-0.mp4",
    ]


def test_files_of_one_name_are_refused_in_any_number() -> None:
    with pytest.raises(HeatpropError, match=r"a/x.mp4 and c/x.mp4 would both write x.heatprop.mp4"):
        name_outputs(["a/x.mp4", "b/y.mp4", "c/x.mp4"], OutputOptions())
    assert stem_of("a/x.y.mp4") == "x.y"


def test_folders_that_stay_empty_go_again(tmp_path: Path) -> None:
    wanted = OutputOptions(output=str(tmp_path / "deep" / "drawn"), json=str(tmp_path / "found"))
    named = name_outputs(["a.mp4", "b.mp4"], wanted)
    with folders_made(named):
        (tmp_path / "found" / "a.jsonl").touch()
        assert (tmp_path / "deep" / "drawn").is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found"]


# stopping


def wait_for_lines(path: Path, count: int, process: "subprocess.Popen[str]") -> None:
    while process.poll() is None and not (path.exists() and path.read_bytes().count(b"\n") > count):
        time.sleep(0.01)


# The signal comes with the fortieth frame of all.
INTERRUPTED_AT_40 = """
import os, signal, sys
from heatprop.cli import main
from heatprop.cli.progress import SourceProgress

advance, frames = SourceProgress.advance, []

def advancing(self):
    advance(self)
    frames.append(0)
    if len(frames) == 40:
        os.kill(os.getpid(), int(sys.argv[1]))

SourceProgress.advance = advancing
sys.exit(main(["detect", *sys.argv[2:], "--backend", "onnx", "-o", "out", "--json", "out"]))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("options", [(), ("--seq-nms",)])
def test_an_interrupt_keeps_what_was_finished_of_each(
    demo_clip: Path, tmp_path: Path, number: signal.Signals, code: int, options: tuple[str, ...]
) -> None:
    films = [tmp_path / f"film{n}.mp4" for n in range(FILES_AT_ONCE + 1)]
    for film in films:
        shutil.copy(demo_clip, film)
    work = tmp_path / "work"
    work.mkdir()
    words = [str(int(number)), *map(str, films), *options]
    arguments = [sys.executable, "-W", "error", "-c", INTERRUPTED_AT_40, *words]
    done = subprocess.run(arguments, cwd=work, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr
    assert done.stderr.count("interrupted; what was finished is kept") == 1
    assert done.stderr.count("drawing what was found so far") == bool(options)
    assert "1 not begun" in done.stderr
    assert done.stderr.count("cut short by the interrupt") == len(list((work / "out").glob("*.jsonl")))
    assert "Traceback" not in done.stderr
    total = 0
    kept = list((work / "out").glob("*.jsonl"))
    for results in kept:
        finished = [index for index, _, _ in read_results(results)[1]]
        assert finished == list(range(len(finished)))
        assert video_shape(results.with_suffix(".mp4"))[0] == len(finished)
        total += len(finished)
    assert 40 <= total < 250
    assert len(list((work / "out").iterdir())) == 2 * len(kept)
    assert not (work / "out" / "film4.jsonl").exists()


def test_sources_that_are_silent_or_never_open_do_not_hold_up_an_interrupt(
    demo_clip: Path, short_clip: Path, tmp_path: Path
) -> None:
    shut = tmp_path / "shut.ts"
    os.mkfifo(shut)
    work = tmp_path / "work"
    work.mkdir()
    with silent_pipe(tmp_path / "silent.ts", demo_clip) as silent:
        arguments = command("detect", short_clip, silent, shut, *ONNX, "--json", "found")
        with subprocess.Popen(arguments, cwd=work, stderr=subprocess.PIPE, text=True) as process:
            wait_for_lines(work / "found" / "silent.part.jsonl", 100, process)
            while process.poll() is None and not (work / "found" / "street.jsonl").exists():
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert names(work) == ["found/silent.jsonl", "found/street.jsonl"]
    assert len(list(read_results(work / "found" / "silent.jsonl")[1])) >= 100
    assert "Traceback" not in err


def test_the_second_signal_kills(demo_clip: Path, tmp_path: Path) -> None:
    shut = tmp_path / "shut.ts"
    os.mkfifo(shut)
    program = """
import os, signal, sys, time
from heatprop.cli import main
from heatprop.cli.detect_outputs import DetectOutputs

keep = DetectOutputs.keep

def keeping(self, *arguments, **options):
    print("keeping", flush=True)
    time.sleep(600)

DetectOutputs.keep = keeping
sys.exit(main(["detect", *sys.argv[1:], "--backend", "onnx", "--json", "found"]))
"""
    arguments = [sys.executable, "-c", program, str(demo_clip), str(shut)]
    with subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        wait_for_lines(tmp_path / "found" / f"{demo_clip.stem}.part.jsonl", 3, process)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "keeping\n"
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
    assert process.returncode == -signal.SIGINT


def test_a_terminal_gets_a_line_for_each_running_source_and_whole_lines_besides(
    clips: list[Path], tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    screen, terminal = pty.openpty()
    arguments = command("detect", *clips[:3], "gone.mp4", *ONNX, "--json", "found")
    with subprocess.Popen(arguments, cwd=work, stdout=subprocess.PIPE, stderr=terminal) as process:
        os.close(terminal)
        shown = b""
        # A terminal whose other side has closed ends with an error, not with an empty read.
        with contextlib.suppress(OSError):
            while part := os.read(screen, 4096):
                shown += part
        os.close(screen)
        process.communicate()
    assert process.returncode == 1
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    for number in range(3):
        assert re.search(rf"clip{number}.mp4 .* / {FRAMES} frames", text)
        assert f"clip{number}.mp4: {FRAMES} frames in" in text
    assert "heatprop: error: gone.mp4: no such file; check the path\r\n" in text
    assert f"4 sources: {3 * FRAMES} frames" in text
