"""A short video, and two ways to run the command: in this process, and as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import pytest

from heatprop.cli import main

FRAMES = 16
WIDTH, HEIGHT = 320, 136


@dataclass(frozen=True)
class Finished:
    """What a run of the command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


Run = Callable[..., Finished]


@pytest.fixture(scope="session")
def short_clip(demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 16 frames of the real clip at half its size."""
    path = tmp_path_factory.mktemp("clip") / "street.mp4"
    with av.open(str(demo_clip)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index, frame in enumerate(source.decode(video=0)):
            if index == FRAMES:
                break
            small = cv2.resize(frame.to_ndarray(format="rgb24"), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
            scaled = av.VideoFrame.from_ndarray(small, format="rgb24")
            scaled.pts, scaled.time_base = index, Fraction(1, 25)
            target.mux(stream.encode(scaled))
        target.mux(stream.encode())
    return path


@pytest.fixture
def run(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Finished]:
    """Return a function that runs the command in this process, in an empty folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(*arguments: str | Path) -> Finished:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Finished(code, out, err)

    return run


def command(*arguments: str | Path) -> list[str]:
    """Return the command line that runs heatprop in a process of its own, warnings being errors."""
    return [sys.executable, "-W", "error", "-m", "heatprop", *map(str, arguments)]


def run_process(*arguments: str | Path, folder: Path, largest_file: int | None = None) -> Finished:
    """Run the command as a user does; with a limit on the size of files in bytes, as if the disk were full."""

    def limit() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    done = subprocess.run(
        command(*arguments),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        preexec_fn=None if largest_file is None else limit,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def video_shape(path: Path) -> tuple[int, int, int]:
    """Return (frames that decode, width, height) of a video."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return sum(1 for _ in container.decode(stream)), stream.width, stream.height


_FEEDER = """
import av, sys, time
with av.open(sys.argv[1]) as source, open(sys.argv[2], "wb") as pipe:
    with av.open(pipe, "w", format="mpegts") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
        pipe.flush()
        time.sleep(600)
"""


@contextmanager
def silent_pipe(path: Path, clip: Path) -> Iterator[Path]:
    """Make a pipe into which another process writes a clip and then nothing more; it stays open."""
    os.mkfifo(path)
    feeding = [sys.executable, "-c", _FEEDER, str(clip), str(path)]
    with subprocess.Popen(feeding, stderr=subprocess.DEVNULL) as feeder:
        try:
            yield path
        finally:
            feeder.kill()
