"""Which part of a source is wanted: the options of every command that takes one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

import tyro

from heatprop.errors import InvalidConfigError, check_count
from heatprop.io.frame_range import MAX_EVERY, FrameRange

_CLOCK = re.compile(r"(?:(?:(?P<hours>\d+):)?(?P<minutes>\d+):)?(?P<seconds>\d+(?:\.\d*)?|\.\d+)")


@dataclass(frozen=True, slots=True)
class RangeOptions:
    """Which part of each source is wanted. Times are seconds from its first frame, such as 65.5, or 1:05.5."""

    start: Annotated[str | None, tyro.conf.arg(metavar="TIME", help_behavior_hint="")] = None
    """Begin there; what lies before is not detected in."""
    end: Annotated[str | None, tyro.conf.arg(metavar="TIME", help_behavior_hint="")] = None
    """End before that."""
    every: Annotated[int, tyro.conf.arg(metavar="N", help_behavior_hint="")] = 1
    """Take the first frame and each Nth after it; the others are not detected in, and not in the video."""
    max_frames: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Stop after N frames, of each source."""

    def frames(self) -> FrameRange:
        """Return the range of frames.

        Raises:
            InvalidConfigError: a value is no time or number, or lies outside its range.
        """
        if self.max_frames is not None:
            check_count("--max-frames", self.max_frames, 1)
        check_count("--every", self.every, 1, MAX_EVERY)
        start = 0.0 if self.start is None else seconds_of("--start", self.start)
        end = None if self.end is None else seconds_of("--end", self.end)
        if end is not None and end <= start:
            raise InvalidConfigError(f"--end {self.end} is not after --start {self.start or 0}; give a later one")
        return FrameRange(start=start, end=end, every=self.every)


def seconds_of(option: str, text: str) -> float:
    """Return the seconds that a time means: 65.5, 1:05.5 or 0:01:05.5.

    Raises:
        InvalidConfigError: it is none; the message names the option.

    Example:
        >>> seconds_of("--start", "1:01:05.5")
        3665.5
    """
    parts = _CLOCK.fullmatch(text.strip())
    if parts is None:
        raise InvalidConfigError(f"{option} is {text!r}; give seconds such as 65.5, or a time such as 1:05.5")
    hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    if (parts["minutes"] is not None and seconds >= 60) or (parts["hours"] is not None and minutes >= 60):
        raise InvalidConfigError(f"{option} is {text}; no minute has 60 seconds, and no hour 60 minutes")
    return hours * 3600 + minutes * 60 + seconds
