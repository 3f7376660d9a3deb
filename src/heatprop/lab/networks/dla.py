"""DLA-34 and its neck: iterative deep aggregation with deformable convolutions.

The backbone is timm's; its maps of stride 4 to 32 have 64, 128, 256 and 512 channels.
Source: Yu et al., Deep Layer Aggregation (2018); CenterNet puts deformable convolutions into the aggregation.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from heatprop.lab.networks.deformable import DeformableBlock


def bilinear_upsampling(channels: int, factor: int) -> nn.ConvTranspose2d:
    """Return a transposed convolution that scales each channel by itself, at first bilinearly."""
    layer = nn.ConvTranspose2d(
        channels, channels, 2 * factor, stride=factor, padding=factor // 2, groups=channels, bias=False
    )
    distance = (torch.arange(2 * factor) + 0.5 - factor).abs() / factor
    with torch.no_grad():
        layer.weight.copy_(torch.outer(1 - distance, 1 - distance))
    return layer


class AggregationStep(nn.Module):
    """Project the coarse map to the fine one's channels, enlarge it, add the fine map, and mix.

    Args:
        coarse_channels: channels of the coarse map.
        fine_channels: channels of the fine map and of the output.
        factor: how many times larger the fine map is on each side.
    """

    def __init__(self, coarse_channels: int, fine_channels: int, factor: int) -> None:
        super().__init__()
        self.project = DeformableBlock(coarse_channels, fine_channels)
        self.upsample = bilinear_upsampling(fine_channels, factor)
        self.merge = DeformableBlock(fine_channels, fine_channels)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Return ``(N, fine_channels, H, W)``, on the grid of `fine`."""
        return self.merge(self.upsample(self.project(coarse)) + fine)  # type: ignore[no-any-return]


class IterativeAggregation(nn.Module):
    """Fold coarser maps into a fine one, one after the other; each result joins the next step.

    Args:
        channels: channels of the maps, finest first; the first is the width of every result.
        strides: their strides.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(
            AggregationStep(count, channels[0], stride // strides[0])
            for count, stride in zip(channels[1:], strides[1:], strict=True)
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return the result of each step; all have the grid and the channels of the first map."""
        results: list[Tensor] = []
        fine = maps[0]
        for step, coarse in zip(self.steps, maps[1:], strict=True):
            fine = step(fine, coarse)
            results.append(fine)
        return results


class DeepAggregationNeck(nn.Module):
    """Aggregate from the deepest map upwards, then once more over the result of every level.

    With maps of stride 4, 8, 16 and 32, the first aggregation folds 32 into 16; the second folds 16 and that
    result into 8; the third folds 8 and the second's results into 4. The final one folds the last results of
    the second and of the first into the third's.

    Args:
        channels: channels of the backbone's maps, finest first.
        strides: their strides; each twice the one before.

    Attributes:
        out_channels: channels of what `forward` returns.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        levels = len(channels)
        self.pyramid = nn.ModuleList(
            # What was folded so far has the channels and the grid of the level just below.
            IterativeAggregation(
                [channels[level], *[channels[level + 1]] * (levels - level - 1)],
                [strides[level], *[strides[level + 1]] * (levels - level - 1)],
            )
            for level in range(levels - 2, -1, -1)
        )
        self.final = IterativeAggregation(channels[:-1], strides[:-1])
        self.out_channels = channels[0]

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Turn maps of falling resolution into ``(N, out_channels, H, W)`` on the grid of the first."""
        maps = [features[-1]]
        results: list[Tensor] = []
        for fine, aggregation in zip(reversed(features[:-1]), self.pyramid, strict=True):
            maps = [fine, *aggregation([fine, *maps])]
            results.insert(0, maps[-1])
        return self.final(results)[-1]  # type: ignore[no-any-return]
