"""Ctrl-C and SIGTERM: the first stops soon and cleanly, the second at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self, TypeVar

from heatprop.pipeline import merge

Item = TypeVar("Item")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """The user, or the system, asked to stop.

    Attributes:
        exit_code: 128 plus the signal's number, as shells have it: 130 for Ctrl-C, 143 for SIGTERM.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.exit_code = 128 + number


class Interrupts:
    """While entered, turns the first SIGINT or SIGTERM into `Interrupted`, and lets a second one kill.

    Inside `held` the exception waits until the block is done, so that an output is never cut in the middle of
    a frame. Does nothing outside the main thread, and leaves a signal alone that was ignored before (`nohup`).

    Args:
        requests: how many signals are one request to stop; the next one kills. 2 where a launcher passes on what
            the terminal has sent already.

    Example:
        >>> with Interrupts() as interrupts, interrupts.held():
        ...     pass
    """

    def __init__(self, requests: int = 1) -> None:
        self._before: dict[int, Any] = {}
        self._left = requests
        self._held = False
        self._pending: Interrupted | None = None

    @property
    def pending(self) -> Interrupted | None:
        """What was asked while held and not raised."""
        return self._pending

    def hold(self) -> None:
        """Raise nothing from here on: what is finished now is to be kept; see `pending`."""
        self._held = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the block finish before `Interrupted` is raised."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._pending is not None:
            pending, self._pending = self._pending, None
            raise pending

    def watch(self, items: Generator[Item, None, None]) -> Generator[Item, None, None]:
        """Return `items`, such that waiting for the next one is interrupted, too."""
        return items

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _: FrameType | None) -> None:
        self._left -= 1
        if self._left <= 0:
            for known in self._before:
                signal.signal(known, signal.SIG_DFL)
        if self._pending is not None:
            return
        interrupted = Interrupted(number)
        if not self._held:
            raise interrupted
        self._pending = interrupted


class ThreadInterrupts(Interrupts):
    """What a thread beside the main one is told of the signals, which reach only the main one.

    It is never interrupted anywhere: only at the end of `held`, in `watch`, and where it calls `check`; and once.

    Args:
        main: those of the main thread; it must `hold` them.
    """

    def __init__(self, main: Interrupts) -> None:
        super().__init__()
        self._main = main
        self._is_told = False

    @property
    def pending(self) -> Interrupted | None:
        """What was asked and not raised here."""
        return None if self._is_told else self._main.pending

    @property
    def is_told(self) -> bool:
        """Whether `Interrupted` was raised here."""
        return self._is_told

    def check(self) -> None:
        """Raise `Interrupted` if that was asked and not raised before."""
        pending = self.pending
        if pending is not None:
            self._is_told = True
            raise Interrupted(pending.exit_code - 128)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the block finish before `Interrupted` is raised."""
        yield
        self.check()

    def watch(self, items: Generator[Item, None, None]) -> Generator[Item, None, None]:
        """Yield `items`, made in another thread, so that one that does not come is not waited for."""

        def fail(_: int, error: Exception) -> NoReturn:
            raise error

        with closing(merge([items], 1, fail, is_over=lambda: self.pending is not None)) as merged:
            for _, item in merged:
                yield item
        self.check()
