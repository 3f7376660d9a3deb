"""The video that the page plays: frame n of a run is its n-th frame, whatever the source's times are.

While a run is recorded it grows in segments, one a chunk of frames, each whole or not there. They are joined
without encoding anything again. Key frames come often, so that a browser finds any frame soon.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import simplejpeg
from av.video.stream import VideoStream

from heatprop.app.kept_frames import DamagedRunError
from heatprop.errors import OutputError
from heatprop.io.encoders import choose_encoder
from heatprop.io.whole_files import write_whole
from heatprop.types import ImageArray

LARGEST_WIDTH = 1280
_KEY_FRAME_EVERY = 10
_QUALITY = 85


def proxy_size(width: int, height: int, sample_aspect_ratio: Fraction = Fraction(1)) -> tuple[int, int]:
    """Return width and height in square pixels, both even, of the proxy of frames.

    >>> proxy_size(1920, 1080), proxy_size(641, 359), proxy_size(720, 576, Fraction(16, 15))
    ((1280, 720), (640, 358), (768, 576))
    """
    upright = width * float(sample_aspect_ratio)
    scale = min(1.0, LARGEST_WIDTH / upright)
    return max(2, int(upright * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)


def proxy_rate(frame_rate: Fraction | None) -> int:
    """Return the whole number of frames a second that a proxy has.

    >>> proxy_rate(Fraction(30000, 1001)), proxy_rate(None), proxy_rate(Fraction(1, 5))
    (30, 25, 1)
    """
    return 25 if frame_rate is None else min(max(round(frame_rate), 1), 120)


def scaled(image: ImageArray, size: tuple[int, int]) -> ImageArray:
    """Return an image as the proxy shows it: stretched to its size, as boxes in its pixels are."""
    if image.shape[1::-1] == size:
        return image
    smaller = image.shape[1] > size[0]
    return np.asarray(
        cv2.resize(image, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR), np.uint8
    )


class SegmentWriter:
    """Encodes the frames of one segment. `close` gives it its name; until then it has another.

    Args:
        path: of the segment.
        size: width and height in pixels, even.
        rate: frames a second.

    Attributes:
        frames: how many were written.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path, size: tuple[int, int], rate: int) -> None:
        self._path, self._size, self._rate = path, size, rate
        self._partial = path.with_name(f".{path.stem}.part.mp4")
        self.frames = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self._partial), "w")
            self._stream = _add_stream(self._container, size, rate)
        except (OSError, av.FFmpegError) as error:
            raise _cannot_write(path, error) from None

    def write(self, image: ImageArray) -> None:
        """Add a frame, uint8 ``(H, W, 3)`` of the segment's size.

        Raises:
            OutputError: it cannot be written.
        """
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = self.frames, Fraction(1, self._rate)
        self.frames += 1
        self._mux(frame)

    def close(self) -> None:
        """Finish the segment.

        Raises:
            OutputError: it cannot be written.
        """
        self._mux(None)
        try:
            self._container.close()
            self._partial.replace(self._path)
        except (OSError, av.FFmpegError) as error:
            raise _cannot_write(self._path, error) from None

    def discard(self) -> None:
        """Leave no file behind."""
        self._container.close()
        self._partial.unlink(missing_ok=True)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except (OSError, av.FFmpegError) as error:
            raise _cannot_write(self._path, error) from None


def join_segments(segments: Sequence[Path], path: Path) -> None:
    """Join segments, of which there is one at least, into one video, without encoding them again.

    Raises:
        OutputError: it cannot be written.
        DamagedRunError: a segment is damaged.
    """

    def write(partial: Path) -> None:
        with av.open(str(partial), "w", format="mp4", container_options={"movflags": "+faststart"}) as target:
            stream: VideoStream | None = None
            for number, packet in enumerate(_packets(segments)):
                if stream is None:
                    stream = target.add_stream_from_template(packet.stream)
                step = round(1 / (Fraction(packet.stream.average_rate or 25) * packet.time_base))
                packet.pts = packet.dts = number * step
                packet.duration = step
                packet.stream = stream
                target.mux(packet)

    try:
        write_whole(path, write)
    except av.FFmpegError as error:
        raise DamagedRunError(f"{path.parent} holds a damaged segment ({error}); restart the run") from None


def _packets(segments: Sequence[Path]) -> Iterator[av.Packet[VideoStream]]:
    for segment in segments:
        with av.open(str(segment)) as source:
            yield from (packet for packet in source.demux(video=0) if packet.size)


def read_frames(path: Path, start: int, stop: int) -> Iterator[ImageArray]:
    """Yield the frames from number `start` up to `stop`, uint8 ``(H, W, 3)`` RGB.

    Raises:
        DamagedRunError: the video is missing or damaged.
    """
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            rate, tick = Fraction(stream.average_rate or 25), Fraction(stream.time_base or 1)
            if start:
                container.seek(round(start / rate / tick), stream=stream)
            for frame in container.decode(stream):
                number = round((frame.pts or 0) * tick * rate)
                if number >= stop:
                    return
                if number >= start:
                    yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    except (OSError, av.FFmpegError) as error:
        raise DamagedRunError(f"{path} is missing or damaged ({error}); restart the run") from None


def as_jpeg(image: ImageArray) -> bytes:
    """Return an image, uint8 ``(H, W, 3)`` RGB, as JPEG."""
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=_QUALITY))


def _add_stream(container: av.container.OutputContainer, size: tuple[int, int], rate: int) -> VideoStream:
    encoder = choose_encoder(av.codecs_available)
    # Without B-frames a frame is decoded by the time it is shown; each segment stands for itself.
    options = {"crf": "23", "preset": "veryfast", "bf": "0", "sc_threshold": "0"} if encoder == "libx264" else {}
    stream = container.add_stream(encoder, rate=rate, options={**options, "g": str(_KEY_FRAME_EVERY)})
    assert isinstance(stream, VideoStream)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.codec_context.thread_count = 1
    return stream


def _cannot_write(path: Path, error: Exception) -> OutputError:
    reason = " ".join(str(getattr(error, "strerror", None) or error).split())
    return OutputError(f"{path}: cannot write it ({reason}); see to room and rights")
