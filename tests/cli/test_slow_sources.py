"""`heatprop detect` beside sources that are slow or silent: it ends, and each goes at its own pace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import Run, run_process, silent_pipe
from heatprop.cli.record_outputs import RecordOutput
from heatprop.io.results import read_results
from heatprop.runtime.multi_stream import AT_ONCE
from heatprop.types import Detections
from paced_source import LATEST, Paced

ONNX = ("--backend", "onnx", "--input-size", "64")


def open_instead(monkeypatch: pytest.MonkeyPatch, opener: Callable[..., Paced]) -> None:
    """Let the command open sources of a test's own."""
    monkeypatch.setattr("heatprop.cli.detect_request.open_video", opener)


# a silent one


@pytest.mark.parametrize("is_deaf", [False, True])
@pytest.mark.parametrize("others", [0, 1])
def test_a_silent_source_that_has_given_all_that_is_wanted_ends_the_command(
    run: Run, monkeypatch: pytest.MonkeyPatch, is_deaf: bool, others: int
) -> None:
    """Its reader waits for one more frame, which does not come; it may not even notice that it is closed."""
    silent = Paced(8, is_live=True, falls_silent=True, is_deaf=is_deaf)
    open_instead(monkeypatch, lambda name, **_: silent if name == "rtsp://10.0.0.7/live" else Paced(20))
    Path("film.mp4").touch()
    sources = ["rtsp://10.0.0.7/live", "film.mp4"][: 1 + others]
    outputs = "found/" if others else "live.jsonl"
    done = run("detect", *sources, *ONNX, "--max-frames", "8", "--json", outputs, "--quiet")
    assert (done.code, done.err) == (0, "")
    assert silent.closed.is_set()
    assert [len(list(read_results(path)[1])) for path in Path().rglob("*.jsonl")] == [8] * len(sources)
    assert not silent.gave_up
    silent.wakes.set()


def test_a_pipe_that_falls_silent_when_it_has_given_all_that_is_wanted_ends_the_command(
    demo_clip: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    arguments = (*ONNX, "--max-frames", "240", "--json", "found.jsonl")
    with silent_pipe(tmp_path / "silent.ts", demo_clip) as silent:
        done = run_process("detect", silent, *arguments, folder=work)
    assert done.code == 0, done.err
    assert len(list(read_results(work / "found.jsonl")[1])) == 240


# a slow one


def test_a_live_source_is_written_while_a_frame_of_a_file_is_still_being_written(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each frame of the file takes until ten more of the live source are written."""
    came = threading.Condition()
    live_written = 0
    live_before_file: list[int] = []

    class Waiting(RecordOutput):
        def write(self, index: int, time: float, detections: Detections) -> None:
            nonlocal live_written
            with came:
                if self.path == Path("found/live.jsonl"):
                    live_written += 1
                    came.notify_all()
                else:
                    wanted = live_written + 10
                    came.wait_for(lambda: live_written >= wanted, LATEST)
                    live_before_file.append(live_written)
            super().write(index, time, detections)
            if len(live_before_file) == 6:
                live.close()

    monkeypatch.setattr("heatprop.cli.detect_outputs.RecordOutput", Waiting)
    file, live = Paced(6), Paced(None, is_live=True)
    open_instead(monkeypatch, lambda name, **_: live if name == "rtsp://10.0.0.7/live" else file)
    Path("film.mp4").touch()
    done = run("detect", "film.mp4", "rtsp://10.0.0.7/live", *ONNX, "--json", "found", "--quiet")
    assert (done.code, done.err) == (0, "")
    assert all(count >= 10 * place for place, count in enumerate(live_before_file, start=1)), live_before_file
    assert len(list(read_results(Path("found/film.jsonl"))[1])) == 6


# many


def test_with_seq_nms_no_more_outputs_are_open_than_files_are_worked_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first that are drawn, in their second pass, wait a second for too many to be open."""
    opened: set[str] = set()
    has_waited = threading.Event()
    open_at_once: list[int] = []

    def wait_for_others(index: int) -> None:
        until = time.monotonic() + 1
        while index == 0 and not has_waited.is_set() and time.monotonic() < until:
            open_at_once.append(len(list(Path("drawn").glob("*.part.*"))))
            time.sleep(0.01)
        has_waited.set()

    def opener(name: str, **_: object) -> Paced:
        is_second, before = name in opened, wait_for_others
        opened.add(name)
        return Paced(4, before=before) if is_second else Paced(4)

    open_instead(monkeypatch, opener)
    films = [f"film{number}.mp4" for number in range(3 * AT_ONCE)]
    for film in films:
        Path(film).touch()
    done = run("detect", *films, *ONNX, "--seq-nms", "-o", "drawn", "--quiet")
    assert (done.code, done.err) == (0, "")
    assert sorted(path.name for path in Path("drawn").iterdir()) == sorted(films)
    assert max(open_at_once) == AT_ONCE
