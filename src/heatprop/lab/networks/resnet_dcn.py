"""ResNet backbones, and the neck of up-sampling stages, deformable as published or plain, on top of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn
from torchvision import models

from heatprop.errors import InvalidConfigError
from heatprop.lab.networks.deformable import DeformableBlock
from heatprop.lab.networks.weights import Pretrained, read_backbone

STAGE_WIDTHS = (256, 128, 64)
_STEM_WIDTH = 64
_LAYER_WIDTHS = (64, 128, 256, 512)


class ResNetBackbone(nn.Module):
    """A ResNet of torchvision without its classifier: stride 2 sits in the 3x3 convolution of a bottleneck.

    Args:
        name: ``"resnet18"``, ``"resnet34"``, ``"resnet50"`` or ``"resnet101"``.
        pretrained: True fetches torchvision's first ImageNet weights; a file holds a classifier's state dict by
            torchvision's names; False starts at random.
        width: share of the published channels in every layer; there are no weights to fetch except for 1.

    Attributes:
        channels: channels of each map that `forward` returns.
        strides: pixels of the input for one cell of each map.

    Raises:
        OSError: the weights cannot be fetched.
        ModelError: the file is unreadable or another network's.
    """

    def __init__(self, name: str, pretrained: Pretrained = False, width: float = 1.0) -> None:
        super().__init__()
        whole: models.ResNet
        if width == 1:
            whole = models.get_model(name, weights="IMAGENET1K_V1" if pretrained is True else None)
        else:
            whole = _NarrowResNet(name, width)
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
        expansion = int(type(whole.layer1[0]).expansion)
        self.channels = tuple(scaled(planes, width) * expansion for planes in _LAYER_WIDTHS)
        self.strides = (4, 8, 16, 32)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Turn images ``(N, 3, H, W)`` into maps ``(N, channels[i], H/strides[i], W/strides[i])``."""
        stem = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        maps = [self.layer1(stem)]
        for layer in (self.layer2, self.layer3, self.layer4):
            maps.append(layer(maps[-1]))
        return maps


class _NarrowResNet(models.ResNet):  # type: ignore[misc]
    """A ResNet of torchvision with a share of the channels in every layer."""

    def __init__(self, name: str, width: float) -> None:
        self._width = width
        like: models.ResNet = models.get_model(name)
        layers = (like.layer1, like.layer2, like.layer3, like.layer4)
        super().__init__(type(like.layer1[0]), [len(layer) for layer in layers])
        stem = scaled(_STEM_WIDTH, width)
        self.conv1 = nn.Conv2d(3, stem, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.bn1 = nn.BatchNorm2d(stem)
        self.fc = nn.Linear(self.inplanes, 1)

    def _make_layer(self, block: Any, planes: int, *arguments: Any, **options: Any) -> nn.Sequential:
        if planes == _STEM_WIDTH:  # the first: it stands on the stem
            self.inplanes = scaled(_STEM_WIDTH, self._width)
        layer: nn.Sequential = super()._make_layer(block, scaled(planes, self._width), *arguments, **options)
        return layer


def scaled(channels: int, width: float) -> int:
    """Return a share of a number of channels, at least one.

    >>> scaled(64, 0.5)
    32
    """
    return max(1, round(channels * width))


class PlainBlock(nn.Module):
    """A 3x3 convolution, batch normalisation, ReLU: without what is slow to train on a processor."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Turn ``(N, in_channels, H, W)`` into the activated ``(N, out_channels, H, W)``."""
        return self.norm(self.convolution(features)).relu()  # type: ignore[no-any-return]


class UpsamplingStage(nn.Module):
    """A block, then a 4x4 transposed convolution that doubles both sides, normalised and activated.

    Args:
        in_channels: channels of the input ``(N, in_channels, H, W)``.
        out_channels: channels of the output ``(N, out_channels, 2H, 2W)``.
        deformable: whether the block's convolution is deformable.
    """

    def __init__(self, in_channels: int, out_channels: int, deformable: bool = True) -> None:
        super().__init__()
        self.block = (DeformableBlock if deformable else PlainBlock)(in_channels, out_channels)
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
        channels: channels of the backbone's maps; the last is used, with `lateral` all.
        strides: strides of these maps; the last must be 8, 16 or 32.
        width: share of the published channels of each stage.
        deformable: whether the stages begin with deformable convolutions, as published.
        lateral: whether each stage's output is joined by the backbone's map of the same stride, through a 1x1
            convolution; not published for ResNets, and like feature pyramids (Lin et al. 2017).

    Attributes:
        out_channels: channels of what `forward` returns.

    Raises:
        InvalidConfigError: `lateral` is asked for and a map is missing.
    """

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        width: float = 1.0,
        deformable: bool = True,
        lateral: bool = False,
    ) -> None:
        super().__init__()
        stages = {8: 1, 16: 2, 32: 3}[strides[-1]]
        widths = (channels[-1], *(scaled(published, width) for published in STAGE_WIDTHS[-stages:]))
        self.stages = nn.Sequential(
            *(UpsamplingStage(below, above, deformable) for below, above in pairwise(widths))
        )
        self.out_channels = widths[-1]
        self.lateral: nn.ModuleList | None = None
        if lateral:
            wanted = [strides[-1] >> stage for stage in range(1, stages + 1)]
            missing = [stride for stride in wanted if stride not in strides]
            if missing:
                raise InvalidConfigError(f"lateral needs maps of stride {missing[0]}, which the backbone has not")
            self._sources = [list(strides).index(stride) for stride in wanted]
            self.lateral = nn.ModuleList(
                nn.Conv2d(channels[source], above, 1)
                for source, above in zip(self._sources, widths[1:], strict=True)
            )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Turn the backbone's maps into ``(N, out_channels, H/4, W/4)`` of the image's H and W."""
        if self.lateral is None:
            return self.stages(features[-1])  # type: ignore[no-any-return]
        output = features[-1]
        for stage, source, joint in zip(self.stages, self._sources, self.lateral, strict=True):
            output = stage(output) + joint(features[source])
        return output
