"""What happens in a video, before a pixel of it is drawn: who is where in each frame, and what goes wrong.

A scene is made from a seed alone. Places are pixels of the image, with pixel centres at whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from heatprop.lab.datasets.imagenet_classes import VID_CLASSES
from heatprop.lab.synthesis import trajectories
from heatprop.lab.synthesis.scenery import make_prop
from heatprop.lab.synthesis.settings import SceneSettings
from heatprop.lab.synthesis.sprites import Sprite
from heatprop.lab.synthesis.trajectories import Floats
from heatprop.types import ImageArray

BACKGROUND_LABEL = -1
_CUT_LASTS = 5  # frames after a cut that count as disturbed by it
_TURN_LASTS = 4
_STILL, _FASTEST = 0.33, 6.0  # share of objects; cells a frame
_STEADY_EXPOSURE = 0.25  # frames, at most, where there is no motion blur

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """Something in front of the background, over all frames of a shot.

    Attributes:
        pixels: uint8 ``(h, w, 4)`` RGBA, straight alpha.
        label: class number; -1 for things of the foreground, which are no objects.
        affine: from pixels of `pixels` to pixels of the image, float64 ``(F, 2, 3)``.
        moved: how far its middle moves during a frame, in pixels of the image, float64 ``(F, 2)``.
        tint: factor of its red, green and blue.
    """

    pixels: ImageArray
    label: int
    affine: Floats
    moved: Floats
    tint: tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A run of frames without a cut.

    Attributes:
        frames: how many.
        items: the farthest first.
        camera: from pixels of the image to pixels of the background around its middle, float64 ``(F, 2, 3)``.
        camera_moved: how far the background moves during a frame, in pixels of the image, float64 ``(F, 2)``.
        exposure: in frames, float64 ``(F,)``.
        severities: of each trouble of the whole image (defocus, noise, darkness, compression), ``(F,)``,
            0 to 1.
        causes: where each cause of difficulty is at work, bool ``(F,)``.
        background_seed: seed of the background and of the noise.
        clutter: how many pieces of objects lie about in the background.
    """

    frames: int
    items: tuple[Item, ...]
    camera: Floats
    camera_moved: Floats
    exposure: Floats
    severities: Mapping[str, Floats]
    causes: Mapping[str, Bools]
    background_seed: int
    clutter: int


def make_video(seed: Sequence[int], frames: int, sprites: Sequence[Sprite], settings: SceneSettings) -> list[Shot]:
    """Return the shots of a video of so many frames.

    Args:
        seed: numbers that name the video, and so all that happens in it.
        frames: of the whole video, at least 1.
        sprites: what the objects look like; a class without any does not occur.
        settings: what the video is like.
    """
    rng = np.random.default_rng(list(seed))
    cuts = settings.causes.cuts
    several = rng.random() < cuts.share and frames >= 16 and cuts.strength >= 2
    count = int(rng.integers(2, int(cuts.strength) + 1)) if several else 1
    bounds = np.linspace(0, frames, count + 1)
    if several:
        bounds[1:-1] += rng.uniform(-0.25, 0.25, count - 1) * frames / count
    lengths = np.diff(np.rint(bounds).astype(int)).tolist()
    return [
        make_shot(rng, length, sprites, settings, after_cut=number > 0) for number, length in enumerate(lengths)
    ]


def make_shot(
    rng: Generator, frames: int, sprites: Sequence[Sprite], settings: SceneSettings, *, after_cut: bool = False
) -> Shot:
    """Return a shot; it draws from `rng` all that it needs. `sprites` and `settings` as in `make_video`."""
    causes, cell = settings.causes, settings.cell
    steps = frames + 1  # one more, so that the last frame has a motion, too
    size = np.array([settings.width, settings.height], np.float64)

    offsets = np.zeros((steps, 2))
    is_panning, is_shaking = rng.random() < causes.pan.share, rng.random() < causes.shake.share
    panned = trajectories.pan(rng, steps, causes.pan.strength * cell)
    shaken = trajectories.shake(rng, steps, causes.shake.strength * cell)
    offsets += panned * is_panning + shaken * is_shaking
    zoom = trajectories.approach(rng, steps, 1.3) if rng.random() < 0.15 else np.ones(steps)

    actors = _Actors(rng, steps, sprites, settings)
    is_crowd = rng.random() < causes.crowd.share and causes.crowd.strength >= 4
    objects = actors.crowd(int(rng.integers(4, int(causes.crowd.strength) + 1))) if is_crowd else actors.few()
    order = rng.permutation(len(objects))
    layers = [objects[place] for place in order]
    has_foreground = rng.random() < causes.occlusion.share and causes.occlusion.strength >= 1
    if has_foreground:
        layers += [actors.prop() for _ in range(int(rng.integers(1, int(causes.occlusion.strength) + 1)))]

    middle = (size - 1) / 2
    items = []
    for layer in layers:
        matrix = _compose(layer, middle, offsets, zoom)
        tip = np.array([(layer.pixels.shape[1] - 1) / 2, (layer.pixels.shape[0] - 1) / 2, 1.0])
        items.append(Item(layer.pixels, layer.label, matrix[:-1], np.diff(matrix @ tip, axis=0), layer.tint))

    camera = np.zeros((steps, 2, 3))
    camera[:, 0, 0] = camera[:, 1, 1] = 1 / zoom
    camera[:, :, 2] = offsets - middle / zoom[:, None]
    long_exposure = trajectories.episodes(rng, frames, causes.motion_blur.share, 6)
    exposure = rng.uniform(0, _STEADY_EXPOSURE) + long_exposure * causes.motion_blur.strength
    severities = {
        name: trajectories.episodes(rng, frames, getattr(causes, name).share, length)
        for name, length in (("defocus", 6), ("noise", 12), ("darkness", 8), ("compression", 10))
    }
    is_cluttered = rng.random() < causes.clutter.share
    clutter = int(rng.integers(1, max(1, int(causes.clutter.strength)) + 1)) if is_cluttered else 0

    camera_moved = -np.diff(offsets, axis=0) * zoom[:-1, None]
    always = np.ones(frames, np.bool_)
    active = {name: severity > 0 for name, severity in severities.items()}
    active["motion_blur"] = long_exposure > 0
    active["cuts"] = (np.arange(frames) < _CUT_LASTS) & after_cut
    active["crowd"] = always & is_crowd
    active["occlusion"] = always & has_foreground
    active["clutter"] = always & (clutter > 0)
    active["pan"] = always & is_panning
    active["shake"] = always & is_shaking
    active["turns"] = actors.turning[:-1]
    active["scale"] = always & actors.any_scale
    active["leaving"] = actors.leaving[:-1]
    return Shot(
        frames=frames,
        items=tuple(items),
        camera=camera[:-1],
        camera_moved=camera_moved,
        exposure=exposure,
        severities=severities,
        causes=active,
        background_seed=int(rng.integers(2**62)),
        clutter=clutter,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """An item before the camera: places are pixels around the middle of the scene."""

    pixels: ImageArray
    label: int
    places: Floats
    scales: Floats
    angles: Floats
    aspect: Floats
    mirrored: bool
    nearness: float
    tint: tuple[float, float, float]


class _Actors:
    """Makes the objects of a shot, and remembers which troubles of theirs are when."""

    def __init__(self, rng: Generator, steps: int, sprites: Sequence[Sprite], settings: SceneSettings) -> None:
        self._rng, self._steps, self._settings = rng, steps, settings
        self._by_label = [
            [sprite for sprite in sprites if sprite.label == label] for label in range(len(VID_CLASSES))
        ]
        self._labels = [label for label, of_label in enumerate(self._by_label) if of_label]
        self.turning = np.zeros(steps, np.bool_)
        self.leaving = np.zeros(steps, np.bool_)
        self.any_scale = False

    def few(self) -> list[_Layer]:
        """Return one to four objects, mostly of one class."""
        rng = self._rng
        count = int(rng.choice([1, 2, 3, 4], p=[0.38, 0.32, 0.18, 0.12]))
        label = int(rng.choice(self._labels))
        labels = [label] + [
            label if rng.random() < 0.5 else int(rng.choice(self._labels)) for _ in range(count - 1)
        ]
        longest = max(self._settings.width, self._settings.height)
        return [
            self._object(each, longest * float(np.clip(rng.lognormal(np.log(0.24), 0.5), 0.07, 0.75)))
            for each in labels
        ]

    def crowd(self, count: int) -> list[_Layer]:
        """Return many of one class, of about one size, that move together somewhat."""
        rng = self._rng
        label = int(rng.choice(self._labels))
        side = max(self._settings.width, self._settings.height) * rng.uniform(0.09, 0.2)
        common = trajectories.wander(
            rng, self._steps, start=(0.0, 0.0), speed=self._speed(), bounds=self._bounds(0.3)
        )
        sprites = self._by_label[label]
        look = sprites[int(rng.integers(len(sprites)))]
        alike = rng.random() < 0.6
        return [
            self._object(label, side * rng.uniform(0.8, 1.25), common=common, look=look if alike else None)
            for _ in range(count)
        ]

    def _speed(self) -> float:
        """Return a speed in pixels a frame: a third stands still, few are very fast."""
        is_still, factor = self._rng.random() < _STILL, self._rng.lognormal(0, 0.7)
        speed = 0.0 if is_still else min(self._settings.speed * factor, _FASTEST)
        return float(speed * self._settings.cell)

    def _bounds(self, share: float) -> tuple[float, float, float, float]:
        x, y = share * self._settings.width, share * self._settings.height
        return (-x, -y, x, y)

    def _object(
        self, label: int, side: float, *, common: Floats | None = None, look: Sprite | None = None
    ) -> _Layer:
        rng, steps, causes = self._rng, self._steps, self._settings.causes
        sprites = self._by_label[label]
        sprite = sprites[int(rng.integers(len(sprites)))]
        sprite = sprite if look is None else look
        turns = (
            tuple(rng.integers(0, steps, 1 + steps // 50).tolist()) if rng.random() < causes.turns.share else ()
        )
        for turn in turns:
            self.turning[turn : turn + _TURN_LASTS] = True
        x, y = 0.38 * self._settings.width, 0.33 * self._settings.height
        speed = self._speed()
        places = trajectories.wander(
            rng, steps, start=(rng.uniform(-x, x), rng.uniform(-y, y)),
            speed=speed * (0.4 if common is not None else 1.0), bounds=self._bounds(0.36),
            turns=turns, faster=causes.turns.strength,
        )  # fmt: skip
        if common is not None:
            places = places + common
        if rng.random() < causes.leaving.share:
            side_way = rng.choice([-1.0, 1.0]) * (0.5 * self._settings.width + side)
            trip = trajectories.excursion(
                rng, steps, np.array([side_way, 0.0]), int(max(4, causes.leaving.strength))
            )
            places = places + trip
            self.leaving |= np.abs(trip[:, 0]) > 0
        scales = np.full(steps, side / max(sprite.pixels.shape[:2]))
        if rng.random() < causes.scale.share:
            scales = scales * trajectories.approach(rng, steps, causes.scale.strength)
            self.any_scale = True
        sway, period, phase = rng.uniform(0, 0.12), rng.uniform(8, 40), rng.uniform(0, 2 * np.pi)
        sway *= speed > 0 or common is not None
        swing = np.sin(2 * np.pi * np.arange(steps) / period + phase)
        light = rng.uniform(0.75, 1.15)
        return _Layer(
            pixels=sprite.pixels,
            label=label,
            places=places,
            scales=scales,
            angles=rng.normal(0, 0.14) + sway * swing,
            aspect=np.exp(rng.normal(0, 0.08) + 0.5 * sway * swing),
            mirrored=bool(rng.random() < 0.5),
            nearness=1.0,
            tint=tuple((light * rng.uniform(0.88, 1.12, 3)).tolist()),
        )

    def prop(self) -> _Layer:
        """Return something of the foreground that stands still."""
        rng, steps = self._rng, self._steps
        pixels = make_prop(rng, self._settings.width, self._settings.height)
        place = np.array([rng.uniform(-0.5, 0.5) * self._settings.width, 0.0])
        # It reaches the lower border: that is where things of the foreground stand.
        place[1] = self._settings.height * rng.uniform(0.5, 0.62) - pixels.shape[0] / 2
        return _Layer(
            pixels=pixels,
            label=BACKGROUND_LABEL,
            places=np.tile(place, (steps, 1)),
            scales=np.ones(steps),
            angles=np.zeros(steps),
            aspect=np.ones(steps),
            mirrored=False,
            nearness=1.25,
            tint=(1.0, 1.0, 1.0),
        )


def _compose(layer: _Layer, middle: Floats, offsets: Floats, zoom: Floats) -> Floats:
    """Return the affine maps from pixels of a layer to pixels of the image, float64 ``(steps, 2, 3)``."""
    height, width = layer.pixels.shape[:2]
    cos, sin = np.cos(layer.angles), np.sin(layer.angles)
    along = zoom * layer.scales * layer.aspect * (-1.0 if layer.mirrored else 1.0)
    across = zoom * layer.scales / layer.aspect
    matrix = np.empty((len(zoom), 2, 3))
    matrix[:, 0, 0], matrix[:, 0, 1] = cos * along, -sin * across
    matrix[:, 1, 0], matrix[:, 1, 1] = sin * along, cos * across
    place = middle + zoom[:, None] * (layer.places - layer.nearness * offsets)
    matrix[:, :, 2] = place - matrix[:, :, :2] @ np.array([(width - 1) / 2, (height - 1) / 2])
    return matrix
