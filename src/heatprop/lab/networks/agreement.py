"""Does a written file compute what PyTorch computes?"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from heatprop.errors import ModelError
from heatprop.lab.networks.deployed import Deployed
from heatprop.types import FloatArray


@dataclass(frozen=True, slots=True)
class TrueHead:
    """What PyTorch gives for an output.

    Attributes:
        values: float32 ``(N, C, H, W)``.
        rounding: how far that is from what float64 gives: some networks magnify rounding, and that is not held
            against a file.
    """

    values: FloatArray
    rounding: float


def noise(deployed: Deployed) -> Tensor:
    """Return a small input that every network takes, float32 ``(1, 3, H, W)``."""
    multiple = deployed.network.multiple
    return torch.randn(1, 3, 3 * multiple, 2 * multiple, generator=torch.Generator().manual_seed(0))


def true_heads(deployed: Deployed, images: Tensor) -> dict[str, TrueHead]:
    """Run the network in PyTorch on float32 ``(N, 3, H, W)``.

    Raises:
        ModelError: an output is not finite.
    """
    with torch.inference_mode():
        both = zip(deployed(images), copy.deepcopy(deployed).double()(images.double()), strict=True)
    heads = {}
    for name, (values, exact) in zip(deployed.names, both, strict=True):
        if not bool(values.isfinite().all()):
            raise ModelError(
                f"the network's {name} is not finite: its weights are broken; take another checkpoint"
            )
        heads[name] = TrueHead(values.numpy(), float((exact - values).abs().max()))
    return heads


def heatmap_difference(given: Mapping[str, FloatArray], truth: Mapping[str, TrueHead], tolerance: float) -> float:
    """Return the largest difference of the heatmap.

    Args:
        given: a file's outputs.
        truth: PyTorch's.
        tolerance: how far from PyTorch's an output may be, in its own units, or where it is larger than 1 as a
            share of its largest value; infinity allows everything.

    Raises:
        ModelError: an output differs by more, or is not a number.
    """
    differences = {name: float(np.abs(given[name] - head.values).max()) for name, head in truth.items()}
    for name, head in truth.items():
        limit = max(tolerance * max(1.0, float(np.abs(head.values).max())), 4 * head.rounding)
        if not differences[name] <= limit:  # also when it is not a number
            raise ModelError(
                f"the exported {name} differs from PyTorch's by {differences[name]:.2g}, more than {limit:.2g}; "
                "nothing is written: try newer versions of torch and of the runtime"
            )
    return differences["heatmap"]
