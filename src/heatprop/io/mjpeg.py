"""Motion JPEG over HTTP, as cameras serve it: ``multipart/x-mixed-replace``, a JPEG a part.

libav gives up at the first byte that it does not expect. This reader looks for the next part instead.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

from heatprop.errors import SourceError
from heatprop.io.addresses import shown
from heatprop.io.http_stream import HttpStream
from heatprop.io.image_files import ImageError, image_of
from heatprop.io.sources import OpenSource, SourceInfo
from heatprop.types import Frame, ImageArray

_PIECE = 1 << 16
_LARGEST_PART = 64 << 20
_START, _END = b"\xff\xd8\xff", b"\xff\xd9"
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_HEADERS = re.compile(rb"\s*([\w-]+:[ -~]*\s+)*")


class Parts:
    """Finds the frames in the bytes of a multipart stream, whatever lies between them.

    Args:
        boundary: what stands between parts, with the dashes before it.

    Attributes:
        garbage: how many stretches held no frame.
        is_closed: whether the stream has said that it is over.
    """

    def __init__(self, boundary: bytes) -> None:
        self._boundary = boundary
        self._held = b""
        self.garbage = 0
        self.is_closed = False

    @property
    def is_within(self) -> bool:
        """Whether a frame has begun and not ended."""
        start = self._held.find(_START)
        return start >= 0 and not self._held.rstrip().endswith(_END)

    def push(self, data: bytes) -> Iterator[bytes]:
        """Take more bytes and yield the frames that are whole with them."""
        self._held += data
        while True:
            self._held = self._held.lstrip(b"\r\n")
            start = self._held.find(_START)
            announced = _LENGTH.search(self._held, 0, max(start, 0)) if start >= 0 else None
            if announced is not None:
                end = start + int(announced[1])
                # Believed only where a frame ends there.
                if self._held[max(end - 2, 0) : end] == _END:
                    self._count_garbage(self._held[:start])
                    yield self._held[start:end]
                    self._held = self._held[end:]
                    continue
            border = self._held.find(self._boundary, max(start, 0) if start >= 0 else len(self._boundary))
            if border < 0:
                break
            part, self._held = self._held[:border], self._held[border:]
            self._count_garbage(part[:start] if start >= 0 else part)
            if start >= 0:
                frame, mark, behind = part[start:].rpartition(_END)
                self.garbage += bool(mark and behind.strip(b"\r\n\0"))
                yield frame + mark if mark else behind
        self.is_closed |= self._held.startswith(self._boundary + b"--")
        if len(self._held) > _LARGEST_PART:
            self._held = b""
            self.garbage += 1

    def _count_garbage(self, before: bytes) -> None:
        """Count what stands before a frame as garbage, if more than a boundary and headers does."""
        if not _HEADERS.fullmatch(before.replace(self._boundary, b"", 1) + b"\n"):
            self.garbage += 1

    def rest(self) -> bytes:
        """Return the last frame, which no boundary follows; empty if there is none or it is not whole."""
        start, held = self._held.find(_START), self._held.rstrip()
        return held[start:] if start >= 0 and held.endswith(_END) else b""


class MjpegSource(OpenSource):
    """A camera that serves motion JPEG over HTTP. Times are those at which its frames arrived.

    Args:
        address: where, for messages.
        stream: what comes from there; the source then owns it.

    Raises:
        SourceError: there is no frame.
    """

    def __init__(self, address: str, stream: HttpStream) -> None:
        super().__init__()
        self._name = shown(address)
        self._stream = stream
        named = re.search(r'boundary="?([^";]+)', self._stream.content_type)
        self._parts = Parts(b"--" + named[1].strip().removeprefix("--").encode() if named else b"\r\n--")
        self._images = self._read()
        self._lock = threading.Lock()
        self._index = 0
        self._start: float | None = None
        try:
            first = next(self._images, None)
            if first is None:
                raise SourceError(f"{self._name}: it ended without a frame; check the address")
        except BaseException:
            self._stream.close()
            raise
        self._first: ImageArray | None = first
        self.info = SourceInfo(
            name=self._name,
            width=first.shape[1],
            height=first.shape[0],
            frame_rate=None,
            frame_count=None,
            duration=None,
            is_live=True,
            has_audio=False,
            is_paced=True,
        )

    def _read(self) -> Iterator[ImageArray]:
        """Yield the frames; what is damaged is counted.

        Raises:
            SourceError: the stream is cut off.
        """
        while not self._parts.is_closed:
            data = self._stream.read(_PIECE)
            found = list(self._parts.push(data))
            if not data:
                if self._parts.is_within:
                    raise SourceError(f"{self._name}: cut off in the middle of a frame; check the network")
                found += [rest] if (rest := self._parts.rest()) else []
                if not self._parts.is_closed:
                    self.note("the connection closed between two frames, without a word; taken for the end")
            for jpeg in found:
                try:
                    yield image_of(jpeg)
                except ImageError:
                    self.skipped += 1
            self.skipped += self._parts.garbage
            self._parts.garbage = 0
            if not data:
                return

    def _frames(self) -> Iterator[Frame]:
        while True:
            with self._lock:
                self._require_open()
                first, self._first = self._first, None
                image = next(self._images, None) if first is None else first
                self._require_open()
                if image is None:
                    return
                now = time.monotonic()
                self._start = now if self._start is None else self._start
                frame = Frame(image, self._index, now - self._start)
                self._index += 1
            yield frame

    def close(self) -> None:
        """Let go of the connection; calling it again does nothing."""
        self._is_open = False
        self._stream.close()
