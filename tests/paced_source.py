"""A source whose pace a test controls."""

import itertools
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from heatprop.io.sources import OpenSource, SourceInfo
from heatprop.types import Frame

LATEST = 60.0
"""Seconds after which a test gives up waiting, and fails."""


def wait_for(event: threading.Event) -> None:
    """Wait for what must come."""
    assert event.wait(LATEST), "nothing came"


class Paced(OpenSource):
    """Frames whose pixels all hold their index, until they are all given or the source is closed.

    Args:
        count: of its frames; None for no end.
        size: height and width.
        is_live: see `SourceInfo`.
        before: called with the index of each frame before it is given, in the thread that reads.
        falls_silent: whether after its frames it gives nothing, not even an end, until it is closed.
        is_deaf: whether its silence lasts until `wakes` is set instead, as where a pipe is read.

    Attributes:
        is_silent: set when its silence begins.
        closed: set when it is closed.
        wakes: what ends its silence.
        gave_up: whether its silence had to end by itself.
    """

    def __init__(
        self,
        count: int | None,
        size: tuple[int, int] = (48, 64),
        *,
        is_live: bool = False,
        before: Callable[[int], object] = lambda _: None,
        falls_silent: bool = False,
        is_deaf: bool = False,
    ) -> None:
        super().__init__()
        height, width = size
        self.info = SourceInfo("paced", width, height, Fraction(25), None, None, is_live, has_audio=False)
        self.count, self.before, self.falls_silent = count, before, falls_silent
        self.is_silent, self.closed = threading.Event(), threading.Event()
        self.gave_up = False
        self.wakes = threading.Event() if is_deaf else self.closed

    def _frames(self) -> Iterator[Frame]:
        shape = self.info.height, self.info.width, 3
        for index in itertools.islice(itertools.count(), self.count):
            self.before(index)
            if self.closed.is_set():
                return
            yield Frame(np.full(shape, index % 256, np.uint8), index, index / 25)
        if self.falls_silent:
            self.is_silent.set()
            self.gave_up = not self.wakes.wait(LATEST)
            assert not self.gave_up, "nobody closed it"

    def close(self) -> None:
        """Release the source."""
        self._is_open = False
        self.closed.set()
