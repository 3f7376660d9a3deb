"""The time stamps of a sound track, placed by the clock that its frames were placed by."""

from __future__ import annotations

from heatprop.io.timeline import LONGEST_SILENCE, Clock

# By how much a track may begin before the frames of a stretch or end after them, in seconds.
_REACH = 2.0
# What follows within so many seconds goes on, and so does what overlaps by a fraction of a packet.
_GAP = 1.0
_OVERLAP = 0.01


class SoundClock:
    """Moves the stamps of one track to the time of the frames: where their clock jumped, the track's does.

    Args:
        clock: how the source's own clock was followed for the frames; it may still grow.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._place = 0
        self._origin: float | None = None
        # Where the last packet ended, on the source's own clock and in time.
        self._stamp = self._due = 0.0

    def place(self, stamp: float | None, duration: float, until: float) -> float | None:
        """Return the seconds of the new video at which a packet begins; None while it is not known.

        Args:
            stamp: its time stamp in seconds on the source's own clock, None when it has none.
            duration: its length in seconds.
            until: the time of the frames so far; those to come may tell more.
        """
        if stamp is None:
            stamp = self._stamp
        if self._origin is None:
            self._origin = self._clock.stretches[0].origin if self._clock.stretches else stamp
        elif not -_OVERLAP <= stamp - self._stamp <= _GAP:
            place = self._find(stamp)
            if place is not None:
                self._place, self._origin = place, self._clock.stretches[place].origin
            elif until < self._due + _REACH:
                return None
            else:
                # The frames knew of no such jump.
                self._origin = stamp - self._due
        time = stamp - self._origin
        self._stamp = stamp + duration
        self._due = max(self._due, time + duration)
        return time

    def _find(self, stamp: float) -> int | None:
        """Return the first stretch, from the present one on, to which a stamp that does not go on belongs."""
        for place in range(self._place, len(self._clock.stretches)):
            is_present = place == self._place
            stretch, end = self._clock.stretches[place], self._clock.end(place)
            early = _OVERLAP if is_present else _REACH
            if (
                stretch.stamp - _REACH <= stamp <= end + (LONGEST_SILENCE if is_present else _REACH)
                and stamp - stretch.origin >= self._due - early
            ):
                return place
        return None
