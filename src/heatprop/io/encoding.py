"""RGB pictures and a source's sound -> one file, through libav (PyAV)."""

from __future__ import annotations

import math
from collections.abc import Collection
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import av
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream

from heatprop.errors import OutputError, SourceError
from heatprop.io.pixels import SINGLE_THREAD, guess_matrix
from heatprop.io.sound import Sound
from heatprop.types import ImageArray

_ENCODERS = ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf", "mpeg4")
_WANTED_TICKS = 90_000
_MOST_TICKS_MPEG4 = 65_535
_SMALL_PICTURE = 1280 * 720
# Primaries and transfer that go with a matrix, by their numbers in H.264.
_TAGS = MappingProxyType({Colorspace.ITU709: (1, 1), Colorspace.ITU601: (6, 6)})


def choose_encoder(available: Collection[str]) -> str:
    """Return the best H.264 encoder among the available, or MPEG-4 where there is none.

    Raises:
        OutputError: there is none at all.
    """
    for name in _ENCODERS:
        if name in available:
            return name
    raise OutputError(f"PyAV here has none of the encoders {', '.join(_ENCODERS)}; install its binary wheel")


def choose_time_base(frame_rate: Fraction, most_ticks: int = 1_000_000) -> Fraction:
    """Return a clock tick in which frames of this rate fall on whole ticks, about 1/90000 s.

    Args:
        frame_rate: nominal frames a second.
        most_ticks: most ticks a second that the encoder takes.

    Example:
        >>> choose_time_base(Fraction(24000, 1001))
        Fraction(1, 96000)
    """
    ticks = frame_rate.numerator
    times = min(math.ceil(_WANTED_TICKS / ticks), most_ticks // ticks)
    return Fraction(1, ticks * times if times else min(_WANTED_TICKS, most_ticks))


class VideoWriter:
    """A video file while it is written, in one thread.

    Args:
        path: the file; its suffix says the container.
        width: even width in pixels.
        height: even height in pixels.
        frame_rate: nominal frames a second, for the encoder and the length of the last frame.
        crf: quality of x264, lower is better.
        preset: effort of x264.
        sample_aspect_ratio: width of a pixel over its height, which players follow.
        sound: file or address whose sound goes into the file, None for none.
        sound_start: time in seconds on the sound's clock that is 0 in the video; None for its start.
        encoder: name of libav's encoder; the best there is when None.

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
        sound: str | Path | None = None,
        sound_start: float | None = None,
        encoder: str | None = None,
    ) -> None:
        self.sound_note: str | None = None
        self._path = path
        self._size = (width, height)
        self._sample_aspect_ratio = sample_aspect_ratio
        self._rate = frame_rate
        self._encoder = encoder or choose_encoder(av.codecs_available)
        most_ticks = {"most_ticks": _MOST_TICKS_MPEG4} if self._encoder == "mpeg4" else {}
        self._time_base = choose_time_base(frame_rate, **most_ticks)
        self._step = max(1, round(1 / (frame_rate * self._time_base)))
        self._options = {"crf": str(crf), "preset": preset} if self._encoder == "libx264" else {}
        self._matrix = guess_matrix(width, height)
        self._reformatter = VideoReformatter()
        self._last = -1
        self._sound: Sound | None = None
        self._container: av.container.OutputContainer | None = None
        self._begin(sound, sound_start)

    def _begin(self, sound: str | Path | None, start: float | None) -> None:
        if sound is not None:
            try:
                self._sound = Sound(sound, start)
            except SourceError as error:
                self.sound_note = f"written without sound: {error}"
        if self._sound is not None:
            ways = [True, False] if self._sound.can_copy(self._path.suffix.lower()) else [False]
            for copy in ways:
                try:
                    self._open(copy=copy)
                except (av.FFmpegError, ValueError) as error:
                    self.sound_note = f"written without sound: it fits neither copied nor as AAC ({error})"
                else:
                    self.sound_note = None
                    return
            self._drop_sound()
        self._open(copy=False)

    def _open(self, *, copy: bool) -> None:
        options = {"movflags": "+faststart"} if self._path.suffix.lower() != ".mkv" else {}
        container = av.open(str(self._path), "w", container_options=options)
        try:
            self._video = self._add_video(container)
            if self._sound is not None:
                self._sound.attach(container, copy=copy)
            container.start_encoding()
        except BaseException:
            container.close()
            raise
        self._container = container

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
        # Encoding shares the processor with the network: more threads only pay for large pictures.
        context.thread_count = 2 if context.width * context.height > _SMALL_PICTURE else 1
        if self._encoder == "mpeg4":
            context.bit_rate = round(context.width * context.height * float(self._rate) * 0.2)
        return stream

    def write(self, image: ImageArray, time: float) -> None:
        """Encode a picture and the sound up to it.

        Args:
            image: uint8 RGB ``(height, width, 3)``.
            time: seconds; one that is not after the last becomes a tick after it.
        """
        rgb = av.VideoFrame.from_ndarray(image, format="rgb24")
        picture = self._reformatter.reformat(
            rgb,
            format="yuv420p",
            dst_colorspace=self._matrix,
            dst_color_range=ColorRange.MPEG,
            **SINGLE_THREAD,
        )
        self._last = max(round(time / self._time_base), self._last + 1)
        picture.pts = self._last
        picture.time_base = self._time_base
        self._mux_video(picture)
        self._mux_sound(time)

    def finish(self, *, whole: bool) -> None:
        """Write what is still in the encoder, the rest of the sound, and the file's index.

        Args:
            whole: every picture of the source was written: then its sound goes to its end too, else it ends
                with the last picture.
        """
        self._mux_video(None)
        self._mux_sound(math.inf if whole else float((self._last + self._step) * self._time_base))
        if self._sound is not None and self._sound.damaged:
            self.sound_note = f"{self._sound.damaged} damaged parts of the sound were left out"
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def _mux_video(self, picture: av.VideoFrame | None) -> None:
        assert self._container is not None
        for packet in self._video.encode(picture):
            packet.duration = packet.duration or self._step
            self._container.mux(packet)

    def _mux_sound(self, until: float) -> None:
        assert self._container is not None
        if self._sound is None:
            return
        try:
            for packet in self._sound.packets(until):
                self._container.mux(packet)
        except (av.FFmpegError, SourceError, ValueError) as error:
            # Any other OSError comes from the file that is written.
            if isinstance(error, OSError) and not isinstance(error, SourceError):
                raise
            self.sound_note = f"sound ends early: {error}"
            self._drop_sound()

    def _drop_sound(self) -> None:
        if self._sound is not None:
            self._sound.close()
            self._sound = None

    def close(self) -> None:
        """Release everything; a file that `finish` did not complete is not usable."""
        self._drop_sound()
        container, self._container = self._container, None
        if container is not None:
            container.close()
