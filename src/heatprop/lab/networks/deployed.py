"""The network as it runs in the field, traced once for every format."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout

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
