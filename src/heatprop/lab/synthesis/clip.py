"""One synthetic video as a file of video, where there is no other at hand."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from heatprop.errors import check_count
from heatprop.interrupts import check
from heatprop.io import SourceInfo, VideoSink
from heatprop.lab.synthesis.rendering import ShotRenderer
from heatprop.lab.synthesis.scenes import make_video
from heatprop.lab.synthesis.settings import Causes, Dial, SceneSettings
from heatprop.lab.synthesis.sprites import load_sprites

_RATE = Fraction(25)
_SCENE_FRAMES = 240  # then it runs backwards
# A calm crowd of cars; detectors for photographs find five of them in a frame.
_SEED, _DRAWINGS = (0, 0, 13), ("noto",)
_SPEED, _CROWD, _NONE = 0.15, Dial(1, 12), Dial(0, 0)
_CAUSES = Causes(
    crowd=_CROWD, motion_blur=_NONE, defocus=_NONE, noise=_NONE, darkness=_NONE, occlusion=_NONE, leaving=_NONE,
    turns=_NONE, scale=_NONE, shake=_NONE, cuts=_NONE, clutter=_NONE,
)  # fmt: skip


def write_clip(path: Path, frames: int, *, width: int = 1280, height: int = 720) -> None:
    """Write a synthetic video: H.264, 25 frames a second, the same each time.

    Args:
        path: the file, such as ``clip.mp4``.
        frames: how many.
        width: in pixels.
        height: in pixels.

    Raises:
        OutputError: it exists, or cannot be written.
        Interrupted: it was requested; what is there by then is a video, and says that it is unfinished.
    """
    check_count("frames", frames, 1)
    settings = SceneSettings(width=width, height=height, speed=_SPEED, causes=_CAUSES)
    sprites = load_sprites(_DRAWINGS)
    (shot,) = make_video(_SEED, _SCENE_FRAMES, sprites, settings)
    renderer = ShotRenderer(shot, settings, sprites)
    info = SourceInfo(path.name, width, height, _RATE, frames, frames / float(_RATE), False, False)
    with VideoSink(path, info) as sink:
        for number in range(frames):
            check()
            place = number % (2 * _SCENE_FRAMES)
            image, _ = renderer.render(min(place, 2 * _SCENE_FRAMES - 1 - place))
            sink.write(image, number / float(_RATE))
