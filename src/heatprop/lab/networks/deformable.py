"""Modulated deformable convolution (Deformable ConvNets v2) on torchvision's operator: nothing to compile."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.jit import is_tracing  # type: ignore[attr-defined]
from torchvision.ops import deform_conv2d

KERNEL = 3
TAPS = KERNEL * KERNEL


class DeformableConv2d(nn.Module):
    """A 3x3 convolution that says for each cell where to sample and how much each sample counts.

    An ordinary 3x3 convolution of the same input gives 27 channels. The first 18 are offsets in cells, (dy, dx)
    for each of the 9 taps in row-major order; the last 9, through a sigmoid, are the taps' weights (the mask).
    Samples between cells are bilinear; outside the map they are 0. It starts with offsets of 0 and a mask of 0.5.

    The operator has no half-precision kernel on the CPU, so it works in float32 at least, also under autocast,
    and gives back the element type of its input.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.

    Source: Zhu et al., Deformable ConvNets v2 (2019), equation 1.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, KERNEL, KERNEL))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.offset_mask = nn.Conv2d(in_channels, 3 * TAPS, KERNEL, padding=1)
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        nn.init.zeros_(self.offset_mask.weight)
        nn.init.zeros_(_bias(self.offset_mask))

    def forward(self, features: Tensor) -> Tensor:
        """Convolve ``(N, in_channels, H, W)`` to ``(N, out_channels, H, W)``."""
        device = features.device.type
        if torch.is_autocast_enabled(device):
            with torch.autocast(device, enabled=False):
                return self._convolve(features)
        return self._convolve(features)

    def _convolve(self, features: Tensor) -> Tensor:
        exact = torch.promote_types(features.dtype, torch.float32)
        offset_mask = self.offset_mask(features.to(self.offset_mask.weight.dtype)).to(exact)
        offset, mask = offset_mask[:, : 2 * TAPS], offset_mask[:, 2 * TAPS :].sigmoid()
        if not torch.compiler.is_compiling() and not is_tracing():  # type: ignore[no-untyped-call]
            offset, mask = _without_nan(offset, mask)
        convolved = deform_conv2d(
            features.to(exact), offset, self.weight.to(exact), self.bias.to(exact), padding=1, mask=mask
        )
        return convolved.to(features.dtype)  # type: ignore[no-any-return]


class DeformableBlock(nn.Module):
    """Deformable convolution, batch normalisation, ReLU; ``(N, in, H, W)`` to ``(N, out, H, W)``."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.deformable = DeformableConv2d(in_channels, out_channels)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Return the activated map."""
        return torch.relu(self.norm(self.deformable(features)))


def _without_nan(offset: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Move what is not a number from offsets to the mask, where it makes the output NaN as in any other layer.

    torchvision's operator would read memory at random there and end the process (torchvision 0.29).
    """
    broken = offset.isnan()
    if not broken.any():
        return offset, mask
    lost = broken[:, 0::2] | broken[:, 1::2]
    return offset.masked_fill(broken, 0.0), mask.masked_fill(lost, float("nan"))


def _bias(convolution: nn.Conv2d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias
