"""The network as it runs in the field, traced once for every format, and what a written file must compute."""

from __future__ import annotations

import copy
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from heatprop.errors import ModelError
from heatprop.lab.networks.checkpoints import Checkpoint
from heatprop.lab.networks.weights import first_line
from heatprop.types import FloatArray

INPUT = "images"

Run = Callable[[FloatArray], dict[str, FloatArray]]
"""Runs a written file on float32 ``(N, 3, H, W)``, and gives its outputs by name."""


class Deployed(nn.Module):
    """A network with what a file gives: the heatmap through the sigmoid, and no output that is None."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.network = checkpoint.network
        self.names = ("heatmap", "size", "offset") if checkpoint.card.has_offset else ("heatmap", "size")

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Turn images ``(N, 3, H, W)`` into heatmap, size and, where there is one, offset."""
        output = self.network(images)
        heads = (output.heatmap_logits.sigmoid(), output.size)
        return heads if output.offset is None else (*heads, output.offset)


def trace(deployed: Deployed) -> torch.export.ExportedProgram:
    """Return the network as a graph, with any batch, height and width.

    Raises:
        ModelError: its backbone does not allow that.
    """
    multiple = deployed.network.multiple
    # Not 1 or alike anywhere: torch.export takes such sizes for constants.
    example = torch.zeros(2, 3, 4 * multiple, 6 * multiple)
    open_sizes = {INPUT: dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)}
    try:
        with quiet():
            return torch.export.export(deployed, (example,), dynamic_shapes=open_sizes)
    except Exception as error:  # torch.export has dozens of exception types
        backbone = deployed.network.config.backbone
        raise ModelError(
            f"backbone {backbone!r} cannot be exported with open sizes ({first_line(error)}); "
            "run the checkpoint with --backend torch"
        ) from None


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what converters warn, log and print about their own insides; what fails is raised."""
    disabled = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"), redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(disabled)


def not_installed(error: ImportError) -> ModelError:
    """Return what to raise where a package that a format needs is missing."""
    return ModelError(f"export needs {error.name}, which is not installed; run pip install 'heatprop[export]'")


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
