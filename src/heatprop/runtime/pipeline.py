"""Work ahead of whoever consumes: read in threads, compute in others, hand over in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from queue import Empty, Queue
from time import monotonic
from types import TracebackType
from typing import Generic, TypeVar

from heatprop.interrupts import pending, take

Item = TypeVar("Item")
Result = TypeVar("Result")

_SECONDS_TO_STOP = 5.0
_SECONDS_FOR_ABANDONED = 0.5


class Workers:
    """Threads that all who work ahead side by side share: they come with the first and go with the last.

    A context manager that several enter at once; it gives the threads, and how many of them are a fair share now:
    all for one who is alone. No generator: the garbage collector may end a generator in one of these threads.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        # A generator that the garbage collector ends may come here while its own thread is here already.
        self._lock = threading.RLock()
        self._users = 0
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> tuple[ThreadPoolExecutor, int]:
        with self._lock:
            self._users += 1
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.count, thread_name_prefix="heatprop-work")
            return self._pool, -(-self.count // self._users)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._users -= 1
            unused = self._pool if self._users == 0 else None
            if unused is not None:
                self._pool = None
        if unused is not None:
            unused.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Done(Generic[Item, Result]):
    """An item of an iterable, and what `function` made of it.

    Attributes:
        number: of the iterable, from 0.
        item: as it was read.
        result: of the function.
    """

    number: int
    item: Item
    result: Result


@dataclass(frozen=True, slots=True)
class Ended:
    """An iterable that has no more items to hand over.

    Attributes:
        number: of the iterable, from 0.
        error: what it, or the function, raised; None at its end.
    """

    number: int
    error: Exception | None


class WorkAhead(Generic[Item, Result]):
    """Goes through several iterables at once, and works on their items ahead of the consumer.

    A thread reads each iterable that is open, and closes it if it is a generator; threads that all share apply
    `function`. The items of each iterable keep their order, and none waits for one that is slow to read. A few
    items of each are under way, so memory does not grow with their number.

    Args:
        iterables: what to go through, in this order as places become free.
        function: called from `workers` threads at once.
        workers: the threads.
        at_once: at most so many iterables are open at a time, those `apart` not counted.
        apart: numbers of the iterables that have a place of their own from the beginning.
        on_stop: called before iterables that are being read are waited for; may wake those that wait themselves.
    """

    def __init__(
        self,
        iterables: Sequence[Iterable[Item]],
        function: Callable[[Item], Result],
        workers: Workers,
        *,
        at_once: int = 1,
        apart: Collection[int] = (),
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self._iterables, self._function, self._workers = iterables, function, workers
        self._at_once, self._apart, self._on_stop = at_once, apart, on_stop
        self._waiting = deque(number for number in range(len(iterables)) if number not in apart)
        self._handed: Queue[tuple[int, Item, Future[Result]] | BaseException | Ended] = Queue()
        self._slots: dict[int, threading.Semaphore] = {}
        self._readers: list[threading.Thread] = []
        self._read_by: dict[int, threading.Thread] = {}
        self._relieved: set[int] = set()
        self._left: set[int] = set()
        self._abandoned: set[int] = set()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor
        self._share: int

    def events(self) -> Generator[Done[Item, Result] | Ended, None, None]:
        """Yield what is done, and each iterable's end after all its items. To close it stops the reading.

        An iterable that is just being read is waited for at most some seconds, an abandoned one next to not.

        Raises:
            Interrupted: it was requested while waiting; see `heatprop.interrupts`. Then only those iterables that
                `begin` was called for are waited for.
            BaseException: what no `Exception` is, from an iterable or from `function`.
        """
        owner = threading.current_thread()
        with ExitStack() as held:
            self._pool, share = held.enter_context(self._workers)
            places = min(self._at_once, len(self._waiting))
            self._share = -(-share // max(places + len(self._apart), 1))
            self._slots = {number: threading.Semaphore(self._share + 2) for number in range(len(self._iterables))}
            held.callback(self._stop)
            try:
                for number in self._apart:
                    self._start_reader(deque([number]))
                for _ in range(places):
                    self._start_reader(self._waiting)
                yield from self._handed_over()
            finally:
                if threading.current_thread() is not owner:
                    # The garbage collector ends it amid whatever this thread does: to wait here could be for ever.
                    threading.Thread(target=held.pop_all().close, name="heatprop-stop", daemon=True).start()

    def begin(self, number: int, *, gives_place: bool = False, more: int = 0) -> bool:
        """Say that an iterable is open, from its own thread: from here on it is waited for.

        Args:
            number: of the iterable.
            gives_place: whether it may have no end, so that another takes its place.
            more: items of it under way beyond the usual, where `function` has next to nothing to do for some; of
                shared threads a fair share.

        Returns:
            Whether anybody still wants it.
        """
        with self._lock:
            if self._stopping.is_set():
                return False
            self._read_by[number] = threading.current_thread()
            for _ in range(more * self._share // self._workers.count):
                self._slots[number].release()
            if gives_place and number not in self._apart:
                self._relieved.add(number)
                self._start_reader(self._waiting)
        return True

    def leave(self, number: int) -> None:
        """Take no more of an iterable: it ends without an event."""
        self._left.add(number)
        self._slots[number].release()

    def abandon(self, number: int) -> None:
        """End an iterable that may give nothing any more, from any thread, after what it has handed over."""
        self._abandoned.add(number)
        self._slots[number].release()
        self._handed.put(Ended(number, None))

    def _handed_over(self) -> Generator[Done[Item, Result] | Ended, None, None]:
        while len(self._left) < len(self._iterables):
            entry = take(self._handed)
            if isinstance(entry, BaseException):
                raise entry
            if isinstance(entry, Ended):
                if entry.number not in self._left:
                    self._left.add(entry.number)
                    yield entry
                continue
            number, item, future = entry
            if number in self._left:
                future.cancel()
                continue
            try:
                done = [Done(number, item, future.result())]
            except Exception as error:
                self.leave(number)
                yield Ended(number, error)
                continue
            self._slots[number].release()
            del entry, item, future  # the consumer alone keeps them
            yield done.pop()

    def _start_reader(self, waiting: deque[int]) -> None:
        reader = threading.Thread(target=self._read, args=(waiting,), name="heatprop-read", daemon=True)
        reader.start()
        self._readers.append(reader)

    def _read(self, waiting: deque[int]) -> None:
        with suppress(IndexError):
            while not self._stopping.is_set():
                number = waiting.popleft()
                try:
                    self._go_through(number)
                    self._handed.put(Ended(number, None))
                except Exception as error:
                    self._handed.put(Ended(number, error))
                except BaseException as error:
                    self._handed.put(error)
                with self._lock:
                    self._read_by.pop(number, None)
                if number in self._relieved:
                    return

    def _go_through(self, number: int) -> None:
        iterator = None
        try:
            iterator = iter(self._iterables[number])
            while True:
                self._slots[number].acquire()
                if self._is_unwanted(number):
                    break
                try:
                    item = next(iterator)
                except StopIteration:
                    break
                if self._is_unwanted(number):
                    break
                self._handed.put((number, item, self._pool.submit(self._function, item)))
                del item
        except BaseException:
            with suppress(Exception):  # the first error is the one to tell
                _close(iterator)
            raise
        _close(iterator)

    def _is_unwanted(self, number: int) -> bool:
        return self._stopping.is_set() or number in self._left or number in self._abandoned

    def _stop(self) -> None:
        with self._lock:
            self._stopping.set()
            readers = self._readers if pending() is None else list(self._read_by.values())
            abandoned = [reader for number, reader in self._read_by.items() if number in self._abandoned]
        for slots in self._slots.values():
            slots.release()
        self._on_stop()
        begun = monotonic()
        for reader in [*readers]:
            patience = _SECONDS_FOR_ABANDONED if reader in abandoned else _SECONDS_TO_STOP
            reader.join(max(0.0, begun + patience - monotonic()))
        with suppress(Empty):
            while True:
                entry = self._handed.get_nowait()
                if isinstance(entry, tuple):
                    entry[2].cancel()


def map_ahead(
    items: Iterable[Item], function: Callable[[Item], Result], workers: int
) -> Generator[tuple[Item, Result], None, None]:
    """Apply `function` to each item, up to `workers` at once, while the consumer is busy with earlier ones.

    At most ``workers + 2`` items are under way. It is `WorkAhead` on one iterable.

    Args:
        items: read in a thread of its own, which also closes it if it is a generator.
        function: called from `workers` threads at once.
        workers: how many calls run at once.

    Yields:
        The item and what `function` made of it, in the order of `items`.

    Raises:
        Exception: what `items` or `function` raised, after everything before it was yielded.
        Interrupted: it was requested while waiting; see `heatprop.interrupts`.

    Example:
        >>> list(map_ahead([3, 1, 2], str, workers=2))
        [(3, '3'), (1, '1'), (2, '2')]
    """
    ahead = WorkAhead([items], function, Workers(workers))
    with closing(ahead.events()) as events:
        for event in events:
            if isinstance(event, Done):
                yield event.item, event.result
            elif event.error is not None:
                raise event.error


def _close(iterator: object) -> None:
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
