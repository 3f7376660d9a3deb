"""Work ahead of whoever consumes: read in one thread, compute in others, hand over in order."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from time import perf_counter
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_SECONDS_TO_STOP = 5.0


def map_ahead(
    items: Iterable[Item], function: Callable[[Item], Result], workers: int
) -> Generator[tuple[Item, Result, float], None, None]:
    """Apply `function` to each item, up to `workers` at once, while the consumer is busy with earlier ones.

    At most ``workers + 2`` items are under way, so memory does not grow with their number. Closing the iterator
    stops the reading; an item that is just being read is waited for at most some seconds.

    Args:
        items: read in a thread of its own, which also closes it if it is a generator.
        function: called from `workers` threads at once.
        workers: how many calls run at once.

    Yields:
        The item, what `function` made of it, and the seconds that reading it took; in the order of `items`.

    Raises:
        Exception: what `items` or `function` raised, after everything before it was yielded.

    Example:
        >>> [(item, result) for item, result, _ in map_ahead([3, 1, 2], str, workers=2)]
        [(3, '3'), (1, '1'), (2, '2')]
    """
    slots = threading.Semaphore(workers + 2)
    stopping = threading.Event()
    # What is handed over: an item under way, the error that ended the reading, or None at the end.
    handed: SimpleQueue[tuple[Item, Future[Result], float] | BaseException | None] = SimpleQueue()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="heatprop-work")

    def read() -> None:
        iterator = None
        try:
            iterator = iter(items)
            while True:
                slots.acquire()
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
        while (entry := handed.get()) is not None:
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
        pool.shutdown(wait=True, cancel_futures=True)


def usable_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux: respects taskset and containers
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _close(iterator: object) -> None:
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
