"""An animated WebP as a video. Animated PNG and GIF, and sequences in AVIF, are read by libav, as videos are."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from heatprop.errors import SourceError
from heatprop.io.silence import opencv_silence
from heatprop.io.sources import OpenSource, SourceInfo
from heatprop.types import Frame, ImageArray

# What browsers take for a frame that is to be shown for no time, in seconds.
_MIN_SECONDS = 0.011
_USUAL_SECONDS = 0.1
_AT_ONCE = 32


class AnimationSource(OpenSource):
    """An animated WebP with its times.

    Args:
        path: the file.

    Raises:
        SourceError: it is damaged, or OpenCV is too old for it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._iteration = 0
        if not hasattr(cv2, "imreadanimation"):
            raise SourceError(f"{path} is an animated WebP, which OpenCV reads from 4.11 on; update it")
        with opencv_silence():
            count = cv2.imcount(str(path))
        first = next(iter(self._images(1)), None)
        if first is None:
            raise SourceError(f"{path}: none of its frames can be decoded; it needs repair")
        (height, width, _), seconds = first[0].shape, first[1]
        self.info = SourceInfo(
            name=str(path),
            width=width,
            height=height,
            frame_rate=Fraction(1 / seconds).limit_denominator(1000),
            frame_count=max(count, 1),
            duration=None,
            is_live=False,
            has_audio=False,
        )

    def _images(self, at_once: int = _AT_ONCE) -> Iterator[tuple[ImageArray, float]]:
        """Yield each frame as RGB, and for how many seconds it is shown."""
        start = 0
        while True:
            frames, seconds = self._read(start, at_once)
            for frame, shown in zip(frames, seconds, strict=True):
                colours = cv2.COLOR_BGRA2RGB if frame.shape[2] == 4 else cv2.COLOR_BGR2RGB
                yield np.asarray(cv2.cvtColor(frame, colours), np.uint8), shown
            start += len(frames)
            if len(frames) < at_once:
                return

    def _read(self, start: int, count: int) -> tuple[list[ImageArray], list[float]]:
        try:
            with opencv_silence():
                _, animation = cv2.imreadanimation(str(self._path), start, count)
        except cv2.error:
            return [], []
        milliseconds = np.asarray(animation.durations, np.float64).reshape(-1).tolist()
        shown = [each / 1000 if each / 1000 >= _MIN_SECONDS else _USUAL_SECONDS for each in milliseconds]
        return [np.asarray(frame, np.uint8) for frame in animation.frames], shown[: len(animation.frames)]

    def _frames(self) -> Iterator[Frame]:
        self.skipped = 0
        self._iteration += 1
        iteration, time = self._iteration, 0.0
        count = 0
        for index, (image, seconds) in enumerate(self._images()):
            self._require_open()
            if iteration != self._iteration:
                return
            yield Frame(image, index, time)
            time += seconds
            count += 1
        self.skipped = max((self.info.frame_count or 0) - count, 0)

    def close(self) -> None:
        """End the source; calling it again does nothing."""
        self._is_open = False
