"""Video files, addresses and streams, read through libav (PyAV)."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.stream import Disposition

from heatprop.errors import SourceError, SourceNotFoundError
from heatprop.io.addresses import shown
from heatprop.io.pixels import RgbReader
from heatprop.io.sources import OpenSource, SourceInfo
from heatprop.io.timeline import Timeline
from heatprop.types import Frame

DEFAULT_FRAME_RATE = Fraction(25)
TIMEOUT = 10.0
_MOST_ERRORS_IN_A_ROW = 64
_LONGEST_WAIT = 1.0
_SMALL_PICTURE = 1280 * 720
# What is at the address of these only says where the video is.
_IN_PIECES = {"hls", "dash"}
_PLAYLISTS = {*_IN_PIECES, "sdp"}
_NOT_VIDEO = {"tty", "image2", "bin", "xbin", "adf", "idf"}


def open_container(
    address: str | Path, *, is_remote: bool, timeout: float = TIMEOUT
) -> av.container.InputContainer:
    """Open a file or an address with libav.

    Args:
        address: the file or the address.
        is_remote: whether it goes over the network.
        timeout: seconds to wait for an address to answer, and for each piece of data from it.

    Raises:
        SourceNotFoundError: there is nothing there.
        SourceError: it cannot be read or is no video.
    """
    name = shown(address)
    if not is_remote and not os.access(address, os.R_OK):
        raise SourceError(f"{name}: permission denied; ask for the right to read it")
    if not is_remote and Path(address).is_file() and Path(address).stat().st_size == 0:
        raise SourceError(f"{name} is empty (0 bytes); copy or record it again")
    start = time.monotonic()
    try:
        return av.open(
            # Without the scheme libav takes a colon in a file's name for one.
            str(address) if is_remote else f"file:{address}",
            mode="r",
            metadata_errors="replace",
            options={"rtsp_flags": "prefer_tcp"} if name.lower().startswith("rtsp") else {},
            timeout=timeout if is_remote else None,
        )
    except (FileNotFoundError, av.HTTPNotFoundError):
        raise SourceNotFoundError(f"{name}: nothing found there; check the address") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        # Some protocols call an answer that never came invalid.
        is_late = is_remote and time.monotonic() - start >= timeout
        if isinstance(error, av.InvalidDataError) and not is_late:
            raise SourceError(f"{name} is not a video, or it is damaged or cut off; try to play it") from None
        if is_late:
            error = TimeoutError()
        raise explain_failure(name, error, timeout if is_remote else None) from None


def explain_failure(name: str, error: Exception, timeout: float | None) -> SourceError:
    """Return the error of one line for what libav said; `timeout` is None where there is no network."""
    reason = getattr(error, "strerror", None) or str(error)
    if timeout is not None and isinstance(error, av.error.ExitError | TimeoutError):
        reason = f"no data for {timeout:g} s"
    remedy = "check the file" if timeout is None else "check the address and the network"
    return SourceError(f"{name}: cannot read it ({reason}); {remedy}")


class PictureReader:
    """The pictures of one open container, in order; what is damaged is counted, not raised.

    Args:
        container: the container, which the reader then owns.
        name: what the user gave, for messages.
        timeout: seconds after which an address fails; None for a file.

    Raises:
        SourceError: the container holds no video stream that can be decoded.
    """

    def __init__(self, container: av.container.InputContainer, name: str, timeout: float | None) -> None:
        self.skipped = 0
        self._timeout = timeout
        self._name = name
        self.container = container
        videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not videos or container.format.name in _NOT_VIDEO:
            sound = "holds sound but no video" if container.streams.audio else "holds no video"
            raise SourceError(f"{name} {sound}; give a file with pictures")
        best = container.streams.best("video")
        self.stream = best if best in videos else videos[0]
        if self.stream.codec_context is None:
            raise SourceError(f"{name}: its video codec is unknown; convert it to H.264 first")
        # Small pictures decode in about a millisecond; more threads would only take time from the network.
        large = self.stream.width * self.stream.height > _SMALL_PICTURE
        self.stream.thread_type = "AUTO" if large else "NONE"
        self.stream.codec_context.thread_count = min(4, os.cpu_count() or 1) if large else 1
        self._packets = container.demux(self.stream)
        self._ready: deque[av.VideoFrame] = deque()
        self._at_end = False

    def read(self) -> av.VideoFrame | None:
        """Return the next whole picture, None at the end.

        Raises:
            SourceError: an address gives no more data in time, or the file cannot be read on.
        """
        while True:
            while not self._ready and not self._at_end:
                self._decode()
            if not self._ready:
                return None
            picture = self._ready.popleft()
            if not picture.is_corrupt and picture.width and picture.height:
                return picture
            self.skipped += 1

    def stamp(self, picture: av.VideoFrame) -> float | None:
        """Return the time stamp in seconds of a picture of this container, None when it has none."""
        # A picture that was waiting in the decoder at the end does not know its time base; the stream does.
        if picture.pts is None or not self.stream.time_base:
            return None
        return float(picture.pts * self.stream.time_base)

    def _decode(self) -> None:
        packet = self._next_packet()
        if packet is None:
            self._at_end = True
        try:
            self._ready.extend(self.stream.decode(packet))
        except EOFError:
            self._at_end = True
        except (av.FFmpegError, ValueError):
            self.skipped += 1

    def _next_packet(self) -> av.Packet[av.VideoStream] | None:
        for _ in range(_MOST_ERRORS_IN_A_ROW):
            try:
                packet = next(self._packets, None)
            except (av.FFmpegError, ValueError) as error:
                if isinstance(error, av.error.ExitError | OSError):
                    raise explain_failure(self._name, error, self._timeout) from None
                self.skipped += 1
                self._packets = self.container.demux(self.stream)
            else:
                return packet if packet is not None and packet.size else None
        return None

    def close(self) -> None:
        """Release the container; `read` gives None from now on."""
        self._at_end = True
        self._ready.clear()
        self._packets = iter(())
        self.container.close()


class ContainerSource(OpenSource):
    """A video file, or a video at an address.

    Args:
        address: path of a file, or an address when `is_remote`.
        is_remote: whether `address` goes over the network: then opening and reading have a time limit.
        timeout: that limit in seconds.

    Attributes:
        comes_in_pieces: whether it is a live stream that is published some seconds at a time (HLS, DASH).

    Raises:
        SourceNotFoundError: there is nothing there.
        SourceError: it cannot be read, or holds no picture.
    """

    def __init__(self, address: str | Path, *, is_remote: bool = False, timeout: float = TIMEOUT) -> None:
        super().__init__()
        self._address = address
        self._is_remote = is_remote
        self._timeout = timeout
        self._lock = threading.Lock()
        self._rgb = RgbReader()
        self._is_fresh = True
        self._reader = self._open()
        try:
            self._first = self._reader.read()
            if self._first is None:
                raise SourceError(
                    f"{shown(address)}: none of its pictures can be decoded "
                    f"({self._reader.skipped} damaged parts); it needs repair"
                )
            self._describe(self._first)
        except BaseException:
            self._reader.close()
            raise

    def _open(self) -> PictureReader:
        container = open_container(self._address, is_remote=self._is_remote, timeout=self._timeout)
        try:
            return PictureReader(container, shown(self._address), self._timeout if self._is_remote else None)
        except BaseException:
            container.close()
            raise

    def _describe(self, first: av.VideoFrame) -> None:
        stream, container, name = self._reader.stream, self._reader.container, shown(self._address)
        duration = (
            _seconds(stream.duration, stream.time_base)
            or _clock_seconds(stream.metadata.get("DURATION", ""))
            or _seconds(container.duration, Fraction(1, av.time_base))
        )
        is_playlist = container.format.name in _PLAYLISTS
        if self._is_remote:
            # A file has a size, even where nobody knows how long it lasts.
            is_live = is_playlist or container.size <= 0
            is_live &= not name.lower().startswith("http") or duration is None
        else:
            # A pipe gives each byte once, to whoever reads first.
            is_live = not Path(self._address).is_file()
        rate = stream.average_rate or stream.guessed_rate or None
        if rate is not None and not 0 < rate <= 1000:
            rate = None
        count = stream.frames or (round(duration * rate) if duration and rate else 0)
        height, width, _ = self._rgb.read(first).shape
        self.info = SourceInfo(
            name=name,
            width=width,
            height=height,
            frame_rate=rate,
            frame_count=None if is_live else max(count, 1) if count else None,
            duration=None if is_live else duration,
            is_live=is_live,
            has_audio=bool(container.streams.audio),
            start_time=self._reader.stamp(first) or 0.0,
            is_paced=self._is_remote and is_live,
        )
        self.comes_in_pieces = is_live and container.format.name in _IN_PIECES
        self._restart()

    def _restart(self) -> None:
        info = self.info
        gap = max(info.duration, 1.0) + 1.0 if info.duration else float("inf")
        self._timeline = Timeline(float(1 / (info.frame_rate or DEFAULT_FRAME_RATE)), gap)
        self._index = 0

    def _frames(self) -> Iterator[Frame]:
        with self._lock:
            self._require_open()
            if not self._is_fresh and not self.info.is_live:
                self._reader.close()
                self._reader = self._open()
                self._restart()
            self._is_fresh = False
            reader = self._reader
        while True:
            with self._lock:
                self._require_open()
                try:
                    picture = self._first or reader.read()
                finally:
                    if not self._is_open:  # `close` could not wait
                        reader.close()
                self._require_open()
                self._first = None
                self.skipped = reader.skipped
                if picture is None:
                    return
                seconds = self._timeline.place(reader.stamp(picture))
                frame = Frame(self._rgb.read(picture), self._index, seconds)
                self._index += 1
            yield frame

    def close(self) -> None:
        """Release the file or connection and its decoding threads; calling it again does nothing.

        Where another thread waits for data that does not come, that thread releases them when it returns.
        """
        self._is_open = False
        if not self._lock.acquire(timeout=_LONGEST_WAIT):
            return
        try:
            self._first = None
            self._reader.close()
        finally:
            self._lock.release()


def _seconds(ticks: int | None, time_base: Fraction | None) -> float | None:
    return float(ticks * time_base) if ticks and ticks > 0 and time_base else None


def _clock_seconds(text: str) -> float | None:
    """Return the seconds of a Matroska stream's length, such as ``00:00:05.280000000``."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", text)
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]) or None if match else None
