"""An end that is no end is an error: live playlists, and streams over UDP. RTSP has `test_rtsp.py`."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from heatprop.errors import SourceError
from heatprop.io.container_source import ContainerSource
from heatprop.io.reconnecting import ReconnectingSource
from small_videos import build_video, number_of

END = "#EXT-X-ENDLIST\n"
HEAD = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n"
MASTER = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100000\nlist.m3u8\n"


def write_list(folder: Path, pieces: int, end: str = "") -> None:
    """Write a playlist of pieces of a second, each with its own file the first time that it is listed."""
    for number in range(pieces):
        if not (piece := folder / f"{number}.ts").exists():
            ticks = [(number * 25 + each) * 512 for each in range(25)]
            build_video(piece, 25, ticks=ticks, options={"bf": "0", "g": "25"})
    (folder / "list.m3u8").write_text(HEAD + "".join(f"#EXTINF:1.0,\n{n}.ts\n" for n in range(pieces)) + end)


@pytest.mark.parametrize("name", ["list.m3u8", "master.m3u8"])
def test_a_playlist_has_ended_where_it_says_so(name: str, tmp_path: Path, serve: Callable[[Path], str]) -> None:
    write_list(tmp_path, 4)
    (tmp_path / "master.m3u8").write_text(MASTER)
    with ContainerSource(f"{serve(tmp_path)}/{name}", is_remote=True) as video:
        assert video.info.is_paced
        for frame in video:
            if frame.index == 10:
                write_list(tmp_path, 6, END)
        assert number_of(frame.image) == 24 % 16


@pytest.mark.parametrize("name", ["list.m3u8", "master.m3u8"])
@pytest.mark.parametrize("first_end", ["", END])
def test_a_playlist_that_is_gone_has_not_ended(
    name: str, first_end: str, tmp_path: Path, serve: Callable[[Path], str]
) -> None:
    write_list(tmp_path, 20 if first_end else 4, first_end)
    (tmp_path / "master.m3u8").write_text(MASTER)
    with ContainerSource(f"{serve(tmp_path)}/{name}", is_remote=True) as video:
        frames = iter(video)
        next(frames)
        for path in tmp_path.iterdir():
            path.unlink()
        with pytest.raises(SourceError, match="nothing found there"):
            list(frames)


def test_a_playlist_that_was_gone_is_found_again(tmp_path: Path, serve: Callable[[Path], str]) -> None:
    address = f"{serve(tmp_path)}/list.m3u8"

    def opens() -> ContainerSource:
        write_list(tmp_path, 4, END if (tmp_path / "0.ts").exists() else "")
        return ContainerSource(address, is_remote=True)

    with ReconnectingSource(opens, 60, opened=opens()) as video:
        frames = []
        for frame in video:
            frames.append(frame)
            if len(frames) == 1:
                (tmp_path / "list.m3u8").unlink()
        assert video.reconnections == 1
    assert [frame.index for frame in frames if frame.starts_anew] == [len(frames) - 100]


class Sender:
    """A process that sends a live MPEG-TS stream over UDP for a while, and then falls silent."""

    PROGRAM = """
import sys, time, av
from fractions import Fraction
from small_videos import paint
address, count = sys.argv[1], int(sys.argv[2])
with av.open(address, "w", format="mpegts", options={"flush_packets": "1"}) as out:
    video = out.add_stream("libx264", rate=25, options={"bf": "0", "g": "5", "tune": "zerolatency"})
    video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(paint(number)).reformat(format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 25)
        out.mux(video.encode(frame))
        time.sleep(0.02)
"""

    def __init__(self, port: int, count: int) -> None:
        address = f"udp://127.0.0.1:{port}?pkt_size=1316"
        self._process = subprocess.Popen(
            [sys.executable, "-c", self.PROGRAM, address, str(count)], cwd=Path(__file__).parent.parent
        )

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def test_silence_over_udp_is_no_end() -> None:
    port = free_port()
    with Sender(port, 100), ContainerSource(f"udp://127.0.0.1:{port}", is_remote=True, timeout=5) as video:
        frames = iter(video)
        next(frames)
        shown = 1
        with pytest.raises(SourceError, match="no data for 5 s"):
            for _ in frames:
                shown += 1
        assert shown > 1


def test_what_was_silent_over_udp_is_found_again() -> None:
    port = free_port()
    with ExitStack() as senders:

        def opens() -> ContainerSource:
            senders.enter_context(Sender(port, 50))
            return ContainerSource(f"udp://127.0.0.1:{port}", is_remote=True, timeout=5)

        with ReconnectingSource(opens, 60, opened=opens()) as video:
            frames = []
            for frame in video:
                frames.append(frame)
                if video.reconnections:
                    break
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert [frame.index for frame in frames if frame.starts_anew] == [len(frames) - 1]
    times = [frame.time for frame in frames]
    assert times == sorted(set(times))
