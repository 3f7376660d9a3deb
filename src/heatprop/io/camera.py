"""Cameras, read through OpenCV: PyAV's wheels carry no camera drivers."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from heatprop.errors import SourceError, SourceNotFoundError
from heatprop.io.silence import opencv_silence
from heatprop.io.sources import OpenSource, SourceInfo
from heatprop.types import Frame, ImageArray

_MAX_FAILURES_IN_A_ROW = 10
_LONGEST_WAIT = 1.0


def open_camera(device: int | str) -> cv2.VideoCapture:
    """Open a camera by number or device path, without OpenCV's log lines.

    Raises:
        SourceNotFoundError: there is no such camera.
        SourceError: it is there but cannot be opened.
    """
    name = f"camera:{device}" if isinstance(device, int) else device
    if sys.platform == "linux":
        path = Path(f"/dev/video{device}" if isinstance(device, int) else device)
        if not path.exists():
            raise SourceNotFoundError(f"{name}: no such camera ({path} is missing); plug it in or try another")
    with opencv_silence():
        capture = cv2.VideoCapture(device)
    if not capture.isOpened():
        raise SourceError(f"{name}: the camera does not open; is it in use, or are you allowed to use it?")
    # Old frames are worth nothing to who watches live.
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture


class CameraSource(OpenSource):
    """A camera. Times are those at which its frames arrived.

    Args:
        device: number or device path of the camera, or an open capture, which the source then owns.

    Raises:
        SourceNotFoundError: there is no such camera.
        SourceError: it cannot be opened or gives no frame.
    """

    def __init__(self, device: int | str | cv2.VideoCapture) -> None:
        super().__init__()
        is_open = isinstance(device, cv2.VideoCapture)
        self._name = f"camera:{device}" if isinstance(device, int) else "camera" if is_open else str(device)
        self._capture = device if isinstance(device, cv2.VideoCapture) else open_camera(device)
        self._lock = threading.Lock()
        self._index = 0
        self._start = self._last = 0.0
        self._first: ImageArray | None = None
        try:
            self._first = self._read()
        except BaseException:
            self._capture.release()
            raise
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.info = SourceInfo(
            name=self._name,
            width=self._first.shape[1],
            height=self._first.shape[0],
            frame_rate=Fraction(rate).limit_denominator(1001) if 1 <= rate <= 1000 else None,
            frame_count=None,
            duration=None,
            is_live=True,
            has_audio=False,
            is_paced=True,
        )

    def _read(self) -> ImageArray:
        for _ in range(_MAX_FAILURES_IN_A_ROW):
            with opencv_silence():
                is_read, image = self._capture.read()
            if is_read and image is not None and image.size:
                return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
            self.skipped += 1
        raise SourceError(f"{self._name} gives no frames; is it unplugged or in use?")

    def _frames(self) -> Iterator[Frame]:
        while True:
            with self._lock:
                self._require_open()
                try:
                    image = self._read() if self._first is None else self._first
                finally:
                    if not self._is_open:  # `close` could not wait
                        self._capture.release()
                self._require_open()
                self._first = None
                now = time.monotonic()
                if self._index == 0:
                    self._start = now
                    self._last = -1.0
                self._last = max(now - self._start, self._last + 1e-6)
                frame = Frame(image, self._index, max(self._last, 0.0))
                self._index += 1
            yield frame

    def close(self) -> None:
        """Release the camera; calling it again does nothing.

        Where another thread waits for a frame that does not come, that thread releases it when it returns.
        """
        self._is_open = False
        if not self._lock.acquire(timeout=_LONGEST_WAIT):
            return
        try:
            self._first = None
            self._capture.release()
        finally:
            self._lock.release()
