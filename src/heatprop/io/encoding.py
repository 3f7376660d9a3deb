"""RGB frames and a source's sound -> one file, through libav (PyAV)."""

from __future__ import annotations

import math
import os
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import av
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream

from heatprop.errors import SourceError
from heatprop.io.encoders import MAX_TICKS, MAX_TICKS_MPEG4, choose_encoder, choose_time_base, encoder_options
from heatprop.io.end_mark import MATROSKA, comment, segment_with_mark
from heatprop.io.growing_file import GrowingFile
from heatprop.io.indexing import index_video
from heatprop.io.pixels import SINGLE_THREAD, guess_matrix
from heatprop.io.sound import Sound
from heatprop.io.timeline import Clock
from heatprop.types import ImageArray

_FORMATS = MappingProxyType({".mp4": "mp4", ".m4v": "ipod", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"})
# What is kept nowhere needs no index, and Matroska has none.
_SUFFIX_OF_NULL = ".mkv"
# A fragment or cluster every half second, each written out at once: so much may be lost when a run is killed.
# The first index waits for the first fragment: it needs to know whether sound begins before the frames.
_FRAGMENTS = MappingProxyType({"movflags": "delay_moov", "frag_duration": "500000"})
_CLUSTERS = MappingProxyType({"cluster_time_limit": "500"})
_WRITTEN_OUT = MappingProxyType({"flush_packets": "1", "max_interleave_delta": "500000"})
# mp4 counts the ticks between two frames in 31 bits: at 90,000 a second 6.6 hours.
_LONGEST_GAP = (1 << 31) - 1
_TICK_OF_MKV = Fraction(1, 1000)
_HEAD_BYTES = 1 << 12
_SMALL_FRAME = 1280 * 720
# Primaries and transfer that go with a matrix, by their numbers in H.264.
_TAGS = MappingProxyType({Colorspace.ITU709: (1, 1), Colorspace.ITU601: (6, 6)})


class VideoWriter:
    """A video file while it is written, in one thread.

    Args:
        path: the file; its suffix says the container. It plays up to the last half second whenever writing ends.
        width: even width in pixels.
        height: even height in pixels.
        frame_rate: nominal frames a second, for the encoder and the length of the last frame.
        crf: quality of x264, lower is better.
        preset: effort of x264.
        sample_aspect_ratio: width of a pixel over its height, which players follow.
        is_bt709: whether the frames are known to be in BT.709; if not, they are what players assume.
        sound: file or address whose sound goes into the file, None for none.
        clock: how the sound's own clock runs in the video; None for its start at 0.
        begins: time on that clock's frames, in seconds, at which the video begins.
        encoder: name of libav's encoder; the best there is when None.
        made_from: see `heatprop.io.end_mark.comment`.

    Raises:
        OutputError: the file cannot be begun.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        frame_rate: Fraction,
        *,
        crf: int,
        preset: str,
        sample_aspect_ratio: Fraction = Fraction(1),
        is_bt709: bool = False,
        sound: str | Path | None = None,
        clock: Clock | None = None,
        begins: float = 0.0,
        encoder: str | None = None,
        made_from: str = "",
    ) -> None:
        self.sound_note: str | None = None
        self._path = path
        self._suffix = path.suffix.lower() or _SUFFIX_OF_NULL
        self._comment = comment(made_from)
        self._size = (width, height)
        self._sample_aspect_ratio = sample_aspect_ratio
        self._rate = frame_rate
        self._encoder = encoder or choose_encoder(av.codecs_available, self._suffix)
        self._time_base = choose_time_base(frame_rate, MAX_TICKS_MPEG4 if self._encoder == "mpeg4" else MAX_TICKS)
        self._is_matroska = self._suffix in MATROSKA
        if self._is_matroska:  # it has no other, and two frames in one tick would be one
            self._time_base = _TICK_OF_MKV
        self._step = max(1, round(1 / (frame_rate * self._time_base)))
        self._options = encoder_options(self._encoder, crf=crf, preset=preset)
        self._matrix = Colorspace.ITU709 if is_bt709 else guess_matrix(width, height)
        self._reformatter = VideoReformatter()
        self._last = -1
        self._removed_ticks = 0
        self._file: GrowingFile | None = None
        self._sound: Sound | None = None
        self._container: av.container.OutputContainer | None = None
        self._begin(sound, clock, begins)

    def _begin(self, sound: str | Path | None, clock: Clock | None, begins: float) -> None:
        if sound is not None:
            try:
                self._sound = Sound(sound, clock, begins)
            except SourceError as error:
                self.sound_note = f"written without sound: {error}"
        if self._sound is not None:
            ways = [True, False] if self._sound.can_copy(self._suffix) else [False]
            for copy in ways:
                try:
                    self._open(copy=copy)
                except (av.FFmpegError, ValueError) as error:
                    self.sound_note = f"written without sound: it fits neither copied nor encoded ({error})"
                else:
                    self.sound_note = None
                    return
            self._drop_sound()
        self._open(copy=False)

    def _open(self, *, copy: bool) -> None:
        options = {**_WRITTEN_OUT, **(_CLUSTERS if self._is_matroska else _FRAGMENTS)}
        file = GrowingFile(self._path)
        container = av.open(file, "w", format=_FORMATS[self._suffix], container_options=options)
        container.metadata["comment"] = self._comment
        try:
            self._video = self._add_video(container)
            if self._sound is not None:
                self._sound.attach(container, self._suffix, copy=copy)
            container.start_encoding()
            file.mark_whole()
        except BaseException:
            file.close()
            container.close()
            raise
        self._container, self._file = container, file
        self._head = file.whole

    def _add_video(self, container: av.container.OutputContainer) -> VideoStream:
        stream = container.add_stream(self._encoder, rate=self._rate, options=self._options)
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width, context.height = self._size
        context.pix_fmt = "yuv420p"
        context.sample_aspect_ratio = self._sample_aspect_ratio
        stream.time_base = context.time_base = self._time_base
        context.colorspace = self._matrix
        context.color_range = ColorRange.MPEG
        context.color_primaries, context.color_trc = _TAGS[self._matrix]
        # Encoding shares the processor with the network: more threads only pay for large frames.
        context.thread_count = 2 if context.width * context.height > _SMALL_FRAME else 1
        if self._encoder == "mpeg4":
            context.bit_rate = round(context.width * context.height * float(self._rate) * 0.2)
        return stream

    def write(self, image: ImageArray, time: float) -> None:
        """Encode a frame and the sound up to it.

        Args:
            image: uint8 RGB ``(height, width, 3)``.
            time: seconds; one that is not after the last becomes a tick after it, and a gap that mp4 cannot hold
                becomes the longest that it can.

        Raises:
            OSError: the disk refuses more.
        """
        rgb = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame = self._reformatter.reformat(
            rgb,
            format="yuv420p",
            dst_colorspace=self._matrix,
            dst_color_range=ColorRange.MPEG,
            **SINGLE_THREAD,
        )
        ticks = round(time / self._time_base)
        self._removed_ticks = max(self._removed_ticks, ticks - self._last - _LONGEST_GAP)
        self._last = max(ticks - self._removed_ticks, self._last + 1)
        frame.pts = self._last
        frame.time_base = self._time_base
        self._mux_video(frame)
        self._mux_sound(time)

    def finish(self, mark: bytes = b"", *, whole: bool) -> None:
        """Write what is still in the encoder, the rest of the sound, and the file's index.

        Args:
            whole: every frame of the source was written: then its sound goes to its end too, else it ends
                with the last frame.
            mark: what to append behind all that a player reads.

        Raises:
            OSError: the disk refuses more; the file plays without an index.
        """
        self._mux_video(None)
        self._mux_sound(math.inf if whole else float((self._last + self._step) * self._time_base))
        self._note_of_sound()
        container, self._container = self._container, None
        if container is not None and self._file is not None:
            container.close()
            if self._is_matroska or not self._is_indexed(mark):
                self._append(mark)
            self._file.close()
            self._raise_error()
            if self.holds_frames and self._path.is_file():  # nothing is kept in a device
                self._check()

    def _check(self) -> None:
        """Read the first frame back: what cannot be played must not be called done."""
        with av.open(str(self._path)) as written:
            next(written.decode(video=0))

    def _is_indexed(self, mark: bytes) -> bool:
        """Put the index of an mp4 file at its head, and return whether that was possible."""
        assert self._file is not None
        self._file.settle()
        if self._file.error is not None:
            return False
        return index_video(self._path, _FORMATS[self._suffix], self._rate, self._comment, mark)

    def _append(self, mark: bytes) -> None:
        assert self._file is not None
        self._file.seek(0, os.SEEK_END)
        self._file.write(mark)
        if self._file.error is None:
            self._file.settle()
        change = segment_with_mark(self._file.head(_HEAD_BYTES), len(mark)) if self._is_matroska and mark else None
        if change is not None and self._file.error is None:
            self._file.seek(change[0])
            self._file.write(change[1])
            self._file.settle()

    def _mux_video(self, frame: av.VideoFrame | None) -> None:
        assert self._container is not None
        for packet in self._video.encode(frame):
            packet.duration = packet.duration or self._step
            self._mux(packet)

    def _mux(self, packet: av.Packet[Any]) -> None:
        assert self._container is not None
        assert self._file is not None
        self._container.mux(packet)
        self._file.mark_whole()
        self._raise_error()

    def _raise_error(self) -> None:
        if self._file is not None and self._file.error is not None:
            raise self._file.error

    def _mux_sound(self, until: float) -> None:
        if self._sound is None:
            return
        try:
            for packet in self._sound.packets(until):
                self._mux(packet)
        except (av.FFmpegError, SourceError, ValueError) as error:
            # Any other OSError comes from the file that is written.
            if isinstance(error, OSError) and not isinstance(error, SourceError):
                raise
            self._note_of_sound()
            self.sound_note = "; ".join(filter(None, (f"sound ends early: {error}", self.sound_note)))
            self._drop_sound()

    def _note_of_sound(self) -> None:
        if self._sound is not None and self._sound.note is not None:
            self.sound_note = self._sound.note

    def _drop_sound(self) -> None:
        if self._sound is not None:
            self._sound.close()
            self._sound = None

    @property
    def holds_frames(self) -> bool:
        """Whether what is on the disk plays, be it closed or not."""
        return self._file is not None and self._file.whole > self._head

    def close(self) -> None:
        """Release everything; a file that `finish` did not complete has no index, and plays."""
        self._drop_sound()
        container, self._container = self._container, None
        if self._file is not None:
            self._file.close()  # first: what the muxer writes when it is closed would spoil the file
        if container is not None:
            container.close()
