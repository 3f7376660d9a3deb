"""Key frames: the frames on which the network runs, every Nth or as many as a frame rate allows."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import InvalidConfigError, check_range

Fill: TypeAlias = Literal["auto", "past", "between"]

MAX_INTERVAL = 30
_MIN_SECONDS = 0.5  # of a window of the control
_MAX_FRAMES = 60
_MIN_KEY_FRAMES = 4  # in a window, so that one more or less does not matter much
_CALM, _MAX_RISE = 0.95, 4.0
_SHORTFALL = 0.95
_WINDOWS_SHORT = 2
_MIN_CHANGE, _MAX_CHANGE = 0.5, 2.0
_MEMORY = 0.95


@dataclass(frozen=True, kw_only=True)
class KeyframeConfig:
    """On which frames the network runs, and how the others get their boxes.

    Attributes:
        interval: the network runs on every Nth frame, N from 1 to 30; 1 is every frame. With `target_fps` it runs
            no more often than that.
        target_fps: frames a second to hold; None for no target. The network then runs as often as the measured
            speed allows, and rather where the image changes much. Runs with a target differ from each other.
        fill: the frames between take their boxes from the "past" key frame alone, at once; or from the key frames
            "between" which they lie, which is better, comes an interval later, and holds the frames of an interval
            in memory. "auto" is "past" for a live source, "between" for others.

    Raises:
        InvalidConfigError: a value lies outside its range.

    Example:
        >>> KeyframeConfig(interval=3).every_frame, KeyframeConfig().every_frame
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
        is_whole = isinstance(self.interval, Integral) and not isinstance(self.interval, bool)
        if not is_whole or not 1 <= self.interval <= MAX_INTERVAL:
            raise InvalidConfigError(
                f"keyframe interval is {self.interval!r}; it must be a whole number from 1 to {MAX_INTERVAL}"
            )
        if self.target_fps is not None:
            check_range("target_fps", self.target_fps, 0.1, 1000)
        if self.fill not in get_args(Fill):
            raise InvalidConfigError(f"fill is {self.fill!r}; it must be 'auto', 'past' or 'between'")

    @property
    def every_frame(self) -> bool:
        """Whether each frame is a key frame, whatever happens."""
        return self.interval == 1 and self.target_fps is None

    @property
    def expected_interval(self) -> int:
        """About how many frames there will be to a key frame."""
        return self.interval if self.target_fps is None else max(self.interval, 3)


class Beat(NamedTuple):
    """What the frames so far decide about the next: see `KeyframeClock`.

    Attributes:
        since: frames since the last key frame.
        phase: how much of the way to the next has passed, in key frames.
        usual: how much the image changed of late.
    """

    since: int = MAX_INTERVAL
    phase: float = 1.0
    usual: float = 0.0


FIRST_BEAT = Beat()


class KeyframeClock:
    """Decides frame by frame whether it is a key frame; one for each video.

    With a fixed interval every Nth frame is one. With a target the pace, in key frames a frame, is set by
    `SpeedControl`, and time runs faster where the image changes more than it did of late.

    Attributes:
        pace: key frames a frame; the only thing here that changes.

    Example:
        >>> clock, beat, numbers = KeyframeClock(KeyframeConfig(interval=3)), FIRST_BEAT, []
        >>> for number in range(7):
        ...     is_key_frame, beat = clock.tick(beat)
        ...     numbers = [*numbers, number] if is_key_frame else numbers
        >>> numbers
        [0, 3, 6]
    """

    def __init__(self, config: KeyframeConfig) -> None:
        self._interval = config.interval
        self._is_adaptive = config.target_fps is not None
        self.pace = 1 / config.interval

    def tick(
        self, beat: Beat, change: float = 0.0, *, force: bool = False, postpone: bool = False
    ) -> tuple[bool, Beat]:
        """Decide for the next frame.

        Args:
            beat: of the frames before; `FIRST_BEAT` for the first.
            change: how much the frame differs from the last one, in any unit; it counts with a target only.
            force: a key frame in any case, as at the beginning of a shot.
            postpone: rather none, as at a flash or a black frame; one that is due comes right after it.

        Returns:
            Whether it is a key frame, and the beat for the frame after it.
        """
        since, phase, usual = beat.since + 1, beat.phase, beat.usual
        if self._is_adaptive and not force:
            usual = _MEMORY * usual + (1 - _MEMORY) * change if usual else change
            ratio = change / usual if usual else 1.0
            phase += self.pace * min(max(ratio, _MIN_CHANGE), _MAX_CHANGE)
        is_due = since >= self._interval and (not self._is_adaptive or phase >= 1 or self.pace >= 1)
        if force or (is_due and not postpone) or since >= MAX_INTERVAL:
            return True, Beat(0, min(max(phase - 1, 0.0), 1.0), usual)
        return False, Beat(since, phase, usual)


class SpeedControl:
    """Sets the pace of a clock so that a frame rate is held: feedback from what frames really took.

    Too slow, the pace falls in the proportion that frames took too long, again and again, since only a part of the
    time is the network's; with time to spare it rises in the same way, and for that reason never too far. Of a
    live source the time between frames says little: there the network's own load counts, and what was dropped.

    Args:
        clock: whose pace it sets.
        config: with a target.
        concurrency: how many frames the network takes at once.

    Attributes:
        held_fps: what is reached, while the target cannot be held even with the fewest key frames; None otherwise.

    Example:
        The network takes 100 ms, the rest of a frame 5; 30 frames a second leave 33.

        >>> config = KeyframeConfig(target_fps=30)
        >>> clock = KeyframeClock(config)
        >>> control = SpeedControl(clock, config)
        >>> for _ in range(1000):
        ...     control.passed(clock.pace, 0.005 + 0.1 * clock.pace)
        >>> 0.25 < clock.pace < 0.3
        True
    """

    def __init__(self, clock: KeyframeClock, config: KeyframeConfig, *, concurrency: int = 1) -> None:
        if config.target_fps is None:
            raise InvalidConfigError("speed control needs a target_fps; give one")
        self.held_fps: float | None = None
        self._clock, self._concurrency = clock, concurrency
        self._most, self._budget = 1 / config.interval, 1 / config.target_fps
        self._short = 0
        self._begin_window()

    def _begin_window(self) -> None:
        self._frames, self._dropped = 0, 0
        self._seconds, self._network = 0.0, 0.0

    def passed(self, pace: float, seconds: float, *, network: float | None = None, dropped: int = 0) -> None:
        """Count a frame that was finished.

        Args:
            pace: of the clock when it was decided whether it is a key frame. What was decided at an earlier
                pace does not count.
            seconds: since the frame before was finished.
            network: of a live source, the seconds that the network took for it; None of others.
            dropped: frames that a live source dropped since.
        """
        if pace != self._clock.pace:
            self._begin_window()
            return
        self._frames += 1
        self._dropped += dropped
        self._seconds += seconds
        self._network += network or 0.0
        is_long = self._seconds >= _MIN_SECONDS or self._frames * self._budget >= _MIN_SECONDS
        if not is_long or self._frames < min(_MIN_KEY_FRAMES / pace, _MAX_FRAMES):
            return
        load = self._load(is_live=network is not None)
        is_short = pace <= 1 / MAX_INTERVAL and load * _SHORTFALL > 1
        self._short = self._short + 1 if is_short else 0
        self.held_fps = self._frames / self._seconds if self._short >= _WINDOWS_SHORT else None
        if load > 1:
            pace /= load
        elif load < _CALM:
            pace *= min(_CALM / load if load else _MAX_RISE, _MAX_RISE)
        self._clock.pace = min(max(pace, 1 / MAX_INTERVAL), self._most)
        self._begin_window()

    def _load(self, *, is_live: bool) -> float:
        """Return by how much the target is missed, or room is left below 1."""
        load = self._seconds / self._frames / self._budget
        if not is_live or not self._seconds:
            return load
        load = min(load, self._network / (self._seconds * self._concurrency))
        if self._dropped:
            asked = min(self._seconds / self._budget, self._frames + self._dropped)
            load = max(load, asked / self._frames)
        return load


def change_between(before: NDArray[np.float32] | None, after: NDArray[np.float32]) -> float:
    """Return how much two `thumbnail`s (of `shots`) differ, in grey levels; 0 without the first."""
    return 0.0 if before is None else float(np.abs(after - before).mean())
