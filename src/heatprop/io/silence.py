"""OpenCV without its log lines: what goes wrong is said once, in our words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2

# Where the functions are since release 5, and where before.
LOGGING: Any = getattr(cv2.utils, "logging", cv2)
SILENT = 0


class _Silence:
    """OpenCV's log level is one for all threads: the first inside lowers it, the last outside restores it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._level = 0

    def enter(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._level = LOGGING.getLogLevel()
                LOGGING.setLogLevel(SILENT)
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                LOGGING.setLogLevel(self._level)


_silence = _Silence()


@contextmanager
def opencv_silence() -> Iterator[None]:
    """Keep OpenCV from logging to standard error inside the context, in whichever threads."""
    _silence.enter()
    try:
        yield
    finally:
        _silence.leave()
