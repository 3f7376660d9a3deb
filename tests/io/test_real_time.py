"""Which sources are read in real time: cameras and live streams, and nothing that waits for its reader."""

import os
import socket
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from heatprop.errors import SourceError
from heatprop.io import VideoSource, open_video
from heatprop.io.camera import CameraSource
from heatprop.io.container_source import ContainerSource
from heatprop.io.newest import NewestFrames
from small_videos import build_video, paint

PATIENCE = 30.0  # seconds until a test that fails gives up; none that passes waits so long


def test_files_folders_and_pipes_lose_nothing(tmp_path: Path) -> None:
    clip = build_video(tmp_path / "clip.ts")
    assert cv2.imwrite(str(tmp_path / "shot.png"), np.zeros((6, 8, 3), np.uint8))
    sources = [clip, tmp_path / "shot.png"]
    feeder = None
    if sys.platform != "win32":
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        sources.append(pipe)
        feeder = threading.Thread(target=lambda: pipe.write_bytes(clip.read_bytes()), daemon=True)
        feeder.start()
    for path in sources:
        with open_video(path) as source:
            assert not source.info.is_paced
            assert not isinstance(source, NewestFrames)
            indices = [frame.index for frame in source]
            assert indices == list(range(len(indices)))
            assert source.dropped == 0
    if feeder is not None:
        feeder.join(PATIENCE)


def test_a_camera_is_paced(tmp_path: Path) -> None:
    # OpenCV reads files with the class it reads cameras with.
    path = build_video(tmp_path / "clip.avi", codec="mjpeg", pixel_format="yuvj420p")
    with CameraSource(cv2.VideoCapture(str(path))) as source:
        assert source.info.is_paced


@pytest.mark.skipif(sys.platform == "win32", reason="has no such files")
def test_closing_does_not_wait_for_a_camera_that_hangs(tmp_path: Path) -> None:
    data = build_video(tmp_path / "clip.ts", 2000).read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    stall = threading.Event()

    def feed() -> None:
        with pipe.open("wb", buffering=0) as file:
            file.write(data[: len(data) // 2])
            stall.wait(PATIENCE)

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    source = NewestFrames(CameraSource(cv2.VideoCapture(str(pipe), cv2.CAP_FFMPEG)))
    try:
        frames = iter(source)
        next(frames)
        source.close()
        with pytest.raises(SourceError, match="is closed"):
            next(frames)
    finally:
        stall.set()
        feeder.join(PATIENCE)
    for thread in threading.enumerate():
        if thread.name == "heatprop-newest":
            thread.join(PATIENCE)


def build_playlist(folder: Path) -> str:
    """Write 200 frames as a playlist of pieces of about a second, and return it; without its end it is live."""
    with av.open(
        str(folder / "ended.m3u8"), "w", format="hls", options={"hls_time": "1", "hls_list_size": "0"}
    ) as out:
        stream = out.add_stream("libx264", rate=25, options={"g": "25"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(200):
            frame = av.VideoFrame.from_ndarray(paint(number))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return (folder / "ended.m3u8").read_text()


def test_a_file_on_the_network_is_no_live_stream_though_nobody_knows_how_long_it_lasts(
    tmp_path: Path, serve: Callable[[Path], str]
) -> None:
    build_video(tmp_path / "clip.ts", 100)
    build_playlist(tmp_path)
    address = serve(tmp_path)
    for name, frames in (("clip.ts", 100), ("ended.m3u8", 200)):
        with open_video(f"{address}/{name}") as source:
            assert not source.info.is_live
            assert not source.info.is_paced
            assert len(list(source)) == frames
            assert source.dropped == 0


def test_a_live_playlist_is_read_in_real_time_though_it_comes_in_pieces(
    tmp_path: Path, serve: Callable[[Path], str]
) -> None:
    playlist = build_playlist(tmp_path)
    (tmp_path / "live.m3u8").write_text(playlist.replace("#EXT-X-ENDLIST\n", ""))
    address = f"{serve(tmp_path)}/live.m3u8"
    with ContainerSource(address, is_remote=True) as source:
        assert source.comes_in_pieces
    with open_video(address) as source:
        assert isinstance(source, NewestFrames)
        assert source.info.is_paced
        indices = [frame.index for frame in islice(source, 5)]
        assert indices == sorted(set(indices))


class _Broadcast:
    """Sends a video as a live MPEG-TS stream over UDP, round and round, whether anyone listens or not."""

    def __init__(self, data: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._data = data
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def _send(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while not self._over.is_set():
                for start in range(0, len(self._data), 1316):
                    out.sendto(self._data[start : start + 1316], ("127.0.0.1", self.port))
                    if self._over.wait(0.002):
                        return

    def __enter__(self) -> str:
        self._thread.start()
        return f"udp://127.0.0.1:{self.port}"

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def test_a_live_stream_is_read_in_real_time(tmp_path: Path) -> None:
    data = build_video(tmp_path / "clip.ts", 100, options={"bf": "0", "g": "10"}).read_bytes()
    with _Broadcast(data) as address, open_video(address) as source:
        assert isinstance(source, VideoSource)
        assert isinstance(source, NewestFrames)
        assert source.info.is_paced
        frames = iter(source)
        first = next(frames)
        while source.dropped < 5:  # a consumer that is very slow
            threading.Event().wait(0.01)
        later = next(frames)
        assert first.index == 0
        assert later.index > 5
        assert later.time > first.time
        assert later.image.shape == first.image.shape == (48, 64, 3)
