"""Damaged videos through `heatprop detect`: each is read as far as it goes, or refused in a line."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from campaigns.outcomes import Tally, run_heatprop

_FRAMES = 24
_SIZE = 96, 64
# Suffix, codec, sound codec.
_KINDS = (
    (".mp4", "libx264", "aac"),
    (".mov", "libx264", "aac"),
    (".mkv", "libx264", "aac"),
    (".ts", "libx264", "aac"),
    (".avi", "mpeg4", "mp3"),
    (".webm", "libvpx-vp9", "libopus"),
    (".mpg", "mpeg2video", "mp2"),
    (".mkv", "mjpeg", None),
    (".mp4", "libx265", None),
    (".gif", "gif", None),
)

_QUIET = {"libx265": {"x265-params": "log-level=none"}}


def run(runs: int, seed: int, folder: Path) -> Tally:
    """Detect in `runs` damaged videos."""
    draw = random.Random(seed)
    tally = Tally("videos")
    whole = [make_video(folder / f"whole-{number}{kind[0]}", *kind[1:]) for number, kind in enumerate(_KINDS)]
    for number in range(runs):
        source = whole[number % len(whole)]
        name, damage = draw.choice(list(_DAMAGE.items()))
        video = folder / f"{number}-{name}{source.suffix}"
        video.write_bytes(damage(bytearray(source.read_bytes()), draw))
        _detect(video, tally)
    return tally


def _detect(video: Path, tally: Tally) -> None:
    drawn, found = video.with_suffix(".out.mp4"), video.with_suffix(".jsonl")
    outputs = ["-o", drawn.name, "--json", found.name]
    ended = run_heatprop(["detect", video.name, *outputs, "--input-size", "64"], video.parent)
    fault = ended.fault() or _inconsistency(ended.code, drawn, found)
    tally.count(
        {0: "done", 1: "cut short", 2: "refused"}.get(ended.code if ended.code is not None else -1, "other"),
        fault,
        f"{video.name}: {ended.stderr.strip()[-300:]}",
    )
    if fault is None:
        for path in (video, drawn, found):
            path.unlink(missing_ok=True)


def _inconsistency(code: int | None, drawn: Path, found: Path) -> str | None:
    """Return what does not fit together in the outputs, None if all does."""
    if code == 2:
        return "refused, but wrote" if drawn.exists() or found.exists() else None
    if not found.exists() or not drawn.exists():
        return "an output is missing" if code == 0 else None
    lines = [json.loads(line) for line in found.read_text().splitlines()]
    end, frames = lines[-1].get("end"), len(lines) - 2
    if end is None or end["frames"] != frames:
        return "the end line does not say how many frames"
    if end["complete"] != (code == 0):
        return "the end line and the exit code differ"
    try:
        with av.open(str(drawn)) as container:
            played = sum(1 for _ in container.decode(video=0))
    except av.FFmpegError as error:
        return f"the video does not play ({error.strerror})"
    return None if played == frames else "the video and the JSON Lines differ in frames"


def make_video(path: Path, codec: str, sound_codec: str | None) -> Path:
    """Write a moving square with a tone beside it."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25, options=_QUIET.get(codec, {}))
        video.width, video.height = _SIZE
        video.pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
        sound = None if sound_codec is None else container.add_stream(sound_codec, rate=48_000)
        for number in range(_FRAMES):
            image = np.full((_SIZE[1], _SIZE[0], 3), 60 + 5 * number, np.uint8)
            image[16:40, 2 * number : 2 * number + 24] = (200, 40, 40)
            frame = av.VideoFrame.from_ndarray(image).reformat(format=video.pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound is not None:
            _add_tone(container, sound)
    return path


def _add_tone(container: av.container.OutputContainer, sound: av.AudioStream) -> None:
    resampler = av.AudioResampler(sound.format, sound.layout, 48_000, frame_size=sound.codec_context.frame_size)
    wave = np.sin(np.arange(48_000 * _FRAMES // 25) * 2 * np.pi * 440 / 48_000)
    tone = av.AudioFrame.from_ndarray((wave * 12_000).astype(np.int16)[None], format="s16", layout="mono")
    tone.sample_rate, tone.pts = 48_000, 0
    for chunk in [*resampler.resample(tone), *resampler.resample(None)]:
        container.mux(sound.encode(chunk))
    container.mux(sound.encode(None))


def _cut(data: bytearray, draw: random.Random) -> bytes:
    return bytes(data[: draw.randrange(len(data))])


def _behead(data: bytearray, draw: random.Random) -> bytes:
    return bytes(data[draw.randrange(len(data)) :])


def _hole(data: bytearray, draw: random.Random) -> bytes:
    start, length = draw.randrange(len(data)), draw.randint(1, 4_000)
    data[start : start + length] = bytes(len(data[start : start + length]))
    return bytes(data)


def _bits(data: bytearray, draw: random.Random) -> bytes:
    for _ in range(draw.choice((1, 10, 200))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(data)


def _header_bits(data: bytearray, draw: random.Random) -> bytes:
    ends = draw.choice((range(min(600, len(data))), range(max(0, len(data) - 1_500), len(data))))
    for _ in range(draw.choice((1, 3, 12))):
        data[draw.choice(ends)] = draw.randrange(256)
    return bytes(data)


def _garbage(data: bytearray, draw: random.Random) -> bytes:
    start = draw.randrange(len(data))
    data[start:start] = draw.randbytes(draw.randint(1, 3_000))
    return bytes(data)


def _twice(data: bytearray, draw: random.Random) -> bytes:
    start, length = draw.randrange(len(data)), draw.randint(1, 4_000)
    data[start:start] = data[start : start + length]
    return bytes(data)


def _swap(data: bytearray, draw: random.Random) -> bytes:
    block = 512
    first, second = (draw.randrange(max(1, len(data) // block)) * block for _ in range(2))
    one, other = data[first : first + block], data[second : second + block]
    if len(one) == len(other):
        data[first : first + block], data[second : second + block] = other, one
    return bytes(data)


def _joined(data: bytearray, draw: random.Random) -> bytes:
    return bytes(data[: draw.randrange(len(data))] + data)


_DAMAGE: dict[str, Callable[[bytearray, random.Random], bytes]] = {
    "cut": _cut,
    "behead": _behead,
    "hole": _hole,
    "bits": _bits,
    "header-bits": _header_bits,
    "garbage": _garbage,
    "twice": _twice,
    "swap": _swap,
    "joined": _joined,
}
