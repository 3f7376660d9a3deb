"""Real time on a live source: the newest frame, an honest count of the others, and an end in every case."""

import threading
import weakref
from collections.abc import Iterator
from contextlib import nullcontext
from fractions import Fraction
from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatprop.errors import SourceError
from heatprop.io import SourceInfo
from heatprop.io.newest import NewestFrames
from heatprop.io.sources import OpenSource
from heatprop.types import Frame

PATIENCE = 30.0  # seconds until a test that fails gives up; none that passes waits so long
MAX_ALIVE = 4  # waiting, read just now, with the consumer, and released a moment ago


class Released(OpenSource):
    """A live source: frames come when the test lets them, and after `total` the end, or `error` once."""

    def __init__(self, total: int | None = None, error: Exception | None = None, *, seconds: float = 0.04) -> None:
        super().__init__()
        self.info = SourceInfo("released", 8, 6, Fraction(25), None, None, is_live=True, has_audio=False)
        self.max_alive = 0
        self._images: list[weakref.ref[np.ndarray]] = []
        self._total, self._error = total, error
        self._index = 0
        self._seconds = seconds
        self._let = threading.Semaphore(0)
        self._asked = threading.Condition()
        self._ahead = 0

    @property
    def alive(self) -> int:
        """Frames that still take memory."""
        return sum(seen() is not None for seen in self._images)

    def let(self, frames: int = 1) -> None:
        """Let so many frames come; the end or the error counts as one."""
        with self._asked:
            self._ahead += frames
        self._let.release(frames)

    def settle(self) -> None:
        """Wait until all that was let come has been passed on, and the reader waits for more."""
        with self._asked:
            assert self._asked.wait_for(lambda: self._ahead < 0, PATIENCE)

    def _frames(self) -> Iterator[Frame]:
        while True:
            with self._asked:
                self._ahead -= 1
                self._asked.notify_all()
            self._let.acquire()
            self._require_open()
            if self._index != self._total:
                yield self._next()
                continue
            if self._error is None:
                return
            self._total = None
            raise self._error

    def _next(self) -> Frame:
        image = np.zeros((6, 8, 3), np.uint8)
        self._images = [*(seen for seen in self._images if seen() is not None), weakref.ref(image)]
        self.max_alive = max(self.max_alive, len(self._images))
        self._index += 1
        return Frame(image, self._index - 1, (self._index - 1) * self._seconds)

    def close(self) -> None:
        """Like a driver that hangs, this does not end a read under way."""
        self._is_open = False


def reading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "heatprop-newest"]


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    """No test leaves a thread that reads."""
    yield
    assert not reading_threads()


def unblock(inner: Released) -> None:
    """Let the read under way return, and wait for the thread that did it."""
    (stuck,) = reading_threads()
    inner.let()
    stuck.join(PATIENCE)


@settings(max_examples=50)
@given(arrivals=st.lists(st.integers(1, 9), max_size=8), at_end=st.integers(0, 5), fails=st.booleans())
def test_whoever_is_slow_gets_the_newest_and_all_are_counted(
    arrivals: list[int], at_end: int, *, fails: bool
) -> None:
    total = 1 + sum(arrivals) + at_end
    inner = Released(total, SourceError("unplugged") if fails else None)
    with NewestFrames(inner) as source:
        frames = iter(source)
        inner.let()
        handed = [next(frames).index]
        for number in arrivals:
            inner.let(number)
            inner.settle()
            handed.append(next(frames).index)
            assert handed[-1] == handed[-2] + number
        inner.let(at_end + 1)
        with pytest.raises(SourceError, match="unplugged") if fails else nullcontext():
            for frame in frames:
                handed.append(frame.index)
        assert handed[0] == 0
        assert handed[-1] == total - 1
        assert all(before < after for before, after in pairwise(handed))
        assert len(handed) + source.dropped == total
    assert inner.max_alive <= MAX_ALIVE
    assert not reading_threads()


@settings(max_examples=20)
@given(consumers=st.integers(1, 3), total=st.integers(0, 200))
def test_each_frame_goes_to_one_consumer_or_is_counted(consumers: int, total: int) -> None:
    inner = Released(total)
    inner.let(total + consumers)  # each consumer that comes after the end meets one of its own
    handed: list[list[int]] = [[] for _ in range(consumers)]

    def consume(mine: list[int]) -> None:
        mine += [frame.index for frame in source]

    with NewestFrames(inner) as source:
        threads = [threading.Thread(target=consume, args=(mine,)) for mine in handed]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
    assert all(mine == sorted(mine) for mine in handed)
    every = sorted(chain(*handed))
    assert len(set(every)) == len(every) == total - source.dropped
    assert {0, total - 1} <= set(every) or not total


def test_a_fast_consumer_gets_every_frame_and_the_source_s_own_numbers_and_times() -> None:
    inner = Released(20)
    seen = []
    with NewestFrames(inner) as source:
        inner.let()
        for frame in source:
            seen.append((frame.index, frame.time))
            inner.let()
    assert seen == [(number, number * 0.04) for number in range(20)]
    assert (source.dropped, source.skipped) == (0, 0)


def test_the_first_frame_waits_however_late_the_consumer_is() -> None:
    inner = Released()
    inner.let(30)
    source = NewestFrames(inner)
    frames = iter(source)
    assert next(frames).index == 0
    inner.settle()
    assert next(frames).index == 29
    assert source.dropped == 28
    source.close()
    unblock(inner)


def test_memory_does_not_grow_with_the_frames_that_nobody_takes() -> None:
    inner = Released(1001)
    with NewestFrames(inner) as source:
        frames = iter(source)
        inner.let()
        next(frames)
        inner.let(1000)
        inner.settle()
        assert inner.max_alive <= MAX_ALIVE
        assert source.dropped == 999
        inner.let()
        assert [frame.index for frame in frames] == [1000]


def test_idle_time_is_what_the_consumer_waited() -> None:
    inner = Released(2)
    with NewestFrames(inner) as source:
        frames = iter(source)
        assert source.waited == 0
        late = threading.Timer(0.1, inner.let)
        late.start()
        next(frames)
        waited = source.waited
        assert waited > 0
        inner.let()
        inner.settle()
        next(frames)
        assert source.waited - waited < waited  # it was there already
        inner.let()
        assert next(frames, None) is None


def test_damaged_and_dropped_are_counted_apart() -> None:
    inner = Released(4)
    with NewestFrames(inner) as source:
        frames = iter(source)
        inner.let()
        next(frames)
        inner.skipped = 7
        inner.let(3)
        inner.settle()
        assert (source.skipped, source.dropped) == (7, 2)
        inner.let()
        assert [frame.index for frame in frames] == [3]


def test_leaving_early_stops_the_reading_and_iterating_again_just_goes_on() -> None:
    inner = Released(10)
    inner.let()
    with NewestFrames(inner) as source:
        for frame in source:
            assert frame.index == 0
            inner.let(2)
            inner.settle()
            break
        unblock(inner)
        assert not reading_threads()
        inner.let(3)
        again = iter(source)
        assert next(again).index >= 3
        inner.let(4)
        assert [frame.index for frame in again][-1] == 9
        assert source.dropped >= 2


def test_an_iteration_that_begins_while_the_last_one_still_reads_goes_on_with_its_thread() -> None:
    inner = Released(5)
    inner.let()
    with NewestFrames(inner) as source:
        for _ in source:
            inner.settle()
            break
        again = iter(source)
        threading.Timer(0.05, inner.let).start()
        assert next(again).index == 1
        assert len(reading_threads()) == 1
        inner.let(4)
        assert [frame.index for frame in again][-1] == 4


def test_after_an_error_a_live_source_can_be_tried_again() -> None:
    inner = Released(3, SourceError("no frame"))
    inner.let(4)
    source = NewestFrames(inner)
    with pytest.raises(SourceError, match="no frame"):
        list(source)
    inner.let()
    again = iter(source)
    assert next(again).index == 3
    source.close()
    unblock(inner)


def test_closing_returns_while_the_inner_source_is_blocked_and_wakes_the_consumer() -> None:
    inner = Released()
    source = NewestFrames(inner)
    ends = []

    def consume() -> None:
        try:
            list(source)
        except SourceError as error:
            ends.append(str(error))

    consumer = threading.Thread(target=consume)
    consumer.start()
    inner.settle()
    closer = threading.Thread(target=source.close)
    closer.start()
    closer.join(PATIENCE)
    consumer.join(PATIENCE)
    assert not closer.is_alive()
    assert not consumer.is_alive()
    assert ends == ["released is closed; open it again to read it"]
    unblock(inner)


def test_a_frame_that_waits_is_let_go_when_the_source_is_closed() -> None:
    inner = Released()
    source = NewestFrames(inner)
    frames = iter(source)
    inner.let()
    next(frames)
    inner.let()
    inner.settle()
    source.close()
    source.close()
    for iterate in (lambda: next(frames), lambda: iter(source)):
        with pytest.raises(SourceError, match="is closed; open it again"):
            iterate()
    unblock(inner)
    assert inner.alive == 0


def test_what_comes_in_pieces_is_taken_apart_by_its_times() -> None:
    inner = Released(4, seconds=0.5)
    inner.let(5)
    with NewestFrames(inner, at_its_times=True) as source:
        assert [frame.index for frame in source] == [0, 1, 2, 3]
        assert source.dropped == 0


def test_in_pieces_too_a_slow_consumer_gets_the_newest() -> None:
    inner = Released(5, seconds=0.001)
    with NewestFrames(inner, at_its_times=True) as source:
        frames = iter(source)
        inner.let()
        next(frames)
        inner.let(4)
        inner.settle()
        inner.let()
        assert [frame.index for frame in frames] == [4]
        assert source.dropped == 3


def test_a_jump_of_the_times_is_not_waited_out() -> None:
    inner = Released(3, seconds=1e6)
    inner.let(4)
    with NewestFrames(inner, at_its_times=True) as source:
        assert [frame.index for frame in source] == [0, 1, 2]


def test_nobody_waits_for_a_frame_that_is_held_back() -> None:
    inner = Released(seconds=1.0)
    inner.let(2)
    source = NewestFrames(inner, at_its_times=True)
    next(iter(source))
    source.close()
    assert source.dropped == 0
