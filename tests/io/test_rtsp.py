"""A real RTSP server on this machine: what it ends has ended, what ends with it has not, and comes again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from heatprop import open_video
from heatprop.errors import SourceError
from heatprop.io.container_source import ContainerSource
from small_videos import build_video, number_of

DEBIAN_PYTHON = "/usr/bin/python3"
BINDINGS = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
PACKAGES = "python3-gi gir1.2-gst-rtsp-server-1.0"


def is_installed() -> bool:
    try:
        command = [DEBIAN_PYTHON, "-c", BINDINGS]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    except OSError:
        return False


pytestmark = pytest.mark.skipif(
    not is_installed(), reason=f"GStreamer's RTSP server is not installed (Debian: {PACKAGES})"
)


@dataclass
class Server:
    process: subprocess.Popen[str]
    port: int

    @property
    def address(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/film"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def serving(video: Path, port: int = 0, transport: str = "tcp") -> Iterator[Server]:
    script = Path(__file__).with_name("rtsp_server.py")
    command = [DEBIAN_PYTHON, str(script), str(port), str(video), transport]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Server(process, int(process.stdout.readline()))
        finally:
            process.kill()


def film(folder: Path, count: int) -> Path:
    return build_video(folder / f"{count}.mp4", count, options={"bf": "0", "g": "5"})


def detect(address: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "heatprop", "detect", address, "--input-size", "64", *options]


def test_what_the_server_ends_is_whole(tmp_path: Path) -> None:
    with serving(film(tmp_path, 50)) as server:
        command = detect(server.address, "--json", "a.jsonl")
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    shown = re.search(r": (\d+) frames in", done.stderr)
    dropped = re.search(r"(\d+) dropped", done.stderr)
    assert shown is not None
    assert int(shown[1]) + (int(dropped[1]) if dropped else 0) == 50
    *frames, end = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines()[1:])
    assert end == {"end": {"frames": len(frames), "complete": True}}
    assert frames[0]["frame"] == 0
    assert frames[-1]["frame"] == 49


def test_a_camera_that_has_nothing_more_to_play_has_ended(tmp_path: Path) -> None:
    with (
        serving(film(tmp_path, 2)) as server,
        ContainerSource(f"rtsp://127.0.0.1:{server.port}/camera", is_remote=True, timeout=5) as camera,
    ):
        assert camera.info.is_paced
        assert len(list(camera)) > 10


def test_a_server_that_is_killed_ends_the_run_with_an_error(tmp_path: Path) -> None:
    with (
        serving(film(tmp_path, 500)) as server,
        subprocess.Popen(
            detect(server.address, "--json", "-", "--reconnect", "0"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as run,
    ):
        assert run.stdout is not None
        for _ in range(5):
            assert run.stdout.readline()
        server.kill()
        rest, said = run.communicate(timeout=120)
    assert run.returncode == 1, said
    assert "the server is gone without a goodbye" in said
    assert json.loads(rest.splitlines()[-1])["end"]["complete"] is False


def test_over_udp_a_server_that_is_killed_is_no_end_either(tmp_path: Path) -> None:
    with (
        serving(film(tmp_path, 500), transport="udp") as server,
        open_video(server.address, reconnect=0) as video,
    ):
        frames = iter(video)
        next(frames)
        server.kill()
        with pytest.raises(SourceError, match="gone without a goodbye"):
            list(frames)


def test_a_server_that_starts_again_is_found_again(tmp_path: Path) -> None:
    with (
        ExitStack() as later,
        serving(film(tmp_path, 500)) as server,
        open_video(server.address, reconnect=60) as video,
    ):
        frames = []
        for frame in video:
            frames.append(frame)
            if len(frames) == 5:
                server.kill()
                later.enter_context(serving(film(tmp_path, 50), server.port))
        assert video.reconnections == 1
    indices, times = [frame.index for frame in frames], [frame.time for frame in frames]
    assert indices == sorted(set(indices))
    assert times == sorted(set(times))
    assert sum(frame.starts_anew for frame in frames) == 1
    seam = next(place for place, frame in enumerate(frames) if frame.starts_anew)
    assert seam >= 5
    assert number_of(frames[-1].image) == 49 % 16
