"""Real time on a live source: always the newest frame, and a count of those that nobody took."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter

from heatprop.io.sources import OpenSource, VideoSource
from heatprop.types import Frame

_LONGEST_HOLD = 1.0
_SECONDS_TO_STOP = 0.5


class NewestFrames(OpenSource):
    """A source read in a thread of its own as fast as it comes; it hands out the newest frame not handed out yet.

    What comes while the consumer is busy takes the place of what came before, so that the consumer is never more
    than a frame behind, and memory holds one frame. `Frame.index` and `Frame.time` stay those of the inner
    source: gaps show what was dropped. The very first frame is never dropped, nor the last before the end or
    an error, which come after it. The thread runs while somebody iterates; iterating again goes on where the
    inner source is. Any number of threads may iterate; each frame goes to one of them.

    Args:
        source: the inner source, which this one then owns.
        at_its_times: hold each frame back until its time has come, counted from the frame before: for a live
            source that comes in pieces of some seconds, of which else only the end would be seen.

    Attributes:
        info: of the inner source.
        skipped: damaged packets and frames that the inner source skipped.
        notes: of the inner source.
        dropped: whole frames that nobody took before a newer one came.
        waited: seconds that consumers waited for frames.
    """

    def __init__(self, source: VideoSource, *, at_its_times: bool = False) -> None:
        super().__init__()
        self.info = source.info
        self.skipped = source.skipped
        self.notes = list(source.notes)
        self.reconnections = source.reconnections
        self.waited = 0.0
        self._source = source
        self._at_its_times = at_its_times
        # When the last frame was put up for taking, and its own time.
        self._due = self._time = 0.0
        # Guards all below, and tells of changes to it.
        self._changed = threading.Condition()
        self._inner: Iterator[Frame] | None = None
        self._thread: threading.Thread | None = None
        self._is_reading = False
        self._consumers = 0
        self._newest: Frame | None = None
        self._is_first_taken = False
        self._is_ended = False
        self._error: BaseException | None = None

    def _frames(self) -> Iterator[Frame]:
        try:
            self._join_in()
            while (frame := self._take()) is not None:
                yield frame
                del frame  # not kept while the next one is waited for
        finally:
            self._leave()

    def _join_in(self) -> None:
        """Count one more consumer, and start to read if nobody did."""
        with self._changed:
            self._consumers += 1
            self._require_open()
            if not self._is_reading:
                self._is_ended, self._error = False, None
                self._thread = threading.Thread(target=self._read, name="heatprop-newest", daemon=True)
                self._thread.start()
                self._is_reading = True

    def _take(self) -> Frame | None:
        """Return the newest frame as soon as there is one, None at the end."""
        with self._changed:
            started = perf_counter()
            self._changed.wait_for(lambda: self._newest is not None or self._is_ended or not self._is_open)
            self.waited += perf_counter() - started
            self._require_open()
            frame, self._newest = self._newest, None
            if frame is None and self._error is not None:
                raise self._error
            self._is_first_taken = True
            self._changed.notify_all()
            return frame

    def _leave(self) -> None:
        """Count one consumer less; the last one stops the reading."""
        with self._changed:
            self._consumers -= 1
            thread = self._thread if self._is_open and not self._consumers else None
            self._changed.notify_all()
        _wait_for(thread)

    def _read(self) -> None:
        """Work of the thread: read until the end, or until nobody wants frames."""
        is_ended = False
        while not is_ended and self._is_wanted():
            frame, error = None, None
            try:
                self._inner = self._inner or iter(self._source)
                frame = next(self._inner, None)
            except BaseException as problem:
                error = problem
            is_ended = frame is None
            self._put(frame, error)

    def _is_wanted(self) -> bool:
        """Return whether to read on, once the first frame is taken; if not, the thread is done."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._newest is None or self._is_first_taken or not self._consumers or not self._is_open
            )
            self._is_reading = self._is_open and self._consumers > 0
            return self._is_reading

    def _put(self, frame: Frame | None, error: BaseException | None) -> None:
        with self._changed:
            self.skipped = self._source.skipped
            self.notes = list(self._source.notes)
            self.reconnections = self._source.reconnections
            if frame is not None and self._at_its_times:
                self._hold(frame.time)
            if frame is None:
                self._is_ended, self._error = True, error
                self._is_reading, self._inner = False, None
            elif self._is_open:
                if self._newest is not None:
                    self.dropped += 1
                    frame = replace(frame, starts_anew=frame.starts_anew or self._newest.starts_anew)
                self._newest = frame
            self._changed.notify_all()

    def _hold(self, time: float) -> None:
        """Wait until a frame is as long after the last one as their times say, if somebody wants it."""
        now = perf_counter()
        # What comes late is not made up for, and no jump of the times is waited out.
        self._due = max(now, self._due + min(time - self._time, _LONGEST_HOLD))
        self._time = time
        self._changed.wait_for(lambda: not self._consumers or not self._is_open, self._due - now)

    def close(self) -> None:
        """Stop, and close the inner source; calling it again does nothing.

        Where the thread waits for data that does not come, it ends when its reading returns.
        """
        with self._changed:
            thread = self._thread if self._is_open else None
            self._is_open = False
            self._newest = None
            self._changed.notify_all()
        self._source.close()
        _wait_for(thread)


def _wait_for(thread: threading.Thread | None) -> None:
    # The garbage collector may end an iteration in any thread, even in the one that reads.
    if thread is not None and thread is not threading.current_thread():
        thread.join(_SECONDS_TO_STOP)
