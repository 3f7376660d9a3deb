"""Key frames: in which frames the network looks, at a fixed interval or as often as a frame rate allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import InvalidConfigError, check_range

Fill: TypeAlias = Literal["auto", "past", "between"]

MOST_INTERVAL = 30
_LEAST_SECONDS = 0.5  # of a window of the control
_MOST_FRAMES = 60
_LEAST_LOOKS = 4  # in a window, so that one more or less does not matter much
_CALM, _MOST_RISE = 0.95, 1.25
_SHORTFALL = 0.95
_WINDOWS_SHORT = 2
_LEAST_CHANGE, _MOST_CHANGE = 0.5, 2.0
_MEMORY = 0.95


@dataclass(frozen=True, kw_only=True)
class KeyframeConfig:
    """In which frames the network looks, and how the others get their boxes.

    Attributes:
        interval: the network looks at every so manieth frame, from 1 to 30; 1 is every frame. With `target_fps`
            it looks no more often than that.
        target_fps: frames a second to hold; None for no target. The network then looks as often as the measured
            speed allows, and rather where the picture changes much. Runs with a target differ from each other.
        fill: frames without a look take their boxes from the "past" look alone, at once; or from the looks
            "between" which they lie, which is better and comes an interval later. "auto" is "past" for a live
            source, "between" for others.

    Raises:
        InvalidConfigError: a value lies outside its range.

    Example:
        >>> KeyframeConfig(interval=3).looks_everywhere, KeyframeConfig().looks_everywhere
        (False, True)
        >>> KeyframeConfig(interval=0)
        Traceback (most recent call last):
            ...
        heatprop.errors.InvalidConfigError: keyframe interval is 0; it must be a whole number from 1 to 30
    """

    interval: int = 1
    target_fps: float | None = None
    fill: Fill = "auto"

    def __post_init__(self) -> None:
        if not isinstance(self.interval, int) or not 1 <= self.interval <= MOST_INTERVAL:
            raise InvalidConfigError(
                f"keyframe interval is {self.interval!r}; it must be a whole number from 1 to {MOST_INTERVAL}"
            )
        if self.target_fps is not None:
            check_range("target_fps", self.target_fps, 0.1, 1000)
        if self.fill not in get_args(Fill):
            raise InvalidConfigError(f"fill is {self.fill!r}; it must be 'auto', 'past' or 'between'")

    @property
    def looks_everywhere(self) -> bool:
        """Whether the network looks at each frame, whatever happens."""
        return self.interval == 1 and self.target_fps is None

    @property
    def expected_interval(self) -> int:
        """About how many frames there will be to a look."""
        return self.interval if self.target_fps is None else max(self.interval, 3)


class KeyframeClock:
    """Decides frame by frame whether the network looks; one for each video.

    With a fixed interval it looks at every so manieth frame. With a target its pace, in looks a frame, is set by
    `SpeedControl`, and time runs faster where the picture changes more than it did of late.

    Example:
        >>> clock = KeyframeClock(KeyframeConfig(interval=3))
        >>> [clock.looks() for _ in range(7)]
        [True, False, False, True, False, False, True]
    """

    def __init__(self, config: KeyframeConfig) -> None:
        self._interval = config.interval
        self._is_adaptive = config.target_fps is not None
        self.pace = 1 / config.interval
        self._since = MOST_INTERVAL
        self._phase = 1.0
        self._usual = 0.0

    def looks(self, change: float = 0.0, *, at_once: bool = False) -> bool:
        """Decide for the next frame.

        Args:
            change: how much the picture differs from the last one, in any unit; it counts with a target only.
            at_once: look in any case, as at the beginning of a shot.
        """
        self._since += 1
        if self._is_adaptive:
            self._usual = _MEMORY * self._usual + (1 - _MEMORY) * change if self._usual else change
            ratio = change / self._usual if self._usual else 1.0
            self._phase += self.pace * min(max(ratio, _LEAST_CHANGE), _MOST_CHANGE)
            is_due = self._phase >= 1 or self.pace >= 1
            is_due = (is_due and self._since >= self._interval) or self._since >= MOST_INTERVAL
        else:
            is_due = self._since >= self._interval
        if is_due or at_once:
            self._since = 0
            self._phase = min(max(self._phase - 1, 0.0), 1.0)
            return True
        return False


class SpeedControl:
    """Sets the pace of a clock so that a frame rate is held: feedback from what a frame really took.

    Too slow, the pace falls in the proportion that frames took too long, again and again, since only a part of the
    time is the network's; with time to spare it rises step by step.

    Args:
        clock: whose pace it sets.
        config: with a target.

    Attributes:
        held_fps: what was reached, if the target cannot be held even with the fewest looks; None otherwise.

    Example:
        The network takes 100 ms, the rest of a frame 5; 30 frames a second leave 33.

        >>> config = KeyframeConfig(target_fps=30)
        >>> clock = KeyframeClock(config)
        >>> control = SpeedControl(clock, config)
        >>> for _ in range(40):
        ...     control.passed(frames=30, busy=30 * (0.005 + 0.1 * clock.pace))
        >>> 0.25 < clock.pace < 0.3
        True
    """

    def __init__(self, clock: KeyframeClock, config: KeyframeConfig) -> None:
        if config.target_fps is None:
            raise InvalidConfigError("speed control needs a target_fps; give one")
        self.held_fps: float | None = None
        self._clock = clock
        self._most, self._budget = 1 / config.interval, 1 / config.target_fps
        self._frames, self._busy, self._short = 0, 0.0, 0

    def passed(self, frames: int, busy: float) -> None:
        """Count frames that were finished.

        Args:
            frames: how many.
            busy: seconds they took, without those spent waiting for a live source.
        """
        self._frames += frames
        self._busy += busy
        is_long = self._busy >= _LEAST_SECONDS or self._frames * self._budget >= _LEAST_SECONDS
        if not is_long or self._frames < min(_LEAST_LOOKS / self._clock.pace, _MOST_FRAMES):
            return
        load = self._busy / self._frames / self._budget  # above 1 the target is missed
        is_fewest = self._clock.pace <= 1 / MOST_INTERVAL
        self._short = self._short + 1 if is_fewest and load * _SHORTFALL > 1 else 0
        if self._short >= _WINDOWS_SHORT:
            self.held_fps = self._frames / self._busy
        if load > 1:
            self._clock.pace /= load
        elif load < _CALM:
            self._clock.pace *= min(_CALM / load if load else _MOST_RISE, _MOST_RISE)
        self._clock.pace = min(max(self._clock.pace, 1 / MOST_INTERVAL), self._most)
        self._frames, self._busy = 0, 0.0


def change_between(before: NDArray[np.float32] | None, after: NDArray[np.float32]) -> float:
    """Return how much two thumbnails (`heatprop.shots.thumbnail`) differ, in grey levels; 0 without the first."""
    return 0.0 if before is None else float(np.abs(after - before).mean())
