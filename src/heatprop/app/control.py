"""How a run at work is paused, resumed and cancelled from another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable


class CancelledError(Exception):
    """The run was cancelled."""


class Control:
    """The wishes of others for one run at work."""

    def __init__(self) -> None:
        self._may_go = threading.Event()
        self._may_go.set()
        self._cancelled = threading.Event()
        self._wake: Callable[[], None] = lambda: None

    @property
    def is_paused(self) -> bool:
        """Whether it shall wait."""
        return not self._may_go.is_set()

    @property
    def is_cancelled(self) -> bool:
        """Whether it shall end."""
        return self._cancelled.is_set()

    def pause(self) -> None:
        """Let it wait before its next frame."""
        self._may_go.clear()

    def resume(self) -> None:
        """Let it go on."""
        self._may_go.set()

    def cancel(self) -> None:
        """Let it end after its present frame."""
        self._cancelled.set()
        self._may_go.set()
        self._wake()

    def wake_by(self, wake: Callable[[], None]) -> None:
        """Say what ends a wait for a frame that may never come; it is called when the run is cancelled."""
        self._wake = wake
        if self.is_cancelled:
            wake()

    def wait(self) -> None:
        """Wait while it is paused.

        Raises:
            CancelledError: it was cancelled.
        """
        self._may_go.wait()
        if self.is_cancelled:
            raise CancelledError
