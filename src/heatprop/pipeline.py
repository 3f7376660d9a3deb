"""Work ahead of whoever consumes: read in threads, compute in others, hand over in order."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, Queue
from time import monotonic, perf_counter
from typing import Generic, TypeVar

from heatprop.interrupts import take

Item = TypeVar("Item")
Result = TypeVar("Result")

_SECONDS_TO_STOP = 5.0


class Workers:
    """Threads that all `map_ahead` running side by side share: they come with the first and go with the last.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        # A generator that the garbage collector ends may come here while its own thread is here already.
        self._lock = threading.RLock()
        self._users = 0
        self._pool: ThreadPoolExecutor | None = None

    @contextmanager
    def borrowed(self) -> Iterator[tuple[ThreadPoolExecutor, int]]:
        """Give the threads, and how many of them are the borrower's fair share now: all when it is alone."""
        with self._lock:
            self._users += 1
            share = -(-self.count // self._users)
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.count, thread_name_prefix="heatprop-work")
            pool = self._pool
        try:
            yield pool, share
        finally:
            with self._lock:
                self._users -= 1
                is_last = self._users == 0
                if is_last:
                    self._pool = None
            if is_last:
                pool.shutdown(wait=True, cancel_futures=True)


def map_ahead(
    items: Iterable[Item], function: Callable[[Item], Result], workers: int | Workers, *, more: int = 0
) -> Generator[tuple[Item, Result, float], None, None]:
    """Apply `function` to each item, up to `workers` at once, while the consumer is busy with earlier ones.

    At most ``workers + 2 + more`` items are under way, so memory does not grow with their number. Closing the
    iterator stops the reading; an item that is just being read is waited for at most some seconds.

    Args:
        items: read in a thread of its own, which also closes it if it is a generator.
        function: called from `workers` threads at once.
        workers: how many calls run at once, or threads shared with others; then a fair share of them counts.
        more: items under way beyond that, where `function` has next to nothing to do for some; of shared threads
            a fair share of it.

    Yields:
        The item, what `function` made of it, and the seconds that reading it took; in the order of `items`.

    Raises:
        Exception: what `items` or `function` raised, after everything before it was yielded.
        Interrupted: it was requested while waiting; see `heatprop.interrupts`.

    Example:
        >>> [(item, result) for item, result, _ in map_ahead([3, 1, 2], str, workers=2)]
        [(3, '3'), (1, '1'), (2, '2')]
    """
    shared = workers if isinstance(workers, Workers) else Workers(workers)
    with shared.borrowed() as (pool, share):
        yield from _map_ahead(items, function, pool, share + 2 + more * share // shared.count)


def _map_ahead(
    items: Iterable[Item], function: Callable[[Item], Result], pool: ThreadPoolExecutor, under_way: int
) -> Generator[tuple[Item, Result, float], None, None]:
    slots = threading.Semaphore(under_way)
    stopping = threading.Event()
    # What is handed over: an item under way, the error that ended the reading, or None at the end.
    handed: Queue[tuple[Item, Future[Result], float] | BaseException | None] = Queue()

    def read() -> None:
        iterator = None
        try:
            iterator = iter(items)
            while True:
                slots.acquire()
                if stopping.is_set():
                    break
                started = perf_counter()
                try:
                    item = next(iterator)
                except StopIteration:
                    break
                if stopping.is_set():
                    break
                seconds = perf_counter() - started
                handed.put((item, pool.submit(function, item), seconds))
            _close(iterator)
            handed.put(None)
        except BaseException as error:
            with suppress(Exception):  # the first error is the one to tell
                _close(iterator)
            handed.put(error)

    reader = threading.Thread(target=read, name="heatprop-read", daemon=True)
    reader.start()
    try:
        while (entry := take(handed)) is not None:
            if isinstance(entry, BaseException):
                raise entry
            item, future, seconds = entry
            result = future.result()
            slots.release()
            yield item, result, seconds
    finally:
        stopping.set()
        slots.release()
        reader.join(_SECONDS_TO_STOP)
        with suppress(Empty):
            while True:
                left = handed.get_nowait()
                if isinstance(left, tuple):
                    left[1].cancel()


@dataclass(frozen=True, slots=True)
class _Handed(Generic[Item]):
    number: int
    item: Item
    place: threading.Semaphore


@dataclass(frozen=True, slots=True)
class _Failed:
    number: int
    error: BaseException


def merge(
    iterables: Iterable[Iterable[Item]],
    at_once: int,
    on_error: Callable[[int, Exception], None],
) -> Generator[tuple[int, Item], None, None]:
    """Yield the items of several iterables as they come, `at_once` iterables at a time, each in its own thread.

    None waits for a slow one, and the order within each is kept. Of each two items are made ahead at most, so
    memory does not grow. Closing the iterator stops the threads; an item that is just being made is waited for at
    most some seconds.

    Args:
        iterables: begun in their order, when a thread is free. The thread also closes what is a generator.
        at_once: how many are gone through at a time; at least 1.
        on_error: called in the consumer's thread with the number of an iterable that failed and its error, after
            the items before it were yielded; the others go on. What it raises ends them.

    Yields:
        The number of the iterable, from 0, and its next item.

    Raises:
        Interrupted: it was requested while waiting; see `heatprop.interrupts`.

    Example:
        >>> def fail(number, error):
        ...     raise error
        >>> sorted(merge(["ab", "c"], 2, fail))
        [(0, 'a'), (0, 'b'), (1, 'c')]
    """
    waiting = deque(enumerate(iterables))
    stopping = threading.Event()
    # What is handed over: an item, an error that ended an iterable, or None from a thread that ends.
    handed: Queue[_Handed[Item] | _Failed | None] = Queue()
    places = [threading.Semaphore() for _ in range(min(at_once, len(waiting)))]

    def work(place: threading.Semaphore) -> None:
        with suppress(IndexError):
            while not stopping.is_set():
                number, iterable = waiting.popleft()
                try:
                    _go_through(iterable, partial(hand_over, place, number))
                except BaseException as error:
                    handed.put(_Failed(number, error))
        handed.put(None)

    def hand_over(place: threading.Semaphore, number: int, item: Item) -> bool:
        place.acquire()
        handed.put(_Handed(number, item, place))
        return not stopping.is_set()

    threads = [
        threading.Thread(target=work, args=(place,), name="heatprop-merge", daemon=True) for place in places
    ]
    try:
        for thread in threads:
            thread.start()
        running = len(threads)
        while running:
            entry = take(handed)
            if entry is None:
                running -= 1
            elif isinstance(entry, _Handed):
                entry.place.release()
                yield entry.number, entry.item
            elif isinstance(entry.error, Exception):
                on_error(entry.number, entry.error)
            else:
                raise entry.error
    finally:
        stopping.set()
        for place in places:
            place.release()
        latest = monotonic() + _SECONDS_TO_STOP
        for thread in threads:
            if thread.ident is not None:
                thread.join(max(0.0, latest - monotonic()))


def usable_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux: respects taskset and containers
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _go_through(items: Iterable[Item], hand_over: Callable[[Item], bool]) -> None:
    """Hand over each item until that says that it is enough, and close what is a generator."""
    iterator = iter(items)
    try:
        for item in iterator:
            if not hand_over(item):
                break
    except BaseException:
        with suppress(Exception):  # the first error is the one to tell
            _close(iterator)
        raise
    _close(iterator)


def _close(iterator: object) -> None:
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
