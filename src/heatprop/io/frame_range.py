"""A part of a source: from a time, to a time, every so many frames."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

from heatprop.errors import SourceError, check_count, check_range
from heatprop.io.sources import DEFAULT_FRAME_RATE, SourceInfo, VideoSource
from heatprop.types import Frame

_TICK = 1e-6
"""Times that are closer than this are the same: a time is typed in decimals, and stamped in binary fractions."""
MAX_EVERY = 1_000_000


@dataclass(frozen=True, kw_only=True)
class FrameRange:
    """Which frames of a source are wanted.

    Attributes:
        start: seconds from the first frame of the source at which the range begins; at least 0.
        end: seconds from there at which it ends, the frame at `end` not included; None for the end of the source.
        every: of the frames between, the first and each so many after it; from 1 to 1,000,000.

    Raises:
        InvalidConfigError: a value lies outside its range, or `end` is not after `start`.

    Example:
        >>> times = [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]
        >>> list(FrameRange(start=0.25, end=1.25, every=2).places(times))
        [1, 3]
    """

    start: float = 0.0
    end: float | None = None
    every: int = 1

    def __post_init__(self) -> None:
        check_range("start", self.start, 0, 1e9)
        if self.end is not None:
            check_range("end", self.end, 0, 1e9)
            check_range("end", self.end, math.nextafter(self.start, math.inf), 1e9)
        check_count("every", self.every, 1, MAX_EVERY)

    @property
    def is_everything(self) -> bool:
        """Whether no frame is left out."""
        return self == FrameRange()

    def begins_by(self, time: float) -> bool:
        """Return whether a frame at `time` is not before the range."""
        return time >= self.start - _TICK

    def ends_by(self, time: float) -> bool:
        """Return whether a frame at `time` is after the range."""
        return self.end is not None and time >= self.end - _TICK

    def places(self, times: Sequence[float]) -> Iterator[int]:
        """Yield the places of the frames in the range, of frames at rising times."""
        inside = [place for place, time in enumerate(times) if self.begins_by(time) and not self.ends_by(time)]
        yield from inside[:: self.every]

    def to_json(self) -> dict[str, Any]:
        """Return what is not as usual, by name."""
        usual = FrameRange()
        values = {"start": self.start, "end": self.end, "every": self.every}
        return {name: value for name, value in values.items() if value != getattr(usual, name)}


@runtime_checkable
class Seekable(Protocol):
    """A source that can pass over what lies before a time without reading all of it."""

    def begin_near(self, time: float) -> None:
        """Let the next iteration begin with a frame at `time` or somewhat earlier, where that is possible."""


class RangeSource:
    """A part of a source, as a `VideoSource` of its own; it owns the source.

    Times are those of the whole source, so that what is found at 65.2 seconds is found there in a player. Frames
    are counted from the first of the range; those that `every` leaves out are counted, too.

    Args:
        source: newly opened.
        frames: which are wanted.

    Attributes:
        info: of the source, with the length of the range, and `starts_at`.

    Raises:
        SourceError: the source ends before the range begins, or is live and has no past to begin in; it is closed.
    """

    def __init__(self, source: VideoSource, frames: FrameRange) -> None:
        self._source, self._range = source, frames
        self._fresh: tuple[Frame, Iterator[Frame]] | None = None
        try:
            if source.info.is_paced and frames.start > 0:
                raise SourceError(
                    f"{source.info.name} is live: it begins when it is opened; drop the start of the range"
                )
            self.info = self._describe()
        except BaseException:
            source.close()
            raise

    def _describe(self) -> SourceInfo:
        info, wanted = self._source.info, self._range
        starts_at = 0.0
        if wanted.start > 0:
            if isinstance(self._source, Seekable):
                self._source.begin_near(wanted.start)
            rest = iter(self._source)
            last = 0.0
            for frame in rest:
                if wanted.begins_by(frame.time):
                    break
                last = frame.time
            else:
                raise SourceError(
                    f"{info.name}: its last frame is at {last:.2f} s, before the range, which begins at "
                    f"{wanted.start:g} s; give an earlier start"
                )
            if wanted.ends_by(frame.time):
                raise SourceError(
                    f"{info.name}: no frame lies between {wanted.start:g} and {wanted.end:g} s; the next is at "
                    f"{frame.time:.2f} s; give a later end"
                )
            self._fresh = frame, rest
            starts_at = frame.time
        rate = info.frame_rate
        length = None if info.duration is None else max(info.duration - starts_at, 0.0)
        if wanted.end is not None:
            length = wanted.end - starts_at if length is None else min(length, wanted.end - starts_at)
        count = None if length is None else max(math.ceil(length * (rate or DEFAULT_FRAME_RATE) - 0.5), 1)
        if info.frame_count is not None:
            count = info.frame_count if count is None else min(count, info.frame_count)
        ends = wanted.end is not None or info.frame_count is not None
        return replace(
            info,
            frame_rate=None if rate is None else rate / Fraction(wanted.every),
            frame_count=-(-count // wanted.every) if count is not None and ends else None,
            duration=length if ends else None,
            starts_at=starts_at,
            ends_early=wanted.end is not None,
        )

    def __iter__(self) -> Iterator[Frame]:
        return self._frames()

    def _frames(self) -> Iterator[Frame]:
        wanted = self._range
        fresh, self._fresh = self._fresh, None
        if fresh is None:
            if wanted.start > 0 and isinstance(self._source, Seekable):
                self._source.begin_near(wanted.start)
            frames = iter(self._source)
        else:
            frames = chain(fresh[:1], fresh[1])
        inside = 0
        skipped_at_seam = False
        for frame in frames:
            if wanted.ends_by(frame.time):
                return
            if not wanted.begins_by(frame.time):
                continue
            skipped_at_seam |= frame.starts_anew
            if inside % wanted.every == 0:
                yield replace(frame, index=inside, starts_anew=skipped_at_seam)
                skipped_at_seam = False
            inside += 1

    @property
    def skipped(self) -> int:
        """See `VideoSource`."""
        return self._source.skipped

    @property
    def dropped(self) -> int:
        """See `VideoSource`."""
        return self._source.dropped

    @property
    def reconnections(self) -> int:
        """See `VideoSource`."""
        return self._source.reconnections

    @property
    def notes(self) -> Sequence[str]:
        """See `VideoSource`."""
        return self._source.notes

    def close(self) -> None:
        """See `VideoSource`."""
        self._fresh = None
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
