"""Batch normalisation by the statistics of the whole batch, whichever process holds its parts.

PyTorch's own works on graphics cards only; this one does wherever the processes can sum.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn

from heatprop.errors import InvalidConfigError


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` over the batch of all processes; with the same weights and statistics.

    In evaluation mode it is its parent.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Normalise ``(N, C, H, W)``."""
        if not self.training:
            return super().forward(features)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        values = features.float()
        count = torch.full((1,), values.numel() / values.shape[1], device=values.device)
        distributed.all_reduce(count)
        mean = _sum_over_all(values.sum((0, 2, 3))) / count
        centred = values - mean[:, None, None]
        variance = _sum_over_all(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(features.dtype)


def sync_norms(network: nn.Module) -> None:
    """Put `SyncedBatchNorm2d` in the place of every batch normalisation, with the same weights.

    Raises:
        InvalidConfigError: a normalisation is of a kind of its own, which cannot be replaced.
    """
    for parent in list(network.modules()):
        for name, module in list(parent.named_children()):
            if not isinstance(module, nn.modules.batchnorm._BatchNorm):
                continue
            if type(module) is not nn.BatchNorm2d:
                raise InvalidConfigError(
                    f"model.norm is 'batch', but {type(module).__name__} of this backbone cannot be shared by "
                    "several processes; set model.norm = 'frozen', or train in one process"
                )
            synced = SyncedBatchNorm2d(module.num_features, module.eps, module.momentum)
            synced.to(module.weight.device).load_state_dict(module.state_dict())
            setattr(parent, name, synced)


def freeze_norms(network: nn.Module) -> None:
    """Let batch normalisation use the statistics that it has, and keep them; its weights still learn."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


class _Sum(torch.autograd.Function):
    """The sum over all processes; what comes back is the sum of what each says about it."""

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        total = values.detach().clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        distributed.all_reduce(total)
        return total


def _sum_over_all(values: Tensor) -> Tensor:
    return _Sum.apply(values)  # type: ignore[no-any-return]
