"""ResNet backbones, and the neck of up-sampling stages with deformable convolutions on top of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torchvision import models

from heatprop.networks.deformable import DeformableBlock
from heatprop.networks.weights import Pretrained, read_backbone

STAGE_WIDTHS = (256, 128, 64)


class ResNetBackbone(nn.Module):
    """A ResNet of torchvision without its classifier: stride 2 sits in the 3x3 convolution of a bottleneck.

    Args:
        name: ``"resnet18"``, ``"resnet34"``, ``"resnet50"`` or ``"resnet101"``.
        pretrained: True fetches torchvision's first ImageNet weights; a file holds a classifier's state dict by
            torchvision's names; False starts at random.

    Attributes:
        channels: channels of each map that `forward` returns.
        strides: pixels of the input for one cell of each map.

    Raises:
        OSError: the weights cannot be fetched.
        ModelError: the file is unreadable or another network's.
    """

    def __init__(self, name: str, pretrained: Pretrained = False) -> None:
        super().__init__()
        whole: models.ResNet = models.get_model(name, weights="IMAGENET1K_V1" if pretrained is True else None)
        if not isinstance(pretrained, bool):
            wanted = {key: tensor for key, tensor in whole.state_dict().items() if not key.startswith("fc.")}
            whole.load_state_dict(read_backbone(pretrained, name, wanted), strict=False)
        self.conv1, self.bn1, self.relu, self.maxpool = whole.conv1, whole.bn1, whole.relu, whole.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            whole.layer1,
            whole.layer2,
            whole.layer3,
            whole.layer4,
        )
        self.channels = (int(whole.fc.in_features),)
        self.strides = (32,)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Turn images ``(N, 3, H, W)`` into one map ``(N, channels[0], H/32, W/32)``."""
        stem = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        return [self.layer4(self.layer3(self.layer2(self.layer1(stem))))]


class UpsamplingStage(nn.Module):
    """A deformable block, then a 4x4 transposed convolution that doubles both sides, normalised and activated.

    Args:
        in_channels: channels of the input ``(N, in_channels, H, W)``.
        out_channels: channels of the output ``(N, out_channels, 2H, 2W)``.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.block = DeformableBlock(in_channels, out_channels)
        self.upsample = nn.ConvTranspose2d(out_channels, out_channels, 4, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """Return the map at twice the resolution."""
        return self.relu(self.norm(self.upsample(self.block(features))))  # type: ignore[no-any-return]


class UpsamplingNeck(nn.Module):
    """From the backbone's deepest map to the output grid of stride 4, doubling in each stage.

    Three stages of 256, 128 and 64 channels from stride 32, as published; the last two or one from 16 or 8.

    Args:
        channels: channels of the backbone's maps; the last is used.
        strides: strides of these maps; the last must be 8, 16 or 32.

    Attributes:
        out_channels: channels of what `forward` returns.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        stages = {8: 1, 16: 2, 32: 3}[strides[-1]]
        widths = (channels[-1], *STAGE_WIDTHS[-stages:])
        self.stages = nn.Sequential(*(UpsamplingStage(below, above) for below, above in pairwise(widths)))
        self.out_channels = widths[-1]

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Turn the backbone's maps into ``(N, out_channels, H/4, W/4)`` of the image's H and W."""
        return self.stages(features[-1])  # type: ignore[no-any-return]
