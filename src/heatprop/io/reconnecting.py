"""A live source that is opened again when it breaks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from heatprop.errors import SourceError
from heatprop.io.sources import OpenSource, VideoSource
from heatprop.types import Frame

RECONNECT = 10.0
"""Seconds for which a live source on the network is tried again, unless said otherwise."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0


class ReconnectingSource(OpenSource):
    """Reads a live source, and opens it anew when it fails; an end in good order ends this one, too.

    Frame numbers and times go on: the time of the gap passes. The first frame after it begins a shot.

    Args:
        opens: opens the source; called after each failure.
        seconds: for which it is tried again, with growing pauses; then the failure is raised.
        opened: the source, open; this one then owns it.

    Attributes:
        reconnections: how often it was opened again.

    """

    def __init__(self, opens: Callable[[], VideoSource], seconds: float, *, opened: VideoSource) -> None:
        super().__init__()
        self._opens, self._seconds = opens, seconds
        self._source = opened
        self._changed = threading.Condition()
        self._skipped_before = 0
        self.info = self._source.info

    def _frames(self) -> Iterator[Frame]:
        index, last, arrived = 0, 0.0, time.monotonic()
        shift, is_anew = 0.0, False
        while True:
            try:
                for frame in self._source:
                    if is_anew:
                        shift = last + max(time.monotonic() - arrived, 1e-3) - frame.time
                    last, arrived = frame.time + shift, time.monotonic()
                    self._tell()
                    yield replace(frame, index=index, time=last, starts_anew=is_anew)
                    index, is_anew = index + 1, False
                return
            except SourceError as error:
                self._require_open()
                self._tell()
                self._open_again(error)
                is_anew = True

    def _tell(self) -> None:
        self.skipped = self._skipped_before + self._source.skipped
        for line in self._source.notes:
            self.note(line)

    def _open_again(self, error: SourceError) -> None:
        """Open the source anew.

        Raises:
            SourceError: `error`, when it did not open for as long as it was tried, or was closed meanwhile.
        """
        self._source.close()
        latest, pause = time.monotonic() + self._seconds, _FIRST_PAUSE
        while True:
            with self._changed:
                left = latest - time.monotonic()
                if left > 0:
                    self._changed.wait_for(lambda: not self._is_open, min(pause, left))
                self._require_open()
            try:
                source = self._opens()
            except SourceError:
                if time.monotonic() >= latest:
                    raise error from None
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            with self._changed:
                if self._is_open:
                    self._skipped_before = self.skipped
                    self._source = source
                    self.reconnections += 1
                    return
            source.close()
            raise error

    def close(self) -> None:
        """Close the source and try no more; calling it again does nothing."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
        self._source.close()
