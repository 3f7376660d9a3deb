"""Several processes that train one network together, as `torchrun` starts them; or one alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

Value = TypeVar("Value")

_PROCESSOR = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which process this is, of how many; with one alone nothing is sent.

    Attributes:
        rank: of this process, from 0. The first one writes files and messages.
        count: how many there are.
        device: where this process computes.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = _PROCESSOR

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0

    def sum(self, tensor: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes; `tensor` itself may be overwritten."""
        if self.count > 1:
            distributed.all_reduce(tensor)
        return tensor

    def any(self, asked: bool) -> bool:
        """Say whether any process says yes."""
        return bool(self.sum(torch.tensor(int(asked), device=self.device))) if self.count > 1 else asked

    def sum_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """Replace the gradients by their sums over all processes, in one message."""
        if self.count == 1:
            return
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        total = self.sum(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        parts = torch.split(total, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))

    def gather(self, value: Value) -> list[Value]:
        """Return the values of all processes, by rank."""
        if self.count == 1:
            return [value]
        values: list[Value | None] = [None] * self.count
        distributed.all_gather_object(values, value)
        return values  # type: ignore[return-value]

    def from_first(self, value: Value) -> Value:
        """Return the value that the first process has."""
        if self.count == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values)
        return values[0]


@contextmanager
def joined_ranks(device: torch.device) -> Iterator[Ranks]:
    """Join the other processes that `torchrun` started: over gloo on a processor, over NCCL on graphics cards."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Ranks(device=device)
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(distributed.get_rank(), count, device)
    finally:
        distributed.destroy_process_group()


def local_rank() -> int:
    """Return the number of this process on its machine, which is that of its graphics card."""
    return int(os.environ.get("LOCAL_RANK", "0"))
