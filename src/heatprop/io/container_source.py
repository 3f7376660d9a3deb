"""A video file, or a video at an address, as a source of frames."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from heatprop.errors import SourceError
from heatprop.io.addresses import shown
from heatprop.io.announced import clock_seconds, missing_frames
from heatprop.io.colour import UNSAID, ColourSpace
from heatprop.io.container import TIMEOUT, as_fraction, open_container, seek_before
from heatprop.io.ends import require_end
from heatprop.io.http_stream import HttpStream
from heatprop.io.pixels import RgbReader
from heatprop.io.sources import DEFAULT_FRAME_RATE, OpenSource, SourceInfo
from heatprop.io.timeline import LONGEST_PAUSE, LONGEST_SILENCE, STAMPS_AHEAD, Timeline
from heatprop.io.video_frames import FrameReader
from heatprop.types import Frame

_MIN_RATE, _MAX_RATE = Fraction(1, 3600), 1000
_LONGEST_WAIT = 1.0
# Codec tags of streams that only Dolby Vision shows well, unless they say what they are without it.
_DOLBY_VISION = {"dvh1", "dvhe", "dva1", "dvav", "dav1"}
# What is at the address of these only says where the video is.
_IN_PIECES = {"hls", "dash"}
_PLAYLISTS = {*_IN_PIECES, "sdp"}


class ContainerSource(OpenSource):
    """A video file, or a video at an address.

    Args:
        address: path of a file, or an address when `is_remote`.
        is_remote: whether `address` goes over the network: then opening and reading have a time limit.
        timeout: that limit in seconds.
        stream: what comes from the address, where that is a live stream over HTTP; the source then owns it.

    Attributes:
        comes_in_pieces: whether it is a live stream that is published some seconds at a time (HLS, DASH).

    Raises:
        SourceNotFoundError: there is nothing there.
        SourceError: it cannot be read, or holds no frame.
    """

    def __init__(
        self,
        address: str | Path,
        *,
        is_remote: bool = False,
        timeout: float = TIMEOUT,
        stream: HttpStream | None = None,
    ) -> None:
        super().__init__()
        self._address = address
        self._is_remote = is_remote
        self._timeout, self._stream = timeout, stream
        self._lock = threading.Lock()
        self._rgb = RgbReader()
        self._is_fresh = True
        self._near = 0.0
        self._is_whole = True
        self._reader = self._open()
        try:
            self._first = self._reader.read()
            if self._first is None:
                raise SourceError(
                    f"{shown(address)}: none of its frames can be decoded "
                    f"({self._reader.skipped} damaged parts); it needs repair"
                )
            self._describe(self._first)
        except BaseException:
            self._reader.close()
            raise

    def _open(self) -> FrameReader:
        container = open_container(
            self._address, is_remote=self._is_remote, timeout=self._timeout, stream=self._stream
        )
        try:
            return FrameReader(container, shown(self._address), self._timeout if self._is_remote else None)
        except BaseException:
            container.close()
            raise

    def _describe(self, first: av.VideoFrame) -> None:
        stream, container, name = self._reader.stream, self._reader.container, shown(self._address)
        duration = (
            _seconds(stream.duration, stream.time_base)
            or clock_seconds(stream.metadata.get("DURATION", ""))
            or _seconds(container.duration, Fraction(1, av.time_base))
        )
        is_playlist = container.format.name in _PLAYLISTS
        if self._is_remote:
            # A file has a size, even where nobody knows how long it lasts.
            is_live = is_playlist or (container.size or 0) <= 0
            is_live &= not name.lower().startswith("http") or duration is None
        else:
            # A pipe gives each byte once, to whoever reads first.
            is_live = not Path(self._address).is_file()
        rate = _credible(stream.average_rate) or _credible(stream.guessed_rate)
        count = stream.frames or (round(duration * rate) if duration and rate else 0)
        colours = self._reader.colours
        height, width, _ = self._rgb.read(first, colours).shape
        self.info = SourceInfo(
            name=name,
            width=width,
            height=height,
            frame_rate=rate,
            frame_count=None if is_live else max(count, 1) if count else None,
            duration=None if is_live else duration,
            is_live=is_live,
            has_audio=bool(container.streams.audio),
            start_time=self._reader.stamp(first) or 0.0,
            is_paced=self._is_remote and is_live,
            colour=colours.name,
            sample_aspect_ratio=self._rgb.orientation.shape_of_pixels(self._reader.sample_aspect_ratio),
        )
        self.comes_in_pieces = is_live and container.format.name in _IN_PIECES
        # The streams of a playlist are the same frames in several sizes.
        if self._reader.others and not is_playlist:
            self.note(f"{self._reader.others + 1} tracks of video: only one is read")
        if stream.codec_tag in _DOLBY_VISION and colours.transfer == UNSAID.transfer:
            self.note(
                "its colours are those of Dolby Vision without another layer, not known here: they are wrong"
            )
        self._restart()

    def _restart(self) -> None:
        info = self.info
        flags = av.format.Flags(self._reader.container.format.flags)
        may_jump = info.is_live or av.format.Flags.ts_discont in flags
        self._timeline = Timeline(
            float(1 / (info.frame_rate or DEFAULT_FRAME_RATE)),
            LONGEST_SILENCE if may_jump else LONGEST_PAUSE,
            info.clock,
            self._end(),
        )
        self._index = 0

    def _end(self) -> float | None:
        """Return what the container says that its clock shows at the end, in seconds."""
        container = self._reader.container
        length = _seconds(container.duration, Fraction(1, av.time_base))
        return None if length is None else length + max(container.start_time or 0, 0) / av.time_base

    def begin_near(self, time: float) -> None:
        """See `heatprop.io.frame_range.Seekable`: in MP4, Matroska and WebM, with files."""
        self._near = time

    def _reopen(self) -> None:
        self._reader.close()
        self._first = None
        self._reader = self._open()
        self._restart()

    def _pass_over(self, time: float) -> bool:
        """Go on from before a time, and return whether that is possible; else be at the beginning."""
        start = self.info.start_time
        if not seek_before(self._reader.container, start + time):
            return False
        self._first = self._reader.read()
        stamp = None if self._first is None else self._reader.stamp(self._first)
        if stamp is None or not start < stamp <= start + time:
            self._reopen()
            return False
        self._timeline.resume(start, stamp)
        return True

    def _frames(self) -> Iterator[Frame]:
        with self._lock:
            self._require_open()
            near, self._near = self._near, 0.0
            if (near or not self._is_fresh) and not self.info.is_live:
                self._reopen()
                self._is_whole = not near or not self._pass_over(near)
            self._is_fresh = False
            reader = self._reader
        while True:
            with self._lock:
                self._require_open()
                try:
                    decoded = self._first or reader.read()
                    if decoded is None and self._is_remote and self._is_open:
                        require_end(reader.container, str(self._address), self._timeout)
                finally:
                    if not self._is_open:  # `close` could not wait
                        reader.close()
                self._require_open()
                self._first = None
                self.skipped = reader.skipped
                if decoded is None:
                    self._settle(reader)
                    return
                seconds = self._time_of(decoded)
                colours = reader.colours
                frame = Frame(self._rgb.read(decoded, colours), self._index, seconds)
                self._note_what_is_changed(colours)
                self._index += 1
            yield frame

    def _time_of(self, frame: av.VideoFrame) -> float:
        stamp = self._reader.stamp(frame)
        following: list[float] | None = None
        if not self.info.is_live:
            following = self._reader.stamps_ahead(STAMPS_AHEAD) if self._timeline.doubts(stamp) else []
        return self._timeline.place(stamp, following, is_last=self._reader.is_over)

    def _settle(self, reader: FrameReader) -> None:
        """Say what is known at the end: how many frames there were, and how many there should have been."""
        if self.info.is_live or reader is not self._reader:  # another iteration has begun
            return
        if not self._is_whole:
            return
        self.info.clock.frames = self._index
        path = None if self._is_remote else Path(self._address)
        missing = missing_frames(reader.container, reader.stream, path, taken=reader.taken, end=reader.end)
        if missing is not None:
            self.skipped += missing
            lacking = f"some {missing:,} frames that it announces are" if missing else "its end is"
            self.note(f"the file was cut off: {lacking} missing")

    def _note_what_is_changed(self, colours: ColourSpace) -> None:
        if len(self.info.clock.stretches) > 1:
            self.note("its clock jumps on the way; frames and sound go on from there")
        if colours.name is not None:
            self.note(f"its colours are {colours.name}; converted to BT.709")
        if self._rgb.unknown_matrix is not None:
            self.note(
                f"its colour matrix, {self._rgb.unknown_matrix} of H.273, is not known here: colours are wrong"
            )
        if not self._rgb.orientation.is_exact:
            self.note("its display matrix turns it by a part of a quarter turn; turned to the nearest whole one")
        ratio = self._rgb.orientation.shape_of_pixels(self._reader.sample_aspect_ratio)
        if ratio != self.info.sample_aspect_ratio:
            first = self.info.sample_aspect_ratio
            self.note(f"the shape of its pixels changes from {first} to {ratio}; what is written keeps the first")

    def close(self) -> None:
        """Release the file or connection and its decoding threads; calling it again does nothing.

        Where another thread waits for data that does not come, that thread releases them when it returns.
        """
        self._is_open = False
        if self._stream is not None:
            self._stream.close()
        if not self._lock.acquire(timeout=_LONGEST_WAIT):
            return
        try:
            self._first = None
            self._reader.close()
        finally:
            self._lock.release()


def _credible(rate: Fraction | None) -> Fraction | None:
    return as_fraction(rate) if rate and _MIN_RATE <= rate <= _MAX_RATE else None


def _seconds(ticks: int | None, time_base: Fraction | None) -> float | None:
    return float(ticks * time_base) if ticks and ticks > 0 and time_base else None
