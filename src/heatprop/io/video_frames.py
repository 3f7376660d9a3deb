"""The frames of one open container, in order; what is damaged is counted, not raised."""

from __future__ import annotations

import os
from collections import deque
from fractions import Fraction
from itertools import islice

import av
from av.format import Flags
from av.stream import Disposition

from heatprop.errors import SourceError
from heatprop.io.colour import UNSAID, ColourSpace
from heatprop.io.container import as_fraction
from heatprop.io.demuxing import PacketReader
from heatprop.io.image_headers import LARGEST_IMAGE, too_large

_MAX_ASPECT = 16
_SMALL_FRAME = 1280 * 720
_NOT_VIDEO = {"tty", "image2", "bin", "xbin", "adf", "idf"}


class FrameReader:
    """The frames of one open container, in order; what is damaged is counted, not raised.

    Args:
        container: the container, which the reader then owns.
        name: what the user gave, for messages.
        timeout: seconds after which an address fails; None for a file.

    Attributes:
        stream: whose frames they are.
        others: how many streams of video there are beside it, not counting images that stand for the file.
        end: what the clock of the container shows at the end of the last of them, in seconds; None when unknown.

    Raises:
        SourceError: the container holds no video stream that can be decoded.
    """

    def __init__(self, container: av.container.InputContainer, name: str, timeout: float | None) -> None:
        self.end: float | None = None
        self._whole = self._spoilt = 0
        self.container = container
        videos = [
            stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic
        ]
        if not videos or container.format.name in _NOT_VIDEO:
            sound = "holds sound but no video" if container.streams.audio else "holds no video"
            raise SourceError(f"{name} {sound}; give a file with video")
        best = container.streams.best("video")
        self.stream = best if best in videos else videos[0]
        if self.stream.codec_context is None:
            raise SourceError(f"{name}: its video codec is unknown; convert it to H.264 first")
        problem = too_large(self.stream.width, self.stream.height)
        if problem is not None:
            raise SourceError(f"{name}: a frame of it {problem}; make it smaller first")
        self.stream.codec_context.options = {"max_pixels": str(LARGEST_IMAGE)}  # where its size changes
        # Small frames decode in about a millisecond; more threads would only take time from the network.
        large = self.stream.width * self.stream.height > _SMALL_FRAME
        self.stream.thread_type = "AUTO" if large else "NONE"
        self.stream.codec_context.thread_count = min(4, os.cpu_count() or 1) if large else 1
        self._coded_aspect = self.stream.codec_context.sample_aspect_ratio
        self._told_colours = _colours_of(self.stream.codec_context)
        self._packets = PacketReader(container, [self.stream], name, timeout)
        self._ready: deque[av.VideoFrame] = deque()
        self._at_end = False
        self._failure: SourceError | None = None
        self.others = sum(each is not self.stream and not _is_still(each) for each in videos)
        # A part of a frame is where the file was cut off, and some decoders take it for a whole one. In streams
        # that may break off anywhere later frames need the parts.
        may_break = Flags.ts_discont in Flags(container.format.flags)
        self._skips_parts = timeout is None and not may_break

    @property
    def taken(self) -> int:
        """Packets that came so far, be they damaged, empty or whole."""
        return self._packets.damaged + self._whole

    @property
    def skipped(self) -> int:
        """Damaged packets and frames skipped so far."""
        return self._packets.damaged + self._spoilt

    @property
    def is_over(self) -> bool:
        """Whether the frame that was read last is known to be the last one."""
        return self._at_end and not any(map(_is_whole, self._ready))

    def read(self) -> av.VideoFrame | None:
        """Return the next whole frame, None at the end.

        Raises:
            SourceError: an address gives no more data in time, or the file cannot be read on.
        """
        while True:
            while not self._ready and not self._at_end:
                if self._failure is not None:
                    raise self._failure
                self._decode()
            if not self._ready:
                return None
            frame = self._ready.popleft()
            if _is_whole(frame):
                return frame
            self._spoilt += 1

    def stamps_ahead(self, count: int) -> list[float]:
        """Return the time stamps in seconds of the next `count` whole frames, without reading them.

        Fewer come at the end, before what cannot be read, and of frames without a stamp.
        """
        while not self._at_end and self._failure is None and sum(map(_is_whole, self._ready)) < count:
            try:
                self._decode()
            except SourceError as error:
                self._failure = error
        stamps = map(self.stamp, filter(_is_whole, self._ready))
        return [stamp for stamp in islice(stamps, count) if stamp is not None]

    def stamp(self, frame: av.VideoFrame) -> float | None:
        """Return the time stamp in seconds of a frame of this container, None when it has none."""
        # A frame that was waiting in the decoder at the end does not know its time base; the stream does.
        if frame.pts is None or not self.stream.time_base:
            return None
        return float(frame.pts * self.stream.time_base)

    @property
    def sample_aspect_ratio(self) -> Fraction:
        """Width of a stored pixel over its height, as of now; 1 where nothing is said, or nothing that can be."""
        # What the container says counts first, until the frames themselves say something new.
        coded = self.stream.codec_context.sample_aspect_ratio
        ratio = self.stream.sample_aspect_ratio if coded == self._coded_aspect else coded
        return as_fraction(ratio) if ratio and 1 / _MAX_ASPECT <= ratio <= _MAX_ASPECT else Fraction(1)

    @property
    def colours(self) -> ColourSpace:
        """What is said of the colours, as of now: by the frames, else by the container."""
        said = _colours_of(self.stream.codec_context)
        return ColourSpace(
            self._told_colours.transfer if said.transfer == UNSAID.transfer else said.transfer,
            self._told_colours.primaries if said.primaries == UNSAID.primaries else said.primaries,
        )

    def _decode(self) -> None:
        packet = self._packets.read()
        if packet is None:
            self._at_end = True
        else:
            self._count(packet)
            if packet.is_corrupt and self._skips_parts:
                self._spoilt += 1
                return
        try:
            self._ready.extend(self.stream.decode(packet))
        except EOFError:
            self._at_end = True
        except (av.FFmpegError, ValueError):
            self._spoilt += 1

    def _count(self, packet: av.Packet[av.VideoStream]) -> None:
        self._whole += 1
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is not None and self.stream.time_base:
            end = float((stamp + (packet.duration or 0)) * self.stream.time_base)
            self.end = end if self.end is None else max(self.end, end)

    def close(self) -> None:
        """Release the container; `read` gives None from now on."""
        self._at_end = True
        self._ready.clear()
        self._packets.close()
        self.container.close()


def _colours_of(context: av.VideoCodecContext) -> ColourSpace:
    return ColourSpace(int(context.color_trc), int(context.color_primaries))


def _is_whole(frame: av.VideoFrame) -> bool:
    return not frame.is_corrupt and frame.width > 0 and frame.height > 0


def _is_still(stream: av.VideoStream) -> bool:
    """Return whether a stream is one frame, a tile or an overview of another, not a track of its own."""
    kinds = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    return bool(stream.disposition & (kinds | Disposition.dependent)) or stream.frames == 1
