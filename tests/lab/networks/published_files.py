"""State dicts as CenterNet's authors publish them, with artificial weights."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from reference import weight_fill

GOLDEN = Path(__file__).parents[2] / "golden" / "networks"


@cache
def published_shapes(architecture: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors of "resdcn_18", "resdcn_101" or "dla_34", 80 classes."""
    everything = json.loads(gzip.decompress((GOLDEN / "keys.json.gz").read_bytes()))
    return {key: tuple(shape) for key, shape in everything[architecture]}


def published_state(architecture: str) -> dict[str, Tensor]:
    """A state dict with every tensor filled from its name and shape."""
    return {
        key: torch.from_numpy(weight_fill.filled(key, shape))
        for key, shape in published_shapes(architecture).items()
    }
