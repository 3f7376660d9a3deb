"""How fast the network alone is: what all else is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from time import perf_counter

from heatprop.errors import InvalidArrayError, check_count
from heatprop.interrupts import check
from heatprop.letterbox import fit_letterbox, letterbox
from heatprop.runtime.detector import VideoDetector
from heatprop.types import ImageArray


class BareNetwork:
    """A detector's network, with the threads that a stream gives it, on images that lie ready.

    Args:
        detector: whose network it is.
        images: uint8 ``(H, W, 3)`` RGB, all of one size; taken in turns.
        sample_aspect_ratio: width of a pixel over its height.

    Raises:
        InvalidArrayError: there are no images.
    """

    def __init__(
        self, detector: VideoDetector, images: Sequence[ImageArray], sample_aspect_ratio: Fraction = Fraction(1)
    ) -> None:
        if not images:
            raise InvalidArrayError("images is empty; give at least one")
        height, width = images[0].shape[:2]
        fitted = fit_letterbox(width, height, detector.card.input, float(sample_aspect_ratio))
        self._backend = detector.backend
        self._inputs = [letterbox(image, fitted)[None] for image in images]

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height of what the network is given, in pixels."""
        height, width = self._inputs[0].shape[1:3]
        return width, height

    def frames_per_second(self, frames: int) -> float:
        """Run the network on so many images, as many at once as pays, and return how fast that went.

        Raises:
            BackendError: the network failed.
            Interrupted: it was requested.
        """
        check_count("frames", frames, 1)

        def infer(number: int) -> None:
            check()
            self._backend.infer(self._inputs[number % len(self._inputs)])

        started = perf_counter()
        with ThreadPoolExecutor(self._backend.concurrency) as pool:
            for _ in pool.map(infer, range(frames)):
                pass
        return frames / (perf_counter() - started)
