"""The pictures of video files, addresses and streams, read through libav (PyAV)."""

from __future__ import annotations

import os
import stat
import time
from collections import deque
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from heatprop.errors import SourceError, SourceNotFoundError
from heatprop.io.addresses import shown
from heatprop.io.colour import UNSAID, ColourSpace
from heatprop.io.http_stream import HttpStream
from heatprop.io.picture_headers import LARGEST_PICTURE, too_large

TIMEOUT = 10.0
_MOST_ERRORS_IN_A_ROW = 64
_MOST_ASPECT = 16
_SMALL_PICTURE = 1280 * 720
# From release 19 on PyAV replaces what is no UTF-8 by itself.
_REPLACE: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
# What a file, and what an address, may make libav open besides itself: nothing of this machine but the file.
_LOCAL = "file,crypto,data"
_REMOTE = (
    "http,https,httpproxy,tcp,tls,udp,udplite,rtp,rtmp,rtmps,rtmpt,rtmpe,rtmpts,rtmpte,srt,srtp,rist,"
    "mmsh,mmst,ftp,crypto,data"
)
# These name other files to read, and a file that came from anywhere may name any.
_NAMES_OTHERS = frozenset({"concat", "dash", "hls", "imf", "lavfi", "rtsp", "sdp", "sap", "vapoursynth"})
_HEADS = {
    b"#EXTM3U": "HLS playlist",
    b"ffconcat": "list of files",
    b"v=0": "SDP description",
    b"<?xml": "description of a stream",
    b"<MPD": "DASH description",
}
_NOT_VIDEO = {"tty", "image2", "bin", "xbin", "adf", "idf"}


def open_container(
    address: str | Path, *, is_remote: bool, timeout: float = TIMEOUT, stream: HttpStream | None = None
) -> av.container.InputContainer:
    """Open a file or an address with libav.

    Args:
        address: the file or the address.
        stream: what is to be read in place of the address.
        is_remote: whether it goes over the network.
        timeout: seconds to wait for an address to answer, and for each piece of data from it.

    Raises:
        SourceNotFoundError: there is nothing there.
        SourceError: it cannot be read or is no video.
    """
    name = shown(address)
    if not is_remote:
        _check_file(Path(address))
    start = time.monotonic()
    try:
        container = av.open(
            # Without the scheme libav takes a colon in a file's name for one.
            stream or (str(address) if is_remote else f"file:{address}"),
            mode="r",
            options=_options(name, timeout if is_remote else None),
            timeout=timeout if is_remote and stream is None else None,
            **_REPLACE,
        )
    except SourceError:  # of the stream
        raise
    except (FileNotFoundError, av.HTTPNotFoundError):
        raise SourceNotFoundError(f"{name}: nothing found there; check the address") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        # Some protocols call an answer that never came invalid.
        is_late = is_remote and time.monotonic() - start >= timeout
        if not is_remote and (what := _names_others(Path(address))):
            raise SourceError(
                f"{name} is a {what}, which may name any file of this machine; give the files that it names"
            ) from None
        if isinstance(error, av.InvalidDataError) and not is_late:
            raise SourceError(f"{name} is not a video, or it is damaged or cut off; try to play it") from None
        if is_late:
            error = TimeoutError()
        raise explain_failure(name, error, timeout if is_remote else None) from None
    assert isinstance(container, av.container.InputContainer)
    return container


def _check_file(path: Path) -> None:
    """Refuse what is no file and no pipe, and what is empty.

    Raises:
        SourceError: it is.
    """
    try:
        kind = path.stat()
    except OSError as error:
        raise SourceError(f"{path}: cannot look there ({error.strerror}); check the path") from None
    if not (stat.S_ISREG(kind.st_mode) or stat.S_ISFIFO(kind.st_mode)):
        raise SourceError(f"{path} is a device or socket; give a file or a pipe, or camera:0 for a camera")
    if not os.access(path, os.R_OK):
        raise SourceError(f"{path}: permission denied; ask for the right to read it")
    if stat.S_ISREG(kind.st_mode) and kind.st_size == 0:
        raise SourceError(f"{path} is empty (0 bytes); copy or record it again")


def _options(name: str, timeout: float | None) -> dict[str, str]:
    """Return what libav is told: which protocols and which formats may be used, and how RTSP is spoken."""
    if timeout is None:
        formats = sorted(each for each in av.formats_available if not _NAMES_OTHERS & set(each.split(",")))
        return {"protocol_whitelist": _LOCAL, "format_whitelist": ",".join(formats)}
    options = {"protocol_whitelist": _REMOTE}
    if name.lower().startswith("rtsp"):
        # Of requests other than for data only libav itself counts the time, in microseconds; else it comes second.
        options |= {"rtsp_flags": "prefer_tcp", "timeout": str(round((timeout + 1) * 1e6))}
    return options


def _names_others(path: Path) -> str | None:
    """Return what a file is that names others, None if it does not look like one."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(64).lstrip(b"\xef\xbb\xbf \r\n")
    return next((what for start, what in _HEADS.items() if head.startswith(start)), None)


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
        problem = too_large(self.stream.width, self.stream.height)
        if problem is not None:
            raise SourceError(f"{name}: a picture of it {problem}; make it smaller first")
        self.stream.codec_context.options = {"max_pixels": str(LARGEST_PICTURE)}  # where its size changes
        # Small pictures decode in about a millisecond; more threads would only take time from the network.
        large = self.stream.width * self.stream.height > _SMALL_PICTURE
        self.stream.thread_type = "AUTO" if large else "NONE"
        self.stream.codec_context.thread_count = min(4, os.cpu_count() or 1) if large else 1
        self._coded_aspect = self.stream.codec_context.sample_aspect_ratio
        self._told_colours = _colours_of(self.stream.codec_context)
        self._packets = container.demux(self.stream)
        self._ready: deque[av.VideoFrame] = deque()
        self._at_end = False
        self._failure: SourceError | None = None

    def read(self) -> av.VideoFrame | None:
        """Return the next whole picture, None at the end.

        Raises:
            SourceError: an address gives no more data in time, or the file cannot be read on.
        """
        while True:
            while not self._ready and not self._at_end:
                if self._failure is not None:
                    raise self._failure
                self._decode()
            if not self._ready:
                return None
            picture = self._ready.popleft()
            if _is_whole(picture):
                return picture
            self.skipped += 1

    def stamps_ahead(self, count: int) -> list[float]:
        """Return the time stamps in seconds of the next `count` whole pictures, without reading them.

        Fewer come at the end, before what cannot be read, and of pictures without a stamp.
        """
        while not self._at_end and self._failure is None and sum(map(_is_whole, self._ready)) < count:
            try:
                self._decode()
            except SourceError as error:
                self._failure = error
        stamps = map(self.stamp, filter(_is_whole, self._ready))
        return [stamp for stamp in islice(stamps, count) if stamp is not None]

    def stamp(self, picture: av.VideoFrame) -> float | None:
        """Return the time stamp in seconds of a picture of this container, None when it has none."""
        # A picture that was waiting in the decoder at the end does not know its time base; the stream does.
        if picture.pts is None or not self.stream.time_base:
            return None
        return float(picture.pts * self.stream.time_base)

    @property
    def sample_aspect_ratio(self) -> Fraction:
        """Width of a stored pixel over its height, as of now; 1 where nothing is said, or nothing that can be."""
        # What the container says counts first, until the pictures themselves say something new.
        coded = self.stream.codec_context.sample_aspect_ratio
        ratio = self.stream.sample_aspect_ratio if coded == self._coded_aspect else coded
        return ratio if ratio and 1 / _MOST_ASPECT <= ratio <= _MOST_ASPECT else Fraction(1)

    @property
    def colours(self) -> ColourSpace:
        """What is said of the colours, as of now: by the pictures, else by the container."""
        said = _colours_of(self.stream.codec_context)
        return ColourSpace(
            self._told_colours.transfer if said.transfer == UNSAID.transfer else said.transfer,
            self._told_colours.primaries if said.primaries == UNSAID.primaries else said.primaries,
        )

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
        raise SourceError(
            f"{self._name}: {_MOST_ERRORS_IN_A_ROW} damaged parts in a row, and nothing whole after them; "
            + ("play it, or repair it" if self._timeout is None else "check the stream")
        )

    def close(self) -> None:
        """Release the container; `read` gives None from now on."""
        self._at_end = True
        self._ready.clear()
        self._packets = iter(())
        self.container.close()


def _colours_of(context: av.VideoCodecContext) -> ColourSpace:
    return ColourSpace(int(context.color_trc), int(context.color_primaries))


def _is_whole(picture: av.VideoFrame) -> bool:
    return not picture.is_corrupt and picture.width > 0 and picture.height > 0
