"""Random frames and settings of the adaptive form."""

from math import inf

import numpy as np
from hypothesis import strategies as st

from heatprop.propagation import AdaptationConfig, PropagationConfig
from heatprop.types import HeadOutput


def wandering(random, frames, shape):
    """Heatmaps of a few objects that move at their own speeds, are hidden now and then, and leave."""
    classes, height, width = shape
    count = random.integers(1, 5)
    labels, places = random.integers(0, classes, count), random.uniform(0, [height, width], (count, 2))
    speeds = random.choice([0, 0, 0.5, 1, 2, -1, -2.5], (count, 2))
    rows, columns = np.mgrid[:height, :width]
    for frame in range(frames):
        heatmap = np.zeros(shape)
        for label, place, speed in zip(labels, places, speeds, strict=True):
            y, x = np.floor(place + frame * speed)
            near = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 2)
            score = random.choice([0, 0.02, 0.1, 0.4, 0.8, 1])
            heatmap[label] = np.maximum(heatmap[label], score * near)
        yield heatmap


@st.composite
def videos(draw):
    """A few frames made to be awkward: few distinct values (ties, plateaus), empty frames, busy ones, borders.

    Sizes are random, or of few values, so that boxes overlap by round numbers, are the same, or are empty.
    """
    shape = draw(st.sampled_from([(1, 6, 8), (1, 1, 1), (2, 5, 7), (2, 9, 9), (20, 2, 3), (1, 11, 12)]))
    components = draw(st.sampled_from([2, 4]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["ties", "smooth", "sparse", "extreme", "same", "wandering", "wandering"]))
    few_sizes, with_offset = draw(st.booleans()), draw(st.booleans())
    count = draw(st.integers(1, 6))
    wander, frames = wandering(random, count, shape), []
    for _ in range(count):
        heatmap = {
            "ties": lambda: random.choice([0, 0.05, 0.25, 0.5, 0.5, 1], shape),
            "smooth": lambda: random.random(shape) ** 2,
            "sparse": lambda: random.random(shape) * (random.random(shape) < 0.05),
            "extreme": lambda: random.choice([0, 1e-30, 1e-7, 0.9999999, 1], shape),
            "same": lambda: np.full(shape, 0.3),
            "wandering": lambda: next(wander),
        }[kind]()
        if draw(st.integers(0, 6)) == 0:
            heatmap = np.zeros(shape)
        sides = (components, *shape[1:])
        size = random.choice([0, 1.5, 2, 3, 4], sides) if few_sizes else random.uniform(0, 6, sides)
        offset = random.random((2, *shape[1:])).astype(np.float32) if with_offset else None
        frames.append((heatmap.astype(np.float32), size.astype(np.float32), offset))
    return frames


# Shares of steps that are never half a cell off by rounding: multiples of a quarter, or far from all halves.
adaptations = st.builds(
    AdaptationConfig,
    velocity=st.sampled_from([0, 0.25, 0.5, 0.61, 1]),
    least_radius=st.integers(0, 3),
    nearness=st.sampled_from([0, 0.01, 0.0373, 0.2131, 5]),
    min_iou=st.sampled_from([0, 0.1, 0.3, 0.7, 1]),
    second_chance=st.sampled_from([0, 0.1, 0.5, 1]),
    support=st.sampled_from([0, 0.1, 0.5, 1]) | st.floats(1e-6, 1),
    decay=st.sampled_from([0, 0.8, 1]) | st.floats(0, 1),
    max_length=st.sampled_from([0, 1, 1.5, 5, inf]),
    rising_weight=st.sampled_from([0, 0.8, 1]) | st.floats(0, 1),
    boost=st.sampled_from([0, 0.1, 1]) | st.floats(0, 1),
    best_decay=st.sampled_from([0, 0.05, 1]) | st.floats(0, 1),
    leaving=st.sampled_from([0, 0.5, 1]),
    leaving_speed=st.sampled_from([0, 0.5, 1, inf]),
    trust=st.sampled_from([0, 0.5, 1, 2, 1000]),
    holds_peaks=st.booleans(),
)


@st.composite
def configs(draw, adaptation=adaptations):
    return PropagationConfig(
        radius=draw(st.integers(0, 3)),
        alpha=draw(st.sampled_from([0.0, 0.5, 0.98, 1.0]) | st.floats(0, 1)),
        beta=draw(st.sampled_from([0.0, 0.5, 2.0, 1000.0, inf]) | st.floats(0, 1e6)),
        score_threshold=draw(st.sampled_from([0.0, 0.05, 0.3, 1.0])),
        max_detections=draw(st.sampled_from([1, 3, 100])),
        nms_iou=draw(st.sampled_from([0.0, 0.3, 1.0])),
        adaptation=draw(adaptation),
    )


def outputs(frames):
    return [HeadOutput(heatmap, size, offset) for heatmap, size, offset in frames]
