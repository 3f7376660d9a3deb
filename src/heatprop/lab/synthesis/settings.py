"""What a synthetic video is made to be: its size, and a dial for each thing that makes video hard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from heatprop.errors import InvalidConfigError, check_count, check_range


@dataclass(frozen=True, slots=True)
class Dial:
    """How often a cause of difficulty strikes, and how hard.

    Attributes:
        share: of frames, objects, shots or videos, as the cause says; 0 to 1, 0 switches it off.
        strength: how hard it strikes at most, in the unit of the cause.

    Raises:
        InvalidConfigError: a number lies outside its range.
    """

    share: float
    strength: float

    def __post_init__(self) -> None:
        check_range("share", self.share, 0, 1)
        check_range("strength", self.strength, 0, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Causes:
    """What makes video hard, each with its own dial.

    Lengths are in cells: a 64th of the image's longer side, which is 4 pixels of an input of 256.

    Attributes:
        motion_blur: share of frames with a long exposure; strength: its length in frames.
        defocus: share of frames out of focus; strength: sigma of the blur in cells.
        noise: share of frames with sensor noise; strength: its deviation, of 255.
        darkness: share of frames too dark; strength: the share of the light that is lost.
        compression: share of frames compressed too much; strength: how far the JPEG quality falls below 88.
        occlusion: share of shots with things in the foreground; strength: how many at most.
        leaving: share of objects that leave the image and come back; strength: frames that it takes at most.
        crowd: share of shots with a crowd of one class; strength: how many at most.
        turns: share of objects that turn suddenly; strength: factor of their speed at most.
        scale: share of objects that come nearer or go away; strength: factor of their size at most.
        pan: share of shots with a moving camera; strength: its speed in cells a frame at most.
        shake: share of shots with an unsteady camera; strength: its deviation in cells a frame.
        cuts: share of videos made of several shots; strength: how many at most.
        clutter: share of shots whose background is littered with pieces of objects; strength: how many at most.
    """

    motion_blur: Dial = Dial(0.22, 1.2)
    defocus: Dial = Dial(0.1, 0.6)
    noise: Dial = Dial(0.12, 40.0)
    darkness: Dial = Dial(0.1, 0.85)
    compression: Dial = Dial(0.12, 78.0)
    occlusion: Dial = Dial(0.35, 3)
    leaving: Dial = Dial(0.12, 60)
    crowd: Dial = Dial(0.12, 9)
    turns: Dial = Dial(0.2, 2.0)
    scale: Dial = Dial(0.25, 2.2)
    pan: Dial = Dial(0.35, 0.8)
    shake: Dial = Dial(0.2, 0.35)
    cuts: Dial = Dial(0.12, 3)
    clutter: Dial = Dial(0.5, 14)


CAUSES: tuple[str, ...] = tuple(field.name for field in fields(Causes))


def parse_dials(words: Sequence[str]) -> Causes:
    """Return the causes with some of their dials turned, each as ``cause=share`` or ``cause=share:strength``.

    Raises:
        InvalidConfigError: a word is not like that, names no cause, or holds a number outside its range.

    >>> parse_dials(["noise=0.5", "crowd=1:5"]).noise
    Dial(share=0.5, strength=40.0)
    """
    dials = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in CAUSES:
            raise InvalidConfigError(f"--dial {word!r} names no cause; there are {', '.join(CAUSES)}")
        share, colon, strength = value.partition(":")
        try:
            dials[name] = Dial(float(share), float(strength) if colon else getattr(Causes(), name).strength)
        except ValueError as error:
            reason = f" ({error})" if isinstance(error, InvalidConfigError) else ""
            raise InvalidConfigError(
                f"--dial {word!r} is not {name}=SHARE or {name}=SHARE:STRENGTH{reason}"
            ) from None
    return Causes(**dials)


@dataclass(frozen=True, kw_only=True)
class SceneSettings:
    """What every video of a dataset is like.

    Attributes:
        width: of the images, in pixels.
        height: of the images, in pixels.
        causes: what makes them hard.
        speed: median speed of the objects that move, in cells a frame.
        least_visible: an object is annotated while at least this share of what lies inside the image can be
            seen, and at least this share of it lies inside.

    Raises:
        InvalidConfigError: a number lies outside its range.
    """

    width: int = 320
    height: int = 240
    causes: Causes = Causes()
    speed: float = 0.55
    least_visible: float = 0.15

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            check_count(name, getattr(self, name), 64)
        check_range("speed", self.speed, 0, 10)
        check_range("least_visible", self.least_visible, 0, 1)

    @property
    def cell(self) -> float:
        """Pixels of a cell: a 64th of the longer side."""
        return max(self.width, self.height) / 64
