"""Time stamps as a container gives them -> times that only go forward."""

from __future__ import annotations

import math

_CLOCK_JUMP = 1.0


class Timeline:
    """Places pictures on a clock that starts at 0 and strictly increases.

    A stamp that fits is kept to the tick, so that a variable frame rate keeps its times. A missing, repeated
    or slightly backward stamp is replaced by one nominal frame after the last. After a jump of the clock, back
    by more than a second or forward by more than `longest_gap`, the new stamps are followed from one nominal
    frame after the last, so that the distances between them stay.

    Args:
        step: nominal seconds between two pictures, positive.
        longest_gap: seconds that two neighbours may lie apart; what lies farther is not believed.

    Example:
        >>> timeline = Timeline(step=0.5)
        >>> [timeline.place(stamp) for stamp in (10.0, 10.25, 10.25, None, 12.0, 3.0, 3.25)]
        [0.0, 0.25, 0.75, 1.25, 2.0, 2.5, 2.75]
    """

    def __init__(self, step: float, longest_gap: float = math.inf) -> None:
        self._step = step
        self._longest_gap = longest_gap
        self._last = -step
        self._origin: float | None = None

    def place(self, stamp: float | None) -> float:
        """Return the time in seconds of the next picture.

        Args:
            stamp: its time stamp in seconds on the container's clock, None when it has none.
        """
        due = self._last + self._step
        if stamp is None:
            time = due
        else:
            if self._origin is None:
                self._origin = stamp - due
            time = stamp - self._origin
            if not self._last - _CLOCK_JUMP <= time <= self._last + self._longest_gap:
                self._origin = stamp - due
                time = due
            elif time <= self._last:
                time = due
        self._last = time
        return time
