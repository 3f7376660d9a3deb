"""Time stamps as a container gives them -> times that only go forward, and the record of how they were placed."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

# As FFmpeg has it for containers whose clock may jump; and a live source that is silent for so long has failed.
LONGEST_SILENCE = 10.0
LONGEST_PAUSE = 3600.0
# How many frames the caller should read ahead when a stamp is in doubt: fewer than half of so many wrong ones
# in a row are known for what they are.
STAMPS_AHEAD = 8
_CLOCK_JUMP = 1.0
_TICK = 0.001
_UNEVEN = 1.5
_SOON = 2.5
_MAX_HOLE = 4.0
_REMEMBERED_CLOCKS = 4
_REMEMBERED_STEPS = 9


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a video in which its own clock runs evenly.

    Attributes:
        time: seconds at which it begins, from the first frame.
        stamp: what the source's own clock shows then, in seconds.
    """

    time: float
    stamp: float

    @property
    def origin(self) -> float:
        """What the source's own clock would have shown at 0."""
        return self.stamp - self.time


@dataclass(slots=True)
class Clock:
    """How a source's own clock was followed so far: what was undone for the frames can be for the sound.

    Attributes:
        stretches: in order; a new one for each jump of the clock.
        last: the last stamp that was believed, in seconds on the source's own clock.
        frames: how many there were in all; None until the source was read to its end.
    """

    stretches: list[Stretch] = field(default_factory=list)
    last: float = 0.0
    frames: int | None = None

    def end(self, place: int) -> float:
        """Return what the source's own clock shows at the end of a stretch, as far as known, by its place."""
        if place + 1 == len(self.stretches):
            return self.last
        return self.stretches[place + 1].time + self.stretches[place].origin


class Timeline:
    """Places frames on a clock that starts at 0 and strictly increases.

    A stamp that is believed is kept to the tick, so that a variable frame rate keeps its times. Every other
    frame is placed by the last stamp that was believed, a usual step on for each frame since, so that a bad
    stamp moves its own frame and no other. Where a frame so placed has overtaken the next good stamp, the
    frames follow each other by milliseconds until their stamps are later again.

    A clock that jumps is followed from a usual step after the last frame. Clocks left behind are remembered:
    where a stamp is due on one of them, it is that which runs on.

    Stamps that come out of order, those of decoding, are given to the frames in rising order.

    Args:
        step: nominal seconds between two frames, positive; what was seen of the clock counts more.
        longest_pause: seconds that two neighbours may lie apart; farther, the clock has jumped.
        clock: the record to write, which is emptied first; a new one when None.
        end: what the container says that its clock shows at the end, in seconds; None when it does not. The last
            stamp has no other to bear it out.

    Attributes:
        clock: how the source's own clock was followed so far.

    Example:
        >>> timeline = Timeline(step=0.5)
        >>> [timeline.place(stamp) for stamp in (10.0, 10.5, 10.5, 11.5, None, 12.5, 3.0, 3.5)]
        [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]
    """

    def __init__(
        self,
        step: float,
        longest_pause: float = LONGEST_PAUSE,
        clock: Clock | None = None,
        end: float | None = None,
    ) -> None:
        self.clock = Clock() if clock is None else clock
        self.clock.stretches.clear()
        self.clock.frames = None
        self._end = math.inf if end is None else end
        self._longest_pause = longest_pause
        self._steps: deque[float] = deque([step], _REMEMBERED_STEPS)
        self._origins: deque[float] = deque(maxlen=_REMEMBERED_CLOCKS)
        self._origin: float | None = None
        # The last stamp that was believed, its time on its clock, and the frames since.
        self._stamp = self._time = 0.0
        self._since = 0
        self._last = -math.inf
        self._is_step_seen = False
        self._leapt: float | None = None
        self._sorter: _Sorter | None = None

    def resume(self, start: float, stamp: float) -> None:
        """Begin in the middle of the clock that shows `start` at 0: the next frame has the stamp `stamp`."""
        self._follow(start, 0.0)
        self._anchor(stamp - self._step())
        self._last = self._time

    def doubts(self, stamp: float | None) -> bool:
        """Return whether `place` should be told of the stamps after this one, where they can be had."""
        if self._sorter is not None or not self._is_step_seen:
            return True
        return stamp is not None and self._origin is not None and not self._is_usual(stamp)

    def place(
        self, stamp: float | None, following: Sequence[float] | None = None, *, is_last: bool = False
    ) -> float:
        """Return the time in seconds of the next frame.

        Args:
            stamp: its time stamp in seconds on the container's clock, None when it has none.
            following: the stamps of up to `STAMPS_AHEAD` frames after it; None when they are not known.
            is_last: whether no frame comes after it, as far as is known.
        """
        if stamp is not None and following:
            self._see_step(stamp, following)
            if (
                self._sorter is None
                and self._origin is not None
                and self.doubts(stamp)
                and _are_shuffled(self._stamp, (stamp, *following))
            ):
                self._sorter = _Sorter()
            if self._sorter is not None:
                stamp = self._sorter.take(stamp, following)
        self._since += 1
        due = self._due()
        if stamp is None:
            time = due
        elif self._origin is None:
            time = self._follow(stamp, due)
        elif self._is_usual(stamp):
            time = self._believe(stamp)
        else:
            time = self._judge(stamp, following, due, is_last=is_last)
        self._last = time
        return time

    def _see_step(self, stamp: float, following: Sequence[float]) -> None:
        """Take the usual step from the first stamps: what the container says of it may come from a wrong one."""
        gaps = [after - before for before, after in pairwise(sorted((stamp, *following))) if after > before]
        if gaps and not self._is_step_seen:
            self._is_step_seen = True
            self._steps.extend([median(gaps)] * (_REMEMBERED_STEPS // 2))

    def _step(self) -> float:
        return median(self._steps)

    def _is_usual(self, stamp: float) -> bool:
        return 0 < stamp - self._stamp <= _UNEVEN * max(self._since, 1) * self._step()

    def _due(self) -> float:
        """Return the time of the frame by the last stamp that was believed."""
        if self._origin is None:
            return max(self._last + max(self._step(), _TICK), 0.0)
        return max(self._time + self._since * self._step(), self._last + _TICK)

    def _judge(self, stamp: float, following: Sequence[float] | None, due: float, *, is_last: bool) -> float:
        """Return the time for a stamp that is not a usual step after the last."""
        if (origin := self._remembered(stamp, due)) is not None:
            return self._follow(stamp, max(stamp - origin, self._last + _TICK), origin)
        if stamp <= self._stamp:
            return self._follow(stamp, due) if self._goes_back(stamp, following) else due
        leap = stamp - self._stamp
        if following is None:
            if leap > LONGEST_SILENCE:
                return self._follow(stamp, due)
            is_believed = leap <= _CLOCK_JUMP or self._is_borne_out(stamp)
        elif is_last:
            is_possible = leap <= self._longest_pause and stamp <= self._end + self._step()
            is_believed = leap <= LONGEST_SILENCE or is_possible
        else:
            later = [other for other in following if other > self._stamp]
            against = sum(other < stamp for other in later)
            is_believed = against < len(later) - against and later[0] >= stamp
            if is_believed and leap > self._longest_pause:
                return self._follow(stamp, due)
            is_believed |= not against and leap <= LONGEST_SILENCE
            if is_believed and self._sorter is None and stamp in following:  # the last frame of that stamp has it
                return max(due, self._time + stamp - self._stamp - self._step())
        return self._believe(stamp) if is_believed else due

    def _goes_back(self, stamp: float, following: Sequence[float] | None) -> bool:
        """Return whether a stamp that is not after the last begins a clock of its own."""
        if following is None:
            return stamp < self._stamp - _CLOCK_JUMP
        reach = stamp + _SOON * self._step()
        return any(stamp < other <= min(reach, self._stamp) for other in following[:2])

    def _is_borne_out(self, stamp: float) -> bool:
        """Return whether a leap goes on from the one before, which was not believed yet."""
        before, self._leapt = self._leapt, stamp
        return before is not None and 0 < stamp - before <= _UNEVEN * (before - self._stamp)

    def _remembered(self, stamp: float, due: float) -> float | None:
        """Return the clock that was left, if there is one on which the stamp is due."""
        step = self._step()
        for origin in reversed(self._origins):
            if -_SOON * step < stamp - origin - due <= _MAX_HOLE * step:
                return origin
        return None

    def _believe(self, stamp: float) -> float:
        self._steps.append((stamp - self._stamp) / self._since)
        self._anchor(stamp)
        return self._time if self._time > self._last else self._last + _TICK

    def _follow(self, stamp: float, time: float, origin: float | None = None) -> float:
        """Follow another clock: the one with the origin given, or else one that shows `stamp` at `time`."""
        if self._origin is not None:
            self._origins.append(self._origin)
        self._origin = stamp - time if origin is None else origin
        self.clock.stretches.append(Stretch(stamp - self._origin, stamp))
        self._anchor(stamp)
        return time

    def _anchor(self, stamp: float) -> None:
        assert self._origin is not None
        self._stamp = self.clock.last = stamp
        self._time = stamp - self._origin
        self._since = 0
        self._leapt = None


class _Sorter:
    """Gives stamps that come in another order than their frames to the frames in rising order."""

    def __init__(self) -> None:
        self._left: list[float] = []
        self._given: list[float] = []

    def take(self, stamp: float, following: Sequence[float]) -> float:
        """Return the lowest stamp not given yet, for the frame that came with `stamp`."""
        if stamp in self._given:
            self._given.remove(stamp)
        else:
            self._left.append(stamp)
        coming = list(following)
        for given in self._given:
            if given in coming:
                coming.remove(given)
        lowest = min([*self._left, *coming], default=stamp)
        if lowest in self._left:
            self._left.remove(lowest)
        else:
            self._given.append(lowest)
        return lowest


def _are_shuffled(last: float, stamps: Sequence[float]) -> bool:
    """Return whether these are even stamps after the last in another order, as decoding has them."""
    ordered = sorted((last, *stamps))
    gaps = [after - before for before, after in pairwise(ordered)]
    usual = median(gaps)
    falls = sum(before - after > usual / 2 for before, after in pairwise(stamps))
    # One that has fallen back may be wrong alone; into a hole that it fills, it belongs.
    reach = {0: 0.0, 1: _UNEVEN}.get(falls, _MAX_HOLE) * usual
    return min(gaps) > usual / 2 and max(gaps) < reach
