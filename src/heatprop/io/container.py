"""Video files, addresses and streams, opened with libav (PyAV): only what the user named, and only in time."""

from __future__ import annotations

import os
import stat
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from heatprop.errors import SourceError, SourceNotFoundError
from heatprop.io.addresses import shown
from heatprop.io.demuxing import explain_failure
from heatprop.io.http_stream import HttpStream

TIMEOUT = 10.0
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
# These know where their key frames are, and keep one clock.
_HAVE_INDEX = frozenset({"matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2"})
# Seconds that are rather read than passed over, and by which a key frame comes before what is wanted: the first
# frames after one may need others before it.
_SHORT_WAY, _LEAD = 20.0, 2.0
_HEADS = {
    b"#EXTM3U": "HLS playlist",
    b"ffconcat": "list of files",
    b"v=0": "SDP description",
    b"<?xml": "description of a stream",
    b"<MPD": "DASH description",
}


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
            # Given as `options` they crash PyAV before 17 where streams turn up later, as in FLV.
            container_options=_options(name, timeout if is_remote else None),
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


def seek_before(container: av.container.InputContainer, stamp: float) -> bool:
    """Let an open container go on from a key frame some seconds before a time stamp; return whether it does.

    Only what has an index of its key frames is asked, and only where that saves more than it costs.

    Args:
        container: nothing of which was decoded yet.
        stamp: in seconds on its own clock.
    """
    begins = (container.start_time or 0) / av.time_base
    if container.format.name not in _HAVE_INDEX or stamp - begins < _SHORT_WAY:
        return False
    try:
        container.seek(round((stamp - _LEAD) * av.time_base))
    except (av.FFmpegError, OSError):
        return False
    return True


def _check_file(path: Path) -> None:
    """Refuse what is no file and no pipe, and what is empty.

    Raises:
        SourceError: it is.
    """
    try:
        kind = path.stat()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check the path") from None
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


def as_fraction(ratio: Fraction) -> Fraction:
    """Return a ratio of libav's as a Fraction; PyAV 19 has a kind of its own, which lacks half of that."""
    return Fraction(ratio.numerator, ratio.denominator)
