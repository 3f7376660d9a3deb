"""Requests to stop: signals make them, loops and waits check for them.

An exception out of a signal handler appears at any bytecode: in an import, where callbacks swallow it, or in a
`finally`, which it masks. So the handler here only notes the request, and work is interrupted where `check` is
called: between two frames, and in waits. In a program that uses heatprop as a library nothing is ever requested.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from types import FrameType
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SECONDS_BETWEEN_CHECKS = 0.1


class Interrupted(KeyboardInterrupt):
    """The user, or the system, asked to stop.

    Attributes:
        exit_code: 128 plus the signal's number, as shells have it: 130 for Ctrl-C, 143 for SIGTERM.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.exit_code = 128 + number


class _Requests:
    """What was requested in this process.

    Attributes:
        before: the handlers that `install` replaced; None while it has not been called.
        number: of the signal that came first; None when none has come.
        left: how many more signals belong to the first request.
        process: where it was installed: a fork inherits the handlers, but is not asked.
    """

    before: dict[int, Any] | None = None
    number: int | None = None
    left: int = 1
    process: int = 0


class _Shield(threading.local):
    """How many blocks of this thread must not be interrupted."""

    depth: int = 0


_requests = _Requests()
_shield = _Shield()


def pending() -> Interrupted | None:
    """Return what was requested; None when nothing was."""
    return None if _requests.number is None else Interrupted(_requests.number)


def check() -> None:
    """Raise what was requested, unless this thread is shielded.

    Raises:
        Interrupted: SIGINT or SIGTERM has come.
    """
    if _requests.number is not None and not _shield.depth:
        raise Interrupted(_requests.number)


@contextmanager
def shielded() -> Iterator[None]:
    """Let nothing in the block raise `Interrupted` in this thread: what is finished is being kept."""
    _shield.depth += 1
    try:
        yield
    finally:
        _shield.depth -= 1


def take(items: Queue[Item]) -> Item:
    """Return the next item of a queue, however long it takes to come.

    Not of a `SimpleQueue`: after a signal that comes as its time is up, it waits for ever (CPython 3.11, 3.12).

    Raises:
        Interrupted: it was requested meanwhile.
    """
    while True:
        try:
            return items.get(timeout=_SECONDS_BETWEEN_CHECKS)
        except Empty:
            check()


def wait_for(work: Callable[[], Result]) -> Result:
    """Do what checks for no request itself, such as opening an address that does not answer.

    It runs in a thread of its own, which is left alone when it is not wanted any more. So it must write nothing.

    Raises:
        Interrupted: it was requested meanwhile.
    """
    if _requests.before is None:
        return work()
    done: Queue[tuple[Result | None, BaseException | None]] = Queue()

    def run() -> None:
        try:
            done.put((work(), None))
        except BaseException as error:
            done.put((None, error))

    threading.Thread(target=run, name="heatprop-wait", daemon=True).start()
    result, error = take(done)
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def install() -> bool:
    """Let SIGINT and SIGTERM be requests from here on; a second one kills, as it does by default.

    A signal that was ignored before, as under `nohup`, stays ignored.

    Returns:
        Whether that is new: only the main thread can do it, and only once.
    """
    if _requests.before is not None or threading.current_thread() is not threading.main_thread():
        return False
    _requests.number, _requests.left, _requests.process = None, 1, os.getpid()
    _requests.before = {}
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            _requests.before[number] = signal.signal(number, _receive)
    return True


def expect(signals: int) -> None:
    """Take so many signals for one request: a launcher passes on what the terminal has sent already."""
    _requests.left = signals


@contextmanager
def handled() -> Iterator[None]:
    """Let SIGINT and SIGTERM be requests in the block; within another such block it does nothing.

    Example:
        >>> with handled():
        ...     check()
    """
    if not install():
        yield
        return
    try:
        yield
    finally:
        for number, handler in (_requests.before or {}).items():
            signal.signal(number, handler)
        _requests.before = _requests.number = None


def _receive(number: int, _: FrameType | None) -> None:
    if os.getpid() != _requests.process:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        return
    _requests.left -= 1
    if _requests.left <= 0:
        for known in _requests.before or ():
            signal.signal(known, signal.SIG_DFL)
    if _requests.number is None:
        _requests.number = number
