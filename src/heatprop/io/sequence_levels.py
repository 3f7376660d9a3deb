"""One scale for all images of a sequence that are deeper than 8 bits, and what became white by it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator

import numpy as np

from heatprop.errors import SourceError
from heatprop.io.image_files import StoredImage
from heatprop.io.levels import Levels
from heatprop.types import ImageArray

MAX_SAMPLED = 1000
"""Of a longer sequence so many images are sampled, evenly spread."""


class SequenceLevels:
    """Shows the images of a sequence, in any order, in several threads and processes, to the same result.

    The first one whose file does not say what is white makes it look at all of them for what they hold, until one
    uses its whole range. Of a sequence longer than `MAX_SAMPLED`, others may be brighter: that becomes white,
    and is counted.

    Args:
        count: how many images there are.
        image_at: reads one by its number.
    """

    def __init__(self, count: int, image_at: Callable[[int], StoredImage]) -> None:
        self._count = count
        self._image_at = image_at
        self._lock = threading.Lock()
        self._levels: Levels | None = None
        self._brighter: set[Hashable] = set()
        self._colour: str | None = None

    @property
    def colour(self) -> str | None:
        """From which colours images were converted so far, by the first of them; None: from none."""
        return self._colour

    def show(self, image: StoredImage, name: Hashable) -> ImageArray:
        """Return an image as uint8 RGB ``(H, W, 3)``, upright; `name` tells it from the others."""
        self._colour = self._colour or image.header.colours.name
        if not image.needs_levels:
            return image.shown()
        levels = self._settled()
        if image.values.max() > levels.white:
            with self._lock:
                self._brighter.add(name)
        return image.shown(levels)

    def notes(self, what: str = "images") -> list[str]:
        """Return what is worth knowing of how they were shown so far."""
        lines = [] if self._colour is None else [f"the {what} are in {self._colour}; converted to BT.709"]
        if self._levels is not None and self._levels.is_part:
            lines.append(f"the {what} hold {self._levels.bits} bits in files of more; they are scaled to these")
        if self._brighter:
            lines.append(
                f"{len(self._brighter)} {what} hold brighter values than the {MAX_SAMPLED} sampled; "
                "these are white"
            )
        return lines

    def _settled(self) -> Levels:
        with self._lock:
            if self._levels is None:
                self._levels = Levels.of(self._deep())
            return self._levels

    def _deep(self) -> Iterator[np.ndarray]:
        places = np.linspace(0, self._count - 1, min(self._count, MAX_SAMPLED)).round().astype(int)
        for place in places.tolist():
            try:
                image = self._image_at(place)
            except SourceError:
                continue
            if image.needs_levels:
                yield image.values
