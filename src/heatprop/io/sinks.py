"""Where annotated frames go: a video file that appears when it is whole."""

from __future__ import annotations

import errno
import math
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from heatprop.errors import InvalidArrayError, OutputError
from heatprop.io.addresses import MASK, is_address, shown
from heatprop.io.end_mark import end_mark
from heatprop.io.outputs import NullOutput, OutputFile, is_null
from heatprop.io.results_header import ResultsHeader
from heatprop.io.sources import DEFAULT_FRAME_RATE, SourceInfo
from heatprop.io.timeline import Clock, Stretch
from heatprop.types import ImageArray, check_image

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
_WAITING = 4


def fit_image(image: ImageArray, width: int, height: int) -> ImageArray:
    """Return a copy of `image`, scaled to fit ``width x height`` with black bars, its odd sides made even.

    Args:
        image: uint8 ``(H, W, 3)``.
        width: wanted width in pixels; an odd one gets its last column repeated.
        height: wanted height in pixels; an odd one gets its last row repeated.

    Example:
        >>> fit_image(np.zeros((20, 10, 3), np.uint8), 15, 9).shape
        (10, 16, 3)
    """
    if image.shape[:2] != (height, width):
        scale = min(width / image.shape[1], height / image.shape[0])
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        scaled = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        left, top = (width - size[0]) // 2, (height - size[1]) // 2
        bars = (top, height - size[1] - top, left, width - size[0] - left)
        image = np.asarray(cv2.copyMakeBorder(scaled, *bars, cv2.BORDER_CONSTANT), np.uint8)
    if height % 2 or width % 2:
        sides = (0, height % 2, 0, width % 2)
        return np.asarray(cv2.copyMakeBorder(image, *sides, cv2.BORDER_REPLICATE), np.uint8)
    return image.copy()


def _reason(error: Exception) -> str:
    """Return what stopped the writing, and what helps where that is known."""
    number = getattr(error, "errno", None)
    reason = " ".join(str(getattr(error, "strerror", None) or error).split())
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"{reason}: make room on that disk"
    return f"{reason}: files here may not grow so large, see ulimit -f" if number == errno.EFBIG else reason


class VideoSink:
    """A video file to write frames to: H.264 with the times given, and the source's sound.

    Encoding runs in a thread of its own, a few frames behind. The file gets its name in `close`, which leaving
    the context does even after an error or Ctrl-C: what was finished is kept, plays, and says of itself that it
    is unfinished (see `heatprop.io.completeness`). While it grows, and where the disk refuses more, it plays up to
    the last half second. Frames of another size are scaled into the first size with black bars; odd sides are made
    even by repeating the edge.

    Args:
        path: the file; ``.mp4``, ``.m4v``, ``.mov``, ``.mkv`` or ``.webm`` (in the last two times are whole
            milliseconds, and WebM is VP9 with Opus); ``/dev/null``: it is encoded and kept nowhere.
        info: of the source: size, shape of its pixels, frame rate (25 when unknown), and where the sound is.
        overwrite: whether an existing file may be replaced.
        width: width in pixels; None for the source's.
        height: height in pixels; None for the source's.
        audio_from: file or address whose sound to keep; None for the source's own, when it has sound and can be
            read twice; a source whose address holds a secret needs that address here. Without sound:
            ``dataclasses.replace(info, has_audio=False)``.
        crf: quality of x264, 0 (lossless) to 51; lower is better and larger.
        preset: effort of x264, by its names.
        min_frames: a video that ends unfinished, with fewer frames, is not kept, and does not replace a longer
            one.

    Attributes:
        audio_note: what was lost of the sound and why, once known; None when nothing was.
        encoding_seconds: what encoding took so far, in its own thread.
        made_from: fingerprint of what makes the video, in hexadecimal digits; set before the first frame, it
            stands in the head of the file, even after a kill.
        shown_at: as what share of the size given its frames will be shown; who draws may draw so much larger.

    Raises:
        OutputExistsError: the file exists and `overwrite` is False.
        OutputError: the suffix is unknown, the frame is larger than the encoder takes, or the place cannot be
            written.
    """

    def __init__(
        self,
        path: str | Path,
        info: SourceInfo,
        *,
        overwrite: bool = False,
        width: int | None = None,
        height: int | None = None,
        audio_from: str | Path | None = None,
        crf: int = 23,
        preset: str = "superfast",
        min_frames: int = 0,
    ) -> None:
        path = Path(path)
        if not is_null(path) and path.suffix.lower() not in SUFFIXES:
            raise OutputError(f"{path}: no video format has the suffix {path.suffix!r}; use {', '.join(SUFFIXES)}")
        # PyAV takes 50 ms to import, which who only reads results need not wait for.
        from heatprop.io.encoders import check_size  # noqa: PLC0415

        check_size(path, width or info.width, height or info.height)
        self.audio_note: str | None = None
        self.encoding_seconds = 0.0
        self.made_from = ""
        self.shown_at = 1.0
        self._info = info
        self._width = width or info.width
        self._height = height or info.height
        self._crf, self._preset = crf, preset
        self._sound, self._is_own_sound = audio_from, False
        if (
            info.has_audio
            and not info.is_live
            and audio_from is None
            and MASK in info.name
            and is_address(info.name)
        ):
            self.audio_note = "written without sound: its address holds a secret; give it as audio_from"
        elif info.has_audio and not info.is_live and shown(audio_from or info.name) == info.name:
            self._sound, self._is_own_sound = audio_from or info.name, True
        elif info.has_audio and audio_from is None:
            self.audio_note = "written without sound: a live source or a pipe cannot be read twice"
        self._output = NullOutput(path) if is_null(path) else OutputFile(path, overwrite=overwrite)
        self._queue: queue.Queue[tuple[ImageArray, float] | None] = queue.Queue(_WAITING)
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._mark = b""
        self._min_frames = min_frames
        self._written = self._encoded = 0
        self._is_complete = True
        self._is_given_up = self._holds_frames = False
        self._is_open = True

    def write(self, image: ImageArray, time: float) -> None:
        """Add a frame; it is copied, so that the caller may go on drawing on it.

        Args:
            image: uint8 RGB ``(H, W, 3)``.
            time: presentation time in seconds, as the source has it, rising from call to call; the video begins at
                `info.starts_at`.

        Raises:
            InvalidArrayError: the image or the time is not one.
            OutputError: the sink is closed, or an earlier frame could not be written.
        """
        if not self._is_open:
            raise OutputError(f"{self._output.path} is closed; open another sink to write more")
        check_image(image)
        if not (math.isfinite(time) and time >= 0):
            raise InvalidArrayError(f"time is {time}; it must be seconds from 0")
        self._raise_error()
        if self._thread is None:
            self._thread = threading.Thread(target=self._encode, name="heatprop-encoder", daemon=True)
            self._thread.start()
        since = max(float(time) - self._info.starts_at, 0.0)
        self._queue.put((fit_image(image, self._width, self._height), since))
        self._written += 1

    def _encode(self) -> None:
        """Work of the thread: take frames until the None that `close` or `discard` sends, whatever happens."""
        items = iter(self._queue.get, None)
        try:
            self._encode_all(items)
        except Exception as error:
            self._error = error
            for _ in items:
                pass

    def _encode_all(self, items: Iterator[tuple[ImageArray, float] | None]) -> None:
        from heatprop.io.encoding import VideoWriter  # noqa: PLC0415

        writer = VideoWriter(
            self._output.partial,
            self._width + self._width % 2,
            self._height + self._height % 2,
            self._info.frame_rate or DEFAULT_FRAME_RATE,
            crf=self._crf,
            preset=self._preset,
            sample_aspect_ratio=self._info.sample_aspect_ratio,
            is_bt709=self._info.colour is not None,
            sound=self._sound,
            clock=self._clock() if self._is_own_sound else None,
            begins=self._info.starts_at if self._is_own_sound else 0.0,
            made_from=self.made_from,
        )
        self.audio_note = writer.sound_note or self.audio_note
        try:
            for item in items:
                if item is not None and not self._is_given_up:
                    started = perf_counter()
                    writer.write(*item)
                    self.encoding_seconds += perf_counter() - started
                    self._encoded += 1
            if not self._is_given_up:
                writer.finish(self._mark, whole=self._holds_all())
        finally:
            writer.close()
            self._holds_frames = writer.holds_frames
            self.audio_note = writer.sound_note or self.audio_note

    def _holds_all(self) -> bool:
        """Return whether each frame of the source was written; then its sound goes on to its end."""
        count = self._info.clock.frames or self._info.frame_count
        is_to_end = self._is_complete and not self._info.ends_early
        return is_to_end and count is not None and self._encoded >= count

    def _clock(self) -> Clock:
        """Return the clock of the source, which by now has begun if the source is one of ours."""
        start = self._info.start_time
        return self._info.clock if self._info.clock.stretches else Clock([Stretch(0.0, start)], start)

    def _raise_error(self) -> None:
        """Raise what the thread met, after what it wrote until then has its name."""
        error, self._error = self._error, None
        if error is None:
            return
        self._is_open = False
        self._stop()
        kept = "nothing is written"
        if self._holds_frames and self._encoded >= self._min_frames:
            self._output.commit()
            kept = "what was done until then is kept, unfinished"
        else:
            self._output.discard()
        raise OutputError(f"{self._output.path}: cannot write the video ({_reason(error)}); {kept}") from error

    def _stop(self) -> None:
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def close(self, *, complete: bool = True, header: ResultsHeader | None = None) -> None:
        """Finish the file and give it its name; with nothing written, leave nothing. Again: do nothing.

        Args:
            complete: whether this is all that was to be written; the file says so.
            header: what made it, which the file says, too.

        Raises:
            OutputError: the file could not be written or named.
        """
        if not self._is_open:
            return
        was_used = self._thread is not None
        if not complete and self._written < self._min_frames:
            self.discard()
            return
        self._is_complete = complete
        facts = {} if header is None else header.to_json()
        self._mark = end_mark(self._output.path.suffix, facts, self._written, complete=complete)
        try:
            self._stop()
        except BaseException:
            # Ctrl-C, perhaps twice: the second leaves at once, and the work in the partial file.
            self._stop()
            self._name(was_used=was_used)
            raise
        self._name(was_used=was_used)

    def _name(self, *, was_used: bool) -> None:
        self._raise_error()
        self._is_open = False
        if was_used:
            self._output.commit()
        else:
            self._output.discard()

    def discard(self) -> None:
        """Stop and leave nothing; a file that had the name before stays."""
        if self._is_open:
            self._is_open = False
            self._is_given_up = True
            self._stop()
            self._output.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(complete=kind is None)
