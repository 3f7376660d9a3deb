"""Artificial weights that anyone can repeat: each tensor follows from its published name and its shape.

Standard normal numbers from PCG64, seeded with the CRC-32 of the name, are scaled so that a network of any depth
keeps its values within reason, and shifted where a head or a normalisation wants it. Float64 until the last cast.
"""

from __future__ import annotations

import re
from math import prod, sqrt
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

# The first pattern that fits the name counts.
GAINS = (
    (r".*conv_offset_mask\.weight", 1.0),
    (r"(hm|wh|reg)\.0\.weight", 1.5),
    (r"(hm|wh)\.2\.weight", 2.5),
    (r"reg\.2\.weight", 0.5),
    (r"(deconv_layers|dla_up|ida_up)\..*", 2.0),
    (r"layer.*|.*\.tree.*", 0.85),
    (r".*", 1.6),
)
BIASES = (
    # name, center, spread
    (r"hm\.2\.bias", -2.19, 0.1),
    (r"wh\.2\.bias", 8.0, 0.1),
    (r"reg\.2\.bias", 0.5, 0.1),
    (r".*\.conv_offset_mask\.bias", 0.0, 0.5),
    (r".*", 0.0, 0.1),
)


def normal(seed: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)


def fan_in(name: str, shape: tuple[int, ...]) -> int:
    """How many numbers make one number of the output."""
    if re.fullmatch(r"deconv_layers\.(3|9|15)\.weight", name):
        return 4 * shape[0]  # transposed, 4x4, stride 2: 4 taps meet in a cell
    if re.search(r"\.up_\d+\.weight$", name):
        return 4  # the same, a channel by itself
    return prod(shape[1:])


def filled(name: str, shape: tuple[int, ...]) -> NDArray[np.float32] | NDArray[np.int64]:
    kind = name.rpartition(".")[2]
    if kind == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    values = normal(crc32(name.encode()), shape)
    if kind == "running_var":
        values = 1 + 0.1 * np.abs(values)
    elif kind == "running_mean":
        values = 0.1 * values
    elif kind == "bias":
        center, spread = next(row[1:] for row in BIASES if re.fullmatch(row[0], name))
        values = center + spread * values
    elif len(shape) == 1:
        values = 1 + 0.1 * values
    else:
        gain = next(gain for pattern, gain in GAINS if re.fullmatch(pattern, name))
        values = values * (gain / sqrt(fan_in(name, shape)))
    return values.astype(np.float32)
