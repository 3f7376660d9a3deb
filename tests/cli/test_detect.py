"""`heatprop detect` on a real clip: what it writes, and what stays when it is stopped."""

import contextlib
import errno
import inspect
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import av
import cv2
import pytest

from cli.conftest import FRAMES, HEIGHT, WIDTH, Run, command, run_process, video_shape
from heatprop.cli.detect import Detect
from heatprop.io.results import read_results
from heatprop.propagation import AdaptationConfig, PropagationConfig
from heatprop.runtime.detector import VideoDetector

ONNX = ("--backend", "onnx")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_as_a_user_runs_it(short_clip: Path, tmp_path: Path) -> None:
    done = run_process("detect", short_clip, "--json", "found.jsonl", "-o", "out.mp4", folder=tmp_path)
    assert done.code == 0, done.err
    assert done.out == ""
    assert names(tmp_path) == ["found.jsonl", "out.mp4"]
    assert video_shape(tmp_path / "out.mp4") == (FRAMES, WIDTH, HEIGHT)
    header, frames = read_results(tmp_path / "found.jsonl")
    assert header.model == "mb3-coco"
    assert [index for index, _, _ in frames] == list(range(FRAMES))


def test_without_outputs_a_video_is_named_after_the_source(run: Run, short_clip: Path) -> None:
    done = run("detect", short_clip, *ONNX)
    assert done.code == 0
    assert names(Path()) == ["street.heatprop.mp4"]
    assert video_shape(Path("street.heatprop.mp4")) == (FRAMES, WIDTH, HEIGHT)


def test_the_summary_says_what_happened(run: Run, short_clip: Path) -> None:
    done = run("detect", short_clip, *ONNX, "-o", "out.mp4", "--json", "found.jsonl")
    assert done.out == ""
    for words in (f"{FRAMES} frames", "fps", "objects", "ONNX Runtime", "decode", "network", "propagate", "draw"):
        assert words in done.err
    assert "out.mp4" in done.err
    assert "found.jsonl" in done.err
    assert "\x1b" not in done.err
    assert "\r" not in done.err


def test_quiet_says_nothing(run: Run, short_clip: Path) -> None:
    done = run("detect", short_clip, *ONNX, "--json", "found.jsonl", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_json_on_standard_output_is_json_lines_and_no_file(run: Run, short_clip: Path) -> None:
    done = run("detect", short_clip, *ONNX, "--json", "-")
    header, *frames, end = [json.loads(line) for line in done.out.splitlines()]
    assert end == {"end": {"frames": FRAMES, "complete": True}}
    assert header["source"]["frame_rate"] == 25
    assert header["settings"]["propagation"]["alpha"] == PropagationConfig.alpha
    assert "ONNX" in header["settings"]["backend"]
    assert [frame["frame"] for frame in frames] == list(range(FRAMES))
    assert names(Path()) == []


def test_the_settings_reach_the_detector_and_the_header(run: Run, short_clip: Path) -> None:
    options = ("--radius", "1", "--alpha", "0.5", "--beta", "inf", "--score-threshold", "0.2")
    header = json.loads(run("detect", short_clip, *ONNX, *options, "--json", "-").out.splitlines()[0])
    assert header["settings"]["score_threshold"] == 0.2
    propagation = header["settings"]["propagation"]
    assert (propagation["radius"], propagation["alpha"], propagation["beta"]) == (1, 0.5, "inf")


def test_propagation_adapts_as_the_header_says_and_takes_its_other_settings(run: Run, short_clip: Path) -> None:
    usual, named, small = (
        run("detect", short_clip, *ONNX, *options, "--json", "-").out.splitlines()
        for options in ((), ("--propagation", "adaptive"), ("--radius", "1", "--beta", "inf"))
    )
    assert usual == named
    adaptation = asdict(AdaptationConfig())
    assert json.loads(usual[0])["settings"]["propagation"] == asdict(PropagationConfig.adaptive())
    own = json.loads(small[0])["settings"]["propagation"]
    assert (own["radius"], own["beta"], own["adaptation"]) == (1, "inf", adaptation)


@pytest.mark.parametrize(
    ("form", "wanted"), [("adaptive", PropagationConfig.adaptive()), ("paper", PropagationConfig.paper())]
)
def test_the_form_of_propagation_is_that_of_the_detector(
    run: Run, short_clip: Path, form: str, wanted: PropagationConfig
) -> None:
    options = ("--propagation", form, "--score-threshold", "0.05", "--json", "found.jsonl")
    assert run("detect", short_clip, *ONNX, *options).code == 0
    header, frames = read_results(Path("found.jsonl"))
    assert header.settings["propagation"] == asdict(wanted)
    assert (header.settings["propagation"]["adaptation"] is None) == (form == "paper")
    detector = VideoDetector(backend="onnx", propagation=wanted, score_threshold=0.05)
    lengths = [found.lengths.tolist() for _, found in detector.stream(short_clip)]
    assert [found.lengths.tolist() for _, _, found in frames] == lengths
    assert max(length for each in lengths for length in each) > 3


def test_a_form_of_propagation_that_there_is_not_is_refused(run: Run, short_clip: Path) -> None:
    done = run("detect", short_clip, *ONNX, "--propagation", "magic", "--json", "-")
    assert (done.code, done.out) == (2, "")
    assert "magic" in done.err


def test_without_propagation_every_object_is_new(run: Run, short_clip: Path) -> None:
    low = ("--score-threshold", "0.1", "--json", "-")
    alone = [
        json.loads(line) for line in run("detect", short_clip, *ONNX, *low, "--no-propagation").out.splitlines()
    ]
    steady = [json.loads(line) for line in run("detect", short_clip, *ONNX, *low).out.splitlines()]
    assert alone[0]["settings"]["propagation"] is None
    assert {length for frame in alone[1:-1] for length in frame["lengths"]} == {1}
    assert max(length for frame in steady[1:-1] for length in frame["lengths"]) > 3


def test_compare_is_twice_as_wide(run: Run, short_clip: Path) -> None:
    assert run("detect", short_clip, *ONNX, "--compare", "-o", "both.mp4").code == 0
    assert video_shape(Path("both.mp4")) == (FRAMES, 2 * WIDTH, HEIGHT)


def test_max_frames_stops_early(run: Run, short_clip: Path) -> None:
    done = run("detect", short_clip, *ONNX, "--max-frames", "5", "-o", "out.mp4", "--json", "found.jsonl")
    assert done.code == 0
    assert video_shape(Path("out.mp4"))[0] == 5
    assert len(Path("found.jsonl").read_text().splitlines()) == 7


def test_overwrite_replaces(run: Run, short_clip: Path) -> None:
    Path("found.jsonl").write_text("old")
    done = run("detect", short_clip, *ONNX, "--json", "found.jsonl", "--overwrite")
    assert done.code == 0
    assert len(Path("found.jsonl").read_text().splitlines()) == FRAMES + 2


def test_a_folder_of_images_is_a_source(run: Run, short_clip: Path, tmp_path: Path) -> None:
    shots = tmp_path / "shots"
    shots.mkdir()
    with av.open(str(short_clip)) as container:
        for index, frame in zip(range(3), container.decode(video=0), strict=False):
            cv2.imwrite(str(shots / f"{index}.png"), frame.to_ndarray(format="bgr24"))
    assert run("detect", shots, *ONNX).code == 0
    assert video_shape(Path("shots.heatprop.mp4"))[0] == 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_keeps_what_was_finished(
    demo_clip: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    arguments = command("detect", demo_clip, *ONNX, "-o", "out.mp4", "--json", "found.jsonl")
    with subprocess.Popen(arguments, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        growing = tmp_path / "found.part.jsonl"
        while process.poll() is None and not (growing.exists() and growing.read_bytes().count(b"\n") > 6):
            time.sleep(0.01)
        process.send_signal(number)
        _, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    assert "interrupted; what was finished is kept" in err
    assert "Traceback" not in err
    assert names(tmp_path) == ["found.jsonl", "out.mp4"]
    _, frames = read_results(tmp_path / "found.jsonl")
    finished = [index for index, _, _ in frames]
    assert 6 <= len(finished) < 250
    assert finished == list(range(len(finished)))
    assert video_shape(tmp_path / "out.mp4")[0] == len(finished)


# A signal at each line of what comes after the last frame, run for run, in whatever thread it is.
INTERRUPTED_EVERYWHERE = """
import os, signal, sys, threading
from pathlib import Path
from heatprop.cli import detect_run, main
from heatprop.cli.detect_job import Job

functions = detect_run.run_jobs, Job._work, Job._write_all, Job._closed
write, traced = Job._write, {each.__code__ for each in functions}
lines = []

def writing(self, result):
    write(self, result)
    lines.append(0)

def trace_line(frame, event, _):
    if lines and event == "line":
        lines.append(frame.f_lineno)
        if len(lines) == run + 2:
            os.kill(os.getpid(), signal.SIGINT)
    return trace_line

def trace(frame, *_):
    return trace_line if frame.f_code in traced else None

Job._write = writing
threading.settrace(trace)
for run in range(1000):
    lines.clear()
    sys.settrace(trace)
    arguments = ["detect", sys.argv[1], "--backend", "onnx", "--max-frames", "1", "-o", f"{run}.mp4"]
    code = main([*arguments, "--json", f"{run}.jsonl"])
    sys.settrace(None)
    print(run, code, Path(f"{run}.mp4").exists() and Path(f"{run}.jsonl").exists(), lines[-1])
    if len(lines) < run + 2:
        break
"""


def test_an_interrupt_after_the_last_frame_deletes_nothing(short_clip: Path, tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", INTERRUPTED_EVERYWHERE, str(short_clip)]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    runs = [line.split() for line in done.stdout.splitlines()]
    assert len(runs) > 8, done.stderr
    assert {kept for _, _, kept, _ in runs} == {"True"}, done.stdout
    assert {code for _, code, _, _ in runs} == {"0", "130"}, done.stdout
    assert "what was finished is kept" in done.stderr
    assert "nothing is written" not in done.stderr


def test_a_reader_that_leaves_ends_it_quietly(demo_clip: Path, tmp_path: Path) -> None:
    arguments = command("detect", demo_clip, *ONNX, "--json", "-")
    with subprocess.Popen(
        arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["format"] == "heatprop-detections"
        process.stdout.close()
        err = process.stderr.read()
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize("lines", [0, 1, 3])
def test_a_reader_that_leaves_does_not_cut_the_video(short_clip: Path, tmp_path: Path, lines: int) -> None:
    arguments = command("detect", short_clip, *ONNX, "--json", "-", "-o", "out.mp4")
    with subprocess.Popen(
        arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(lines):
            json.loads(process.stdout.readline())
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 0
    assert "Traceback" not in err
    assert f"{FRAMES} frames" in err
    assert names(tmp_path) == ["out.mp4"]
    assert video_shape(tmp_path / "out.mp4")[0] == FRAMES


@pytest.mark.parametrize("outputs", [(), ("-o", "out.mp4")])
def test_standard_output_on_a_full_disk_is_one_line(
    short_clip: Path, tmp_path: Path, outputs: tuple[str, ...]
) -> None:
    arguments = command("detect", short_clip, *ONNX, "--json", "-", *outputs)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            arguments, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=240, check=False
        )
    message = f"heatprop: error: cannot write on standard output ({os.strerror(errno.ENOSPC)})\n"
    assert (done.returncode, done.stderr) == (1, message)
    assert names(tmp_path) == []


def test_a_full_disk_exits_with_1_and_keeps_the_whole_lines(run: Run, short_clip: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2500, limits[1]))
    try:
        done = run("detect", short_clip, *ONNX, "--json", "found.jsonl", "--quiet")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert done.code == 1
    assert done.err.startswith("heatprop: error: found.jsonl: cannot write")
    assert done.err.count("\n") == 1
    assert names(Path()) == ["found.jsonl"]
    _, frames = read_results(Path("found.jsonl"))
    assert 1 <= len(list(frames)) < FRAMES


def test_a_terminal_gets_a_progress_bar_on_standard_error(short_clip: Path, tmp_path: Path) -> None:
    screen, terminal = pty.openpty()
    arguments = command("detect", short_clip, *ONNX, "--json", "found.jsonl")
    with subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=terminal) as process:
        os.close(terminal)
        shown = b""
        # A terminal whose other side has closed ends with an error, not with an empty read.
        with contextlib.suppress(OSError):
            while part := os.read(screen, 4096):
                shown += part
        os.close(screen)
        out, _ = process.communicate()
    assert (process.returncode, out) == (0, b"")
    assert f"/ {FRAMES} frames".encode() in shown
    assert b"100%" in shown
    assert b"fps" in shown


def test_defaults_stand_in_one_place() -> None:
    options = inspect.signature(VideoDetector).parameters
    detect = Detect("street.mp4")
    for name in ("model", "backend", "score_threshold", "input_size"):
        assert getattr(detect.detector, name) == options[name].default
    assert options["propagation"].default == PropagationConfig.adaptive()
    assert detect.detector.propagation == "adaptive"
    for name in ("radius", "alpha", "beta"):
        assert getattr(detect.detector, name) == getattr(PropagationConfig.adaptive(), name)


@pytest.mark.parametrize("arguments", [("--help",), ("detect", "--help"), ("models", "--help"), ("--version",)])
def test_help_goes_to_standard_output(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.code == 0
    assert "heatprop" in done.out
    assert done.err == ""


def test_help_loads_no_runtime(tmp_path: Path) -> None:
    python, *rest = command("--help")
    arguments = [python, "-X", "importtime", *rest]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=True)
    imported = {line.rsplit("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "heatprop.cli" in imported
    assert not imported & {"torch", "openvino", "onnxruntime"}
