"""Live streams over HTTP: garbage is skipped, an end that is none is an error, and what breaks is opened again."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import cv2
import pytest

from heatprop import open_video
from heatprop.errors import InvalidConfigError, SourceError, SourceNotFoundError
from heatprop.io.mjpeg import Parts
from small_videos import build_video, number_of, paint

Serve = Callable[[socket.socket, int], None]
MULTIPART = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: multipart/x-mixed-replace; boundary=f\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: video/mp2t\r\n\r\n"


def jpeg(number: int) -> bytes:
    return cv2.imencode(".jpg", paint(number)[..., ::-1])[1].tobytes()


def part(number: int, *, with_length: bool = True) -> bytes:
    data = jpeg(number)
    length = b"Content-Length: %d\r\n" % len(data) if with_length else b""
    return b"--f\r\nContent-Type: image/jpeg\r\n" + length + b"\r\n" + data + b"\r\n"


@contextmanager
def serving(serve: Serve, path: str = "x.mjpg") -> Iterator[str]:
    """Answer each connection with `serve(connection, number)`, and give the address."""
    listening = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        for number in range(1_000):
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection, number), daemon=True).start()

    def answer(connection: socket.socket, number: int) -> None:
        with closing(connection):
            try:
                connection.recv(65_536)
                serve(connection, number)
            except OSError:
                pass

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/{path}"
    finally:
        listening.close()


def numbers_from(address: str, reconnect: float = 0) -> list[int]:
    """Return which frames came, without those that a slow reader would drop."""
    with open_video(address, reconnect=reconnect) as video:
        return [number_of(frame.image) for frame in video]


def slowly(connection: socket.socket, *pieces: bytes) -> None:
    for piece in pieces:
        connection.sendall(piece)
        time.sleep(0.05)


@pytest.mark.parametrize("garbage", [1, 2_000, 200_000])
@pytest.mark.parametrize("with_length", [True, False])
def test_garbage_between_frames_is_skipped_and_counted(garbage: int, with_length: bool) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        parts = [part(number, with_length=with_length) for number in range(8)]
        slowly(connection, MULTIPART, *parts[:4], os.urandom(garbage), *parts[4:], b"--f--\r\n")

    with serving(serve) as address, open_video(address, reconnect=0) as video:
        numbers = [number_of(frame.image) for frame in video]
        assert numbers == sorted(numbers)
        assert {0, 5, 6, 7} <= set(numbers)
        assert garbage == 1 or video.skipped > 0


def test_a_damaged_frame_is_skipped_and_counted() -> None:
    def serve(connection: socket.socket, _: int) -> None:
        whole = part(3)
        damaged = whole[: len(whole) // 2] + b"\r\n"
        slowly(connection, MULTIPART, part(0), damaged, part(1), part(2), b"--f--\r\n")

    with serving(serve) as address, open_video(address, reconnect=0) as video:
        assert [number_of(frame.image) for frame in video] == [0, 1, 2]
        assert video.skipped == 1


@pytest.mark.parametrize("ending", [b"--f--\r\n", b""])
def test_a_stream_that_closes_after_a_whole_frame_has_ended(ending: bytes) -> None:
    with serving(lambda connection, _: slowly(connection, MULTIPART, part(0), part(1), ending)) as address:
        assert numbers_from(address) == [0, 1]


def test_a_stream_that_closes_within_a_frame_is_cut_off() -> None:
    def serve(connection: socket.socket, _: int) -> None:
        slowly(connection, MULTIPART, part(0), part(1)[:-400])

    with serving(serve) as address, pytest.raises(SourceError, match="in the middle of a frame"):
        numbers_from(address)


def test_a_connection_that_is_reset_is_no_end() -> None:
    def serve(connection: socket.socket, _: int) -> None:
        slowly(connection, MULTIPART, part(0), part(1), part(2))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with serving(serve) as address, pytest.raises(SourceError, match="cannot read it"):
        numbers_from(address)


def chunks(data: bytes, size: int = 4_000) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        piece = data[start : start + size]
        yield b"%x\r\n%s\r\n" % (len(piece), piece)


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_transport_stream_in_chunks_has_ended_only_with_its_last_chunk(is_whole: bool, tmp_path: Path) -> None:
    data = build_video(tmp_path / "a.ts", 12, options={"bf": "0", "g": "4"}).read_bytes()

    def serve(connection: socket.socket, _: int) -> None:
        slowly(connection, CHUNKED, *chunks(data), *([b"0\r\n\r\n"] if is_whole else []))

    with serving(serve, "live") as address:
        if is_whole:
            with open_video(address, reconnect=0) as video:
                assert video.info.is_live
                assert len(list(video)) > 0
        else:
            with pytest.raises(SourceError, match="cut off"):
                numbers_from(address)


def test_what_breaks_is_opened_again_and_goes_on() -> None:
    def serve(connection: socket.socket, number: int) -> None:
        if number == 0:
            slowly(connection, MULTIPART, part(0), part(1), part(2)[:-300])
        elif number < 3:
            return  # the server is not up again
        else:
            slowly(connection, MULTIPART, part(3), part(4), b"--f--\r\n")

    with serving(serve) as address, open_video(address, reconnect=10) as video:
        frames = list(video)
        assert [number_of(frame.image) for frame in frames] == [0, 1, 3, 4]
        assert [frame.starts_anew for frame in frames] == [False, False, True, False]
        assert [frame.index for frame in frames] == [0, 1, 2, 3]
        times = [frame.time for frame in frames]
        assert times == sorted(set(times))
        assert times[2] - times[1] > 0.2
        assert video.reconnections == 1


def test_what_does_not_come_back_is_an_error_after_the_time_that_was_given() -> None:
    def serve(connection: socket.socket, number: int) -> None:
        if number == 0:
            slowly(connection, MULTIPART, part(0), part(1)[:-300])

    with serving(serve) as address, open_video(address, reconnect=1) as video:
        with pytest.raises(SourceError, match="in the middle of a frame"):
            list(video)
        assert video.reconnections == 0


def test_closing_ends_the_trying() -> None:
    def serve(connection: socket.socket, number: int) -> None:
        if number == 0:
            slowly(connection, MULTIPART, part(0), part(1), part(2)[:-300])

    with serving(serve) as address:
        video = open_video(address, reconnect=600)
        frames = iter(video)
        next(frames)
        threading.Timer(1, video.close).start()
        with pytest.raises(SourceError, match="closed"):
            list(frames)


def test_what_is_not_there_at_first_is_not_tried_again() -> None:
    def serve(connection: socket.socket, _: int) -> None:
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with serving(serve) as address, pytest.raises(SourceNotFoundError, match="nothing found there"):
        open_video(address)
    with pytest.raises(InvalidConfigError, match="reconnect is -1"):
        open_video("a.mp4", reconnect=-1)


def test_the_command_says_how_often_it_reconnected_and_how_it_ended(tmp_path: Path) -> None:
    def serve(connection: socket.socket, number: int) -> None:
        endings = {0: part(3)[:-300], 1: b"--f--\r\n"}
        if number in endings:
            slowly(connection, MULTIPART, part(0), part(1), part(2), endings[number])

    with serving(serve) as address:
        base = [sys.executable, "-m", "heatprop", "detect", address, "--input-size", "64"]
        again = subprocess.run(
            [*base, "--json", "a.jsonl"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
    assert again.returncode == 0, again.stderr
    assert "lost and found again 1 times" in again.stderr
    assert '"complete":true' in (tmp_path / "a.jsonl").read_text().splitlines()[-1]
    with serving(serve) as address:
        base[4] = address
        once = subprocess.run(
            [*base, "--json", "b.jsonl", "--reconnect", "0"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert once.returncode == 1, once.stderr
    assert "in the middle of a frame" in once.stderr
    assert '"complete":false' in (tmp_path / "b.jsonl").read_text().splitlines()[-1]


def test_frames_are_found_however_the_bytes_are_cut() -> None:
    data = b"".join(part(number, with_length=number % 2 == 0) for number in range(5)) + b"--f--\r\n"
    for size in (1, 7, 100, len(data)):
        parts = Parts(b"--f")
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        found = [each.rstrip(b"\r\n") for piece in pieces for each in parts.push(piece)]
        assert found == [jpeg(number) for number in range(5)]
        assert parts.is_closed
        assert not parts.garbage
