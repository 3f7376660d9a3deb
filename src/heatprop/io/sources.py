"""Where frames come from: the contract of a video source, and `open_video`, which finds the right kind."""

from __future__ import annotations

import re
import urllib.parse
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from heatprop.errors import SourceError, SourceNotFoundError
from heatprop.types import Frame

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_CAMERA = re.compile(r"camera:(\d+)|(/dev/(?:video\d+|v4l/.+))")


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source before it is read.

    Attributes:
        name: what the user gave.
        width: width in pixels of the first picture, upright (after rotation).
        height: height in pixels of the first picture, upright.
        frame_rate: nominal frames a second; None when unknown. 25 for images, which carry no times.
        frame_count: exact, or the container's estimate; None when unknown or without end.
        duration: length in seconds; None when unknown or without end.
        is_live: a camera or a stream: it cannot be read twice and has no end of its own.
        has_audio: whether there is sound beside the pictures.
        start_time: time stamp in seconds of the first frame on the source's own clock. `Frame.time` counts from
            there; a sink needs it to keep the sound in step.
    """

    name: str
    width: int
    height: int
    frame_rate: Fraction | None
    frame_count: int | None
    duration: float | None
    is_live: bool
    has_audio: bool
    start_time: float = 0.0


@runtime_checkable
class VideoSource(Protocol):
    """A video that can be read frame by frame, and a context manager.

    Iterating yields `Frame`: uint8 RGB ``(H, W, 3)``, upright; `index` from 0 without gaps; `time` in seconds,
    0 for the first frame and strictly increasing. Pictures may change their size on the way. Iterating a file,
    folder or pattern again starts again at the beginning and ends an iteration under way; a live source just
    goes on. After `close`, iterating raises `SourceError`.
    """

    @property
    def info(self) -> SourceInfo:
        """What is known of the source."""
        ...

    @property
    def skipped(self) -> int:
        """Damaged packets and pictures left out so far in the present iteration."""
        ...

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None:
        """Release the source; calling it again does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class OpenSource(ABC):
    """What the kinds of source share: open until closed, and a context manager."""

    info: SourceInfo

    def __init__(self) -> None:
        self.skipped = 0
        self._is_open = True

    @abstractmethod
    def _frames(self) -> Iterator[Frame]:
        """Yield the frames."""

    @abstractmethod
    def close(self) -> None:
        """Release the source; calling it again does nothing."""

    def __iter__(self) -> Iterator[Frame]:
        self._require_open()
        return self._frames()

    def _require_open(self) -> None:
        if not self._is_open:
            raise SourceError(f"{self.info.name} is closed; open it again to read it")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def is_address(name: str | Path) -> bool:
    """Return whether `name` goes over the network, such as ``https://...`` or ``rtsp://...``."""
    return isinstance(name, str) and bool(_ADDRESS.match(name)) and not name.lower().startswith("file://")


def open_video(source: str | Path | int) -> VideoSource:
    """Open a video, whatever it is, and look at its first picture.

    Args:
        source: a video file; an ``http(s)``, ``rtsp`` or other address; a camera as number, ``camera:0`` or
            ``/dev/video0``; a folder of images, one image, or a pattern such as ``shots/*.jpg``.

    Raises:
        SourceNotFoundError: there is no such file, folder, camera or page.
        SourceError: it cannot be read, or holds no pictures.

    Example:
        >>> open_video("missing.mp4")
        Traceback (most recent call last):
            ...
        heatprop.errors.SourceNotFoundError: missing.mp4: no such file; check the path
    """
    # Each kind is imported when it is asked for: the one for files and addresses needs PyAV, 50 ms that
    # `import heatprop` must not cost.
    name = str(source)
    camera = _CAMERA.fullmatch(name)
    if isinstance(source, int) or camera:
        from heatprop.io.camera import CameraSource  # noqa: PLC0415

        number = camera[1] if camera else name
        return CameraSource(int(number) if number else name)
    if is_address(source):
        from heatprop.io.container import ContainerSource  # noqa: PLC0415

        return ContainerSource(name, is_remote=True)
    if name.lower().startswith("file://"):
        from urllib.request import url2pathname  # noqa: PLC0415 - 30 ms that only such an address needs

        name = url2pathname(urllib.parse.urlparse(name).path)
    path = Path(name)
    from heatprop.io.images import IMAGE_SUFFIXES, ImageSource, is_pattern  # noqa: PLC0415

    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES or is_pattern(path):
        return ImageSource(path)
    if not path.exists():
        remedy = f"for a camera write camera:{name}" if name.isdecimal() else "check the path"
        raise SourceNotFoundError(f"{name}: no such file; {remedy}")
    from heatprop.io.container import ContainerSource  # noqa: PLC0415

    return ContainerSource(path)
