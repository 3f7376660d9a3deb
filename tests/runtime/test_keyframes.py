"""On which frames the network runs, and the speed it holds."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.errors import InvalidConfigError
from heatprop.runtime.keyframes import FIRST_BEAT, MAX_INTERVAL, KeyframeClock, KeyframeConfig, SpeedControl

intervals = st.integers(1, MAX_INTERVAL)


class Ticking:
    """A clock that remembers its beat, as a video does."""

    def __init__(self, clock: KeyframeClock) -> None:
        self.clock, self.beat = clock, FIRST_BEAT

    def tick(self, change: float = 0.0, *, force: bool = False, postpone: bool = False) -> bool:
        is_key_frame, self.beat = self.clock.tick(self.beat, change, force=force, postpone=postpone)
        return is_key_frame


def key_frames(clock: KeyframeClock, changes: list[float], shots: frozenset[int] = frozenset()) -> list[int]:
    """Return the numbers of the key frames."""
    ticking = Ticking(clock)
    return [i for i, change in enumerate(changes) if ticking.tick(change, force=i in shots)]


@given(intervals, st.integers(1, 200), st.floats(0, 50))
def test_a_fixed_interval_is_kept_whatever_the_frame_does(interval: int, frames: int, change: float) -> None:
    clock = KeyframeClock(KeyframeConfig(interval=interval))
    assert key_frames(clock, [change] * frames) == list(range(0, frames, interval))


@given(intervals, st.frozensets(st.integers(0, 99), max_size=5))
def test_a_shot_begins_with_a_key_frame_and_counts_from_there(interval: int, shots: frozenset[int]) -> None:
    found = key_frames(KeyframeClock(KeyframeConfig(interval=interval)), [1.0] * 100, shots)
    assert shots <= set(found)
    assert max(b - a for a, b in zip(found, [*found[1:], 100], strict=True)) <= interval


@given(st.floats(1 / MAX_INTERVAL, 1), st.lists(st.floats(0, 100), min_size=1, max_size=300))
def test_with_a_target_gaps_are_bounded_and_the_first_is_a_key_frame(pace: float, changes: list[float]) -> None:
    clock = KeyframeClock(KeyframeConfig(target_fps=30))
    clock.pace = pace
    found = key_frames(clock, changes)
    assert found[0] == 0
    assert all(b - a <= MAX_INTERVAL for a, b in pairwise(found))
    steady = 1 + len(changes) * pace * 2
    assert len(found) <= steady + 1


def test_with_a_target_the_pace_is_kept_on_the_mean() -> None:
    clock = KeyframeClock(KeyframeConfig(target_fps=30))
    clock.pace = 0.3
    assert len(key_frames(clock, [5.0] * 1000)) == pytest.approx(300, abs=3)


def test_the_network_runs_more_often_where_the_frame_changes_more() -> None:
    clock = KeyframeClock(KeyframeConfig(target_fps=30))
    clock.pace = 0.25
    found = key_frames(clock, [2.0] * 400 + [4.0] * 12)
    calm, lively = [i for i in found if 200 <= i < 400], [i for i in found if i >= 400]
    assert len(calm) == pytest.approx(50, abs=2)
    assert len(lively) >= 4


def held(
    network: float, rest: float, target: float, interval: int = 1, delay: int = 0
) -> tuple[SpeedControl, KeyframeClock]:
    """Run a control on a machine that takes so many seconds a key frame and a frame, after decisions."""
    config = KeyframeConfig(target_fps=target, interval=interval)
    clock = KeyframeClock(config)
    control = SpeedControl(clock, config)
    under_way: deque[tuple[float, bool]] = deque()
    ticking = Ticking(clock)
    for _ in range(4000):
        under_way.append((clock.pace, ticking.tick(1.0)))
        if len(under_way) > delay:
            pace, is_key_frame = under_way.popleft()
            control.passed(pace, rest + network * is_key_frame)
    return control, clock


@given(st.floats(0.001, 0.5), st.floats(0.0, 0.02), st.floats(1, 40), st.integers(0, 30))
def test_a_target_that_can_be_held_is_held_with_looks_to_spare(
    network: float, rest: float, target: float, delay: int
) -> None:
    control, clock = held(network, rest, target, delay=delay)
    # With a tenth of room on either side; what lies between is not asked here.
    if rest + network / MAX_INTERVAL < 0.9 / target:
        assert control.held_fps is None
        assert rest + network * clock.pace <= 1.2 / target
        assert clock.pace == 1 or rest + network * clock.pace >= 0.7 / target
    elif rest + network / MAX_INTERVAL > 1.2 / target:
        assert clock.pace == pytest.approx(1 / MAX_INTERVAL)
        assert control.held_fps is not None
        assert control.held_fps < target


def test_what_can_be_held_again_is_not_told_as_missed() -> None:
    control, clock = held(0.5, 0.1, 25)
    assert control.held_fps == pytest.approx(8.6, abs=0.5)
    for _ in range(2000):
        control.passed(clock.pace, 0.001)
    assert control.held_fps is None
    assert clock.pace == 1


def live(network: float, source_fps: float, target: float, frames: int = 3000) -> tuple[float, float]:
    """Run a control on a live source that drops what finds no room; return the share handled, and the pace."""
    config = KeyframeConfig(target_fps=target)
    clock = KeyframeClock(config)
    control = SpeedControl(clock, config)
    ticking = Ticking(clock)
    debt = handled = dropped = 0.0
    lost = 0
    for number in range(frames):
        if debt > 6 / source_fps:  # so many frames are under way: no room for another
            debt -= 1 / source_fps
            lost += 1
            dropped += number >= frames / 2
            continue
        handled += number >= frames / 2
        pace, is_key_frame = clock.pace, ticking.tick(1.0)
        debt = max(debt + network * is_key_frame - 1 / source_fps, 0.0)
        control.passed(pace, (1 + lost) / source_fps, network=network * is_key_frame, dropped=lost)
        lost = 0
    return handled / (handled + dropped), clock.pace


@pytest.mark.parametrize("network", [0.01, 0.1, 0.2])
def test_a_live_source_is_followed_whole_where_the_pace_allows_it(network: float) -> None:
    share, pace = live(network, 25, 25)
    assert share > 0.97
    assert min(1, 0.5 * 0.04 / network) <= pace <= min(1.0, 1.1 * 0.04 / network)


def test_every_frame_of_a_slow_live_source_is_a_key_frame() -> None:
    share, pace = live(0.02, 5, 30)
    assert (share, pace) == (1.0, 1.0)


def test_a_key_frame_is_postponed_while_there_is_nothing_to_see() -> None:
    clock = Ticking(KeyframeClock(KeyframeConfig(interval=3)))
    assert [clock.tick(postpone=number in (3, 4)) for number in range(9)] == [
        True, False, False, False, False, True, False, False, True,
    ]  # fmt: skip


def test_a_cut_does_not_make_what_follows_look_calm() -> None:
    clock = KeyframeClock(KeyframeConfig(target_fps=30))
    clock.pace = 0.25
    found = key_frames(clock, [2.0] * 200 + [90.0] + [2.0] * 40, frozenset([200]))
    assert len([number for number in found if number > 200]) == 10


def test_the_interval_is_the_least_with_a_target() -> None:
    _, clock = held(0.001, 0.001, 5, interval=4)
    assert clock.pace == 0.25


@pytest.mark.parametrize("value", [0, -1, MAX_INTERVAL + 1, 2.5, True, float("nan")])
def test_an_interval_outside_its_range_is_refused(value: float) -> None:
    with pytest.raises(InvalidConfigError, match="whole number from 1 to 30"):
        KeyframeConfig(interval=value)


@pytest.mark.parametrize("value", [0, -5, float("nan"), float("inf")])
def test_a_target_outside_its_range_is_refused(value: float) -> None:
    with pytest.raises(InvalidConfigError, match="target_fps"):
        KeyframeConfig(target_fps=value)


def test_an_unknown_filling_is_refused() -> None:
    with pytest.raises(InvalidConfigError, match="'auto', 'past' or 'between'"):
        KeyframeConfig(fill="future")
