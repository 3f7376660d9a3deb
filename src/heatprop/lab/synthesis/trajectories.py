"""How things move: paths of objects, of the camera, and episodes of trouble; all from a random generator.

Every function draws from the generator in a fixed order, so a seed gives the same motion on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_RELUCTANCE = 0.08  # how much of the way back an object outside its bounds is drawn in a frame
_UNSTEADINESS = 0.12  # change of the velocity in a frame, of the speed
_SHAKE_MEMORY = 0.55


def wander(
    rng: Generator,
    frames: int,
    *,
    start: tuple[float, float],
    speed: float,
    bounds: tuple[float, float, float, float],
    turns: tuple[int, ...] = (),
    faster: float = 1.0,
) -> Floats:
    """Return the places of something that wanders about, float64 ``(frames, 2)``.

    It keeps its velocity except for small changes, is drawn back softly where it is outside `bounds` (x1, y1, x2,
    y2), and in the frames `turns` turns by 100 to 180 degrees and becomes up to `faster` times as fast.
    """
    angle = rng.uniform(0, 2 * np.pi)
    velocity = speed * np.array([np.cos(angle), 0.6 * np.sin(angle)])
    unsteadiness = rng.normal(0, _UNSTEADINESS, (frames, 2)) * speed
    sides = rng.choice([-1.0, 1.0], frames)
    sharpness = rng.uniform(np.deg2rad(100), np.pi, frames)
    factors = rng.uniform(1, max(1.0, faster), frames)
    low, high = np.array(bounds[:2]), np.array(bounds[2:])
    place, places = np.array(start, np.float64), np.empty((frames, 2))
    for frame in range(frames):
        places[frame] = place
        if frame in turns:
            turn = sides[frame] * sharpness[frame]
            cos, sin = np.cos(turn), np.sin(turn)
            velocity = factors[frame] * (np.array([[cos, -sin], [sin, cos]]) @ velocity)
        outside = np.minimum(place - low, 0) + np.maximum(place - high, 0)
        velocity = (
            velocity + unsteadiness[frame] - _RELUCTANCE * np.sign(outside) * np.minimum(np.abs(outside), speed)
        )
        place = place + velocity
    return places


def excursion(rng: Generator, frames: int, direction: Floats, longest: int) -> Floats:
    """Return a way out along `direction` and back again, float64 ``(frames, 2)``: 0, up to `direction`, 0."""
    length = int(rng.integers(max(4, longest // 2), max(5, longest + 1)))
    first = int(rng.integers(-length // 2, max(1, frames - length // 2)))
    phase = np.clip((np.arange(frames) - first) / length, 0, 1)
    share = np.where(phase < 1, np.sin(np.pi * phase) ** 2, 0.0)  # exactly at home when it is over
    return share[:, None] * direction


def approach(rng: Generator, frames: int, factor: float) -> Floats:
    """Return a size that changes smoothly by up to `factor` in all, float64 ``(frames,)``, with mean log 0."""
    amount = np.log(rng.uniform(min(1.3, factor), max(1.3, factor)))
    phase = rng.uniform(0, 2 * np.pi)
    period = rng.uniform(0.8, 2.5) * max(frames, 40)
    swing = 0.5 * amount * np.sin(2 * np.pi * np.arange(frames) / period + phase)
    size: Floats = np.exp(swing - swing.mean())
    return size


def pan(rng: Generator, frames: int, speed: float) -> Floats:
    """Return the offsets of a camera that swings smoothly, float64 ``(frames, 2)``, in the unit of `speed`."""
    peak = rng.uniform(0.25, 1.0) * speed
    angle = rng.choice([0.0, np.pi]) + rng.normal(0, 0.2)
    period = rng.uniform(30, 90)
    phase = rng.uniform(0, 2 * np.pi)
    velocity = peak * np.sin(2 * np.pi * np.arange(frames) / period + phase)
    offsets: Floats = np.cumsum(velocity)[:, None] * np.array([np.cos(angle), np.sin(angle)])
    return offsets


def shake(rng: Generator, frames: int, deviation: float) -> Floats:
    """Return the offsets of an unsteady camera, float64 ``(frames, 2)``, that come back to 0."""
    pushes = rng.normal(0, deviation * rng.uniform(0.4, 1.0), (frames, 2))
    place, places = np.zeros(2), np.empty((frames, 2))
    for frame in range(frames):
        place = _SHAKE_MEMORY * place + pushes[frame]
        places[frame] = place
    return places


def episodes(rng: Generator, frames: int, share: float, mean_length: float) -> Floats:
    """Return how hard a trouble strikes in each frame, float64 ``(frames,)`` in [0, 1]; 0 outside its episodes.

    Episodes cover `share` of the frames on average, last `mean_length` on average, and have each a severity of
    their own, at least 0.35, full in their middle and a half at their ends.
    """
    severity = np.zeros(frames)
    if share <= 0:
        return severity
    ends, starts = 1 / mean_length, share / (mean_length * max(1e-9, 1 - share))
    draws, peaks = rng.random(frames + 1), rng.uniform(0.35, 1.0, frames + 1)
    inside, first = bool(draws[0] < share), 0
    for frame in range(1, frames + 1):
        changes = frame == frames or draws[frame] < (ends if inside else starts)
        if changes and inside:
            length = frame - first
            shape = 0.5 + 0.5 * np.sin(np.pi * (np.arange(length) + 0.5) / length)
            severity[first:frame] = peaks[first] * shape
        if changes:
            inside, first = not inside, frame
    return severity
