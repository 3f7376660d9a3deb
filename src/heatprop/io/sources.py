"""Where frames come from: what every video source offers, and what its kinds share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

from heatprop.errors import SourceError
from heatprop.io.timeline import Clock
from heatprop.types import Frame

DEFAULT_FRAME_RATE = Fraction(25)
"""Frames a second where a source says none, as images, which carry no times."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source before it is read.

    Attributes:
        name: what the user gave, without a name and password in an address.
        width: width in pixels of the first frame, upright (after rotation).
        height: height in pixels of the first frame, upright.
        frame_rate: nominal frames a second; None when unknown. 25 for images, which carry no times.
        frame_count: exact, or the container's estimate; None when unknown or without end.
        duration: length in seconds; None when unknown or without end.
        is_live: a camera, a stream or a pipe: it cannot be read twice and has no end of its own.
        has_audio: whether there is sound beside the frames.
        start_time: time stamp in seconds of the first frame on the source's own clock. `Frame.time` counts from
            there; a sink needs it to keep the sound in step.
        is_paced: frames come at their own time whether anyone reads or not: a camera, a live stream. Who is too
            slow for one must drop frames (`NewestFrames`). A file or a pipe waits for its reader.
        sample_aspect_ratio: width of a pixel over its height, upright; 1 for square pixels. Frames, and boxes in
            them, have the pixels as they are stored; what is written from them keeps the ratio.
        colour: the colours from which frames were converted to BT.709, such as ``"BT.2020 PQ"``; None where
            they are as they were.
        starts_at: `Frame.time` of the first frame, in seconds: 0, except where a part of a source begins later. A
            video that is written of it begins there.
        ends_early: whether frames come after the last one that is given, which a range leaves out.
        clock: how the source's own clock was followed so far; it grows while frames are read.
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
    is_paced: bool = False
    sample_aspect_ratio: Fraction = Fraction(1)
    colour: str | None = None
    starts_at: float = 0.0
    ends_early: bool = False
    clock: Clock = field(default_factory=Clock, compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return what can be said of the source before it is read, by name."""
        said = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "clock"}
        usual = ("starts_at", "ends_early")  # what was added later stands there where it says something
        return {name: value for name, value in said.items() if value or name not in usual}


@runtime_checkable
class VideoSource(Protocol):
    """A video that can be read frame by frame, and a context manager.

    Iterating yields `Frame`: uint8 RGB ``(H, W, 3)``, upright; `index` from 0 without gaps, except frames that a
    live source dropped or a range leaves out; `time` in seconds, `info.starts_at` for the first frame and
    strictly increasing. Frames may change their size on the way. Iterating a file, folder or pattern again starts
    again at the beginning and ends an iteration under way; a live source just goes on. After `close`, iterating
    raises `SourceError`.
    """

    @property
    def info(self) -> SourceInfo:
        """What is known of the source."""
        ...

    @property
    def skipped(self) -> int:
        """Damaged packets and frames skipped so far in the present iteration."""
        ...

    @property
    def dropped(self) -> int:
        """Whole frames that nobody took in time, so far; always 0 unless `info.is_paced`."""
        ...

    @property
    def reconnections(self) -> int:
        """How often a live source was lost and found again so far."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What is worth knowing of how it was read so far: short lines without an end of sentence."""
        ...

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None:
        """Release the source, without waiting for data that does not come; again: do nothing."""
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
        self.dropped = self.reconnections = 0
        self.notes: list[str] = []
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

    def note(self, line: str) -> None:
        """Add a line to `notes`, unless it is there."""
        if line not in self.notes:
            self.notes.append(line)

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
