"""Small videos made when a test needs them: every frame says which it is and which way is up."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SAMPLE_RATE = 48_000


def paint(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """Grey that rises by 12 a frame, with a red block at the top left."""
    image = np.full((height, width, 3), 40 + 12 * (number % 16), np.uint8)
    image[: height // 4, : width // 4] = (220, 20, 20)
    return image


def number_of(image: np.ndarray) -> int:
    """Which frame it is, read from its lower right quarter."""
    height, width, _ = image.shape
    return round((float(image[height // 2 :, width // 2 :].mean()) - 40) / 12)


def red_corner(image: np.ndarray) -> str:
    """Where the red block is."""
    height, width, _ = image.shape
    red = image[..., 0].astype(int) - image[..., 1]
    rows, columns = (
        red[: height // 8].mean() < red[-(height // 8) :].mean(),
        red[:, : width // 8].mean() < red[:, -(width // 8) :].mean(),
    )
    return ("bottom" if rows else "top") + " " + ("right" if columns else "left")


def build_video(
    path: Path,
    count: int = 12,
    *,
    width: int = 64,
    height: int = 48,
    rate: Fraction | int = 25,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    ticks: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 12_800),
    audio: str | None = None,
    audio_seconds: float | None = None,
    audio_start: float = 0.0,
    sample_aspect_ratio: Fraction | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write `count` frames at `rate`, or at `ticks` of `time_base`, with a tone beside them when `audio`."""
    step = 1 / (Fraction(rate) * time_base)
    with av.open(str(path), "w", container_options=container_options) as container:
        video = container.add_stream(codec, rate=Fraction(rate), options=options or {})
        video.width, video.height, video.pix_fmt = width, height, pixel_format
        video.codec_context.thread_count = 1
        if sample_aspect_ratio is not None:
            video.codec_context.sample_aspect_ratio = sample_aspect_ratio
        if codec not in ("mpeg4", "mjpeg"):
            video.time_base = video.codec_context.time_base = time_base
        sound = container.add_stream(audio, rate=SAMPLE_RATE) if audio else None
        if sound is not None:
            sound.codec_context.layout = "mono"
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(paint(number, width, height)).reformat(format=pixel_format)
            if codec in ("mpeg4", "mjpeg"):
                frame.pts, frame.time_base = number, 1 / Fraction(rate)
            else:
                frame.pts = ticks[number] if ticks else round(number * step)
                frame.time_base = time_base
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound is not None:
            seconds = count / float(rate) if audio_seconds is None else audio_seconds
            for start in range(0, round(seconds * SAMPLE_RATE), 1024):
                wave = np.sin(np.arange(start, start + 1024) * 2 * np.pi * 440 / SAMPLE_RATE)
                samples = (wave * 12_000).astype(np.int16)[None]
                chunk = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
                chunk.sample_rate, chunk.time_base = SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
                chunk.pts = start + round(audio_start * SAMPLE_RATE)
                container.mux(sound.encode(chunk))
            container.mux(sound.encode(None))
    return path


def turn_video(path: Path, degrees: int) -> Path:
    """Set the rotation flag of an mp4 file: players then turn it clockwise by `degrees`."""
    cosine, sine = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    return put_matrix(path, (cosine << 16, sine << 16, 0, -sine << 16, cosine << 16, 0, 0, 0, 1 << 30))


def put_matrix(path: Path, matrix: Sequence[int]) -> Path:
    """Set the display matrix, nine whole numbers, of an mp4 file's one track."""
    plain = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    data = path.read_bytes()
    place = data.index(plain, data.index(b"tkhd"))
    path.write_bytes(data[:place] + struct.pack(">9i", *matrix) + data[place + len(plain) :])
    return path
