"""Frames written down cell by cell, and what the adaptive form makes of them."""

from dataclasses import replace

import numpy as np

from heatprop.propagation import AdaptationConfig, HeatmapPropagator, PropagationConfig
from heatprop.types import HeadOutput

ADAPTIVE = PropagationConfig.adaptive()


def adapting(**parts):
    return replace(ADAPTIVE, adaptation=AdaptationConfig(**parts))


def scene(*objects, grid=(24, 24), size=3.0):
    """Return a head output with single cells: (row, column, score) or (row, column, score, size)."""
    heatmap, sizes = np.zeros((1, *grid), np.float32), np.full((2, *grid), size, np.float32)
    for row, column, score, *own in objects:
        heatmap[0, row, column] = score
        if own:
            sizes[:, row, column] = own[0]
    return HeadOutput(heatmap, sizes)


def after(config, frames):
    """Return the propagator after some frames, and what it found in the last one."""
    propagator = HeatmapPropagator(config)
    found = [propagator.update(frame) for frame in frames]
    return propagator, found[-1]


def over(config, frames):
    propagator = HeatmapPropagator(config)
    return [propagator.update(frame) for frame in frames]


def scores_over(config, values):
    """Return the score of one still object in each frame, 0 where it is not found."""
    found = over(config, [scene((12, 12, value)) for value in values])
    assert all(len(each) <= 1 for each in found)
    return [float(each.scores[0]) if len(each) else 0.0 for each in found]


def centre(found, row=0):
    x1, y1, x2, y2 = found.boxes[row].tolist()
    return (y1 + y2) / 2, (x1 + x2) / 2
