"""What it means that no more comes from an address: the video ended, or only the connection did.

An end in good order ends a run with exit code 0. Any other end raises `SourceError`: a live source is then opened
again for as long as `reconnect` says, and a run that gives up has exit code 1.

============================  ======================================  =========================================
what is read                  an end in good order                    no end
============================  ======================================  =========================================
file over ``http``            all bytes that were announced           fewer bytes, a reset, silence
live over ``http``, chunked   the last chunk                          a connection that closes before it
live over ``http``, else      the connection closes                   a reset, silence
motion JPEG                   the closing boundary; the connection    the connection closes within a frame, a
                              closes between two frames             reset, silence
HLS                           a list with ``#EXT-X-ENDLIST``          a list without it, or none any more
``rtsp``                      a goodbye (RTCP BYE), after which the   a connection that closes, silence
                              server still answers
``rtmp``                      the server says that it is over         a connection that closes, silence
``udp``, ``rtp``              none for ``udp``; a goodbye for         silence
                              ``rtp``
``tcp``                       the connection closes                   a reset, silence
============================  ======================================  =========================================

Silence is `heatprop.io.container.TIMEOUT` without data. libav tells most of this apart, `HttpStream` and
`MjpegSource` what is live over HTTP. What neither does stands here.
"""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urljoin

import av

from heatprop.errors import SourceError
from heatprop.io.addresses import shown
from heatprop.io.http_stream import HttpStream

_LARGEST_PLAYLIST = 16 << 20
_VARIANTS, _ENDED = b"#EXT-X-STREAM-INF", b"#EXT-X-ENDLIST"


def require_end(container: av.container.InputContainer, address: str, timeout: float) -> None:
    """Return if what libav takes for the end of `container` is one.

    Args:
        container: what was opened at `address`, read to where libav says that it ends. It cannot be read on.
        address: where it is.
        timeout: seconds to wait for an answer from there.

    Raises:
        SourceError: the connection ended, and nothing says that the video did.
    """
    if container.format.name == "rtsp":
        _require_answer(container, address)
    elif container.format.name == "hls" and address.lower().startswith(("http://", "https://")):
        _require_end_of_list(address, timeout)


def _require_answer(container: av.container.InputContainer, address: str) -> None:
    # libav says the same after a goodbye as after a connection that closed. After a goodbye the server is still
    # there and answers. All that libav can be made to send is what it seeks with: PAUSE, then PLAY. A live stream
    # that is over has nothing to play: then the first call fails, and the second fails only if PAUSE did.
    for _ in range(2):
        with suppress(av.FFmpegError, OSError, ValueError):
            container.seek(0)
            return
    raise SourceError(f"{shown(address)}: the server is gone without a goodbye; check the server and the network")


def _require_end_of_list(address: str, timeout: float) -> None:
    # libav gives up, as if it were the end, where a list or all that it names is not to be had any more.
    lines = _lines_at(address, timeout)
    if any(line.startswith(_VARIANTS) for line in lines):
        variant = next((line for line in lines if line and not line.startswith(b"#")), b"")
        lines = _lines_at(urljoin(address, variant.decode(errors="replace")), timeout)
    if _ENDED not in lines:
        raise SourceError(f"{shown(address)}: nothing new, and its list has no end; check the server")


def _lines_at(address: str, timeout: float) -> list[bytes]:
    stream = HttpStream(address, timeout)
    try:
        text = b""
        while len(text) < _LARGEST_PLAYLIST and (data := stream.read(_LARGEST_PLAYLIST)):
            text += data
    finally:
        stream.close()
    return [line.strip() for line in text.splitlines()]
