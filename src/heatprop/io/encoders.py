"""Which encoder makes the video, and what it takes: its largest frame, its finest clock."""

from __future__ import annotations

import math
from collections.abc import Collection
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import av

from heatprop.errors import OutputError

MAX_TICKS = 1_000_000
MAX_TICKS_MPEG4 = 65_535
_ENCODERS = ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf", "mpeg4")
_ENCODERS_OF_WEBM = ("libvpx-vp9", "libvpx", "libsvtav1", "libaom-av1")
# Both VP8 and VP9 come a frame at a time, without hidden ones: what is given is soon in the file.
_VPX = MappingProxyType(
    {"deadline": "realtime", "cpu-used": "7", "lag-in-frames": "0", "auto-alt-ref": "0", "b": "0"}
)
# Longest side in pixels: x264 refuses more, OpenH264 too, and MPEG-4 has 13 bits for it.
_LONGEST_SIDES = MappingProxyType({"libx264": 16384, "libopenh264": 3840, "mpeg4": 8191})
_LONGEST_SIDE = 16384
_WANTED_TICKS = 90_000


def choose_encoder(available: Collection[str], suffix: str = "") -> str:
    """Return the best encoder among the available: H.264, or MPEG-4 where there is none; for WebM VP9, VP8 or AV1.

    Args:
        available: names of libav's encoders.
        suffix: of the file.

    Raises:
        OutputError: there is none at all.
    """
    wanted = _ENCODERS_OF_WEBM if suffix.lower() == ".webm" else _ENCODERS
    for name in wanted:
        if name in available:
            return name
    raise OutputError(f"PyAV here has none of the encoders {', '.join(wanted)}; install its binary wheel")


def encoder_options(encoder: str, *, crf: int, preset: str) -> dict[str, str]:
    """Return the options of an encoder for a quality and an effort of x264.

    The others get about that quality; their effort is one that keeps pace with a network.

    Example:
        >>> encoder_options("libx264", crf=23, preset="superfast")
        {'crf': '23', 'preset': 'superfast', 'bf': '0'}
    """
    match encoder:
        case "libx264":
            # Without B-frames a frame is in the file soon, and its time is the one it has: mp4 has no room for the
            # offsets of frames that are hours apart.
            return {"crf": str(crf), "preset": preset, "bf": "0"}
        case "libvpx-vp9":
            return {"crf": str(min(crf + 9, 63)), "row-mt": "1", "tile-columns": "2", **_VPX}
        case "libvpx":
            return {**_VPX, "crf": str(max(crf - 8, 4)), "b": "8000000"}
        case "libsvtav1":
            return {"crf": str(min(crf + 12, 63)), "preset": "11"}
        case "libaom-av1":
            return {"crf": str(min(crf + 9, 63)), "usage": "realtime", "cpu-used": "9", "lag-in-frames": "0"}
    return {}


def choose_time_base(frame_rate: Fraction, max_ticks: int = MAX_TICKS) -> Fraction:
    """Return a clock tick in which frames of this rate fall on whole ticks, about 1/90000 s.

    Args:
        frame_rate: nominal frames a second.
        max_ticks: largest number of ticks a second that the encoder takes.

    Less than a frame a second needs no fine ticks, and mp4 has no room for many between two frames: there it is
    about a millisecond.

    Example:
        >>> choose_time_base(Fraction(24000, 1001))
        Fraction(1, 96000)
        >>> choose_time_base(Fraction(1, 512))
        Fraction(1, 1000)
    """
    wanted = _WANTED_TICKS if frame_rate >= 1 else 1000
    ticks = frame_rate.numerator
    times = min(math.ceil(wanted / ticks), max_ticks // ticks)
    return Fraction(1, ticks * times if times else min(wanted, max_ticks))


def check_size(path: Path, width: int, height: int) -> None:
    """Check that the encoder takes frames of this size.

    Args:
        path: the file that is to be written, for the message.
        width: in pixels.
        height: in pixels.

    Raises:
        OutputError: it does not, or there is no encoder.
    """
    encoder = choose_encoder(av.codecs_available, path.suffix)
    longest = _LONGEST_SIDES.get(encoder, _LONGEST_SIDE)
    if max(width, height) > longest:
        raise OutputError(
            f"{path}: frames are {width} x {height} pixels, and a video of {encoder} can be at most {longest} "
            "wide and high; scale them down, or write detections alone (--json)"
        )
