"""CenterNet: a backbone, a neck that brings its maps to stride 4, and a head for each output."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.jit import is_tracing  # type: ignore[attr-defined]

from heatprop.errors import InvalidArrayError, InvalidConfigError, check_count, check_range
from heatprop.lab.networks.dla import DeepAggregationNeck
from heatprop.lab.networks.resnet_dcn import ResNetBackbone, UpsamplingNeck
from heatprop.lab.networks.timm_backbone import LATERAL_LEVELS, TimmBackbone
from heatprop.lab.networks.weights import Pretrained, first_line

STRIDE = 4
RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101")
HEATMAP_BIAS = -2.19

LARGEST_WIDTH = 65_536
"""Channels of a head; more than any machine holds."""
_log = logging.getLogger(__name__)


class NetworkOutput(NamedTuple):
    """What the network gives for images ``(N, 3, H, W)``, on the grid of ``H/4 x W/4`` cells.

    Attributes:
        heatmap_logits: ``(N, classes, H/4, W/4)``, before the sigmoid.
        size: ``(N, 2, H/4, W/4)``, width and height in cells.
        offset: ``(N, 2, H/4, W/4)``, (dx, dy) from the cell to the centre, in cells; None without such a head.
    """

    heatmap_logits: Tensor
    size: Tensor
    offset: Tensor | None


@dataclass(frozen=True, kw_only=True)
class CenterNetConfig:
    """Which network to build.

    Attributes:
        backbone: ``"resnet18"``, ``"resnet34"``, ``"resnet50"``, ``"resnet101"``, ``"dla34"``, or
            ``"timm:NAME"`` for any network of timm that gives feature maps.
        classes: names of the classes in the order of the heatmap's channels, or how many there are.
        head_width: channels between the two convolutions of each head; published: 64, and 256 for DLA-34. With 0
            a head is the second alone.
        offset: whether there is a head for the offset.
        width: share of the published channels in every layer of a ResNet, and of the neck on it or on a timm
            backbone; heads have `head_width`. DLA-34 is as published.
        deformable: whether the neck has deformable convolutions, as published; plain ones train faster on a
            processor. DLA-34 has no plain form.
        lateral: whether the neck also takes the backbone's shallower maps. Not published for ResNets; a small
            network that starts from nothing learns much faster so. DLA-34 has its own way of it.

    Raises:
        InvalidConfigError: a value is unknown or lies outside its range.

    Example:
        >>> CenterNetConfig(backbone="resnet18", classes=("cat", "dog")).class_count
        2
    """

    backbone: str = "resnet101"
    classes: int | tuple[str, ...] = 80
    head_width: int = 64
    offset: bool = True
    width: float = 1.0
    deformable: bool = True
    lateral: bool = False

    def __post_init__(self) -> None:
        known = (*RESNETS, "dla34")
        if self.backbone not in known and not self.backbone.startswith("timm:"):
            raise InvalidConfigError(f"backbone is {self.backbone!r}; it must be {', '.join(known)} or timm:NAME")
        check_count("classes", self.class_count, 1)
        check_count("head_width", self.head_width, 0)
        check_range("head_width", self.head_width, 0, LARGEST_WIDTH)
        check_range("width", self.width, 1 / 64, 4)
        if self.backbone == "dla34" and (self.width != 1 or not self.deformable or self.lateral):
            raise InvalidConfigError("backbone dla34 has no width, deformable or lateral; leave them out")

    @property
    def class_count(self) -> int:
        """How many classes the heatmap has."""
        return len(self.classes) if isinstance(self.classes, tuple) else self.classes


class Head(nn.Module):
    """A 3x3 convolution, ReLU and a 1x1 convolution; ``(N, in, H, W)`` to ``(N, out, H, W)``.

    With a width of 0 there is the 1x1 convolution alone.
    """

    def __init__(self, in_channels: int, width: int, out_channels: int, bias: float = 0.0) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(in_channels, width, 3, padding=1) if width else None
        self.output = nn.Conv2d(width or in_channels, out_channels, 1)
        nn.init.normal_(self.output.weight, std=0.001)
        nn.init.constant_(self.output.bias, bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """Return the head's values, not activated."""
        if self.hidden is not None:
            features = torch.relu(self.hidden(features))
        return self.output(features)  # type: ignore[no-any-return]


class CenterNet(nn.Module):
    """Objects as points: a heatmap of centres, and at each the size and the sub-cell offset.

    Args:
        config: which network.
        pretrained: see `build_network`.

    Attributes:
        config: as given.
        multiple: both sides of an image must be multiples of this.

    Source: Zhou et al., Objects as Points (2019). The heatmap starts at sigmoid(-2.19), about 0.1, everywhere.
    """

    def __init__(self, config: CenterNetConfig, pretrained: Pretrained = False) -> None:
        super().__init__()
        self.config = config
        backbone: ResNetBackbone | TimmBackbone
        neck: UpsamplingNeck | DeepAggregationNeck
        if config.backbone == "dla34":
            backbone = TimmBackbone("dla34", pretrained, levels=(2, 3, 4, 5))
            neck = DeepAggregationNeck(backbone.channels, backbone.strides)
        else:
            if config.backbone in RESNETS:
                backbone = ResNetBackbone(config.backbone, pretrained, config.width)
            else:
                backbone = TimmBackbone(
                    config.backbone.removeprefix("timm:"), pretrained, LATERAL_LEVELS if config.lateral else (-1,)
                )
            neck = UpsamplingNeck(
                backbone.channels, backbone.strides, config.width, config.deformable, config.lateral
            )
        self.multiple = backbone.strides[-1]
        self.backbone = backbone
        self.neck = neck
        self.heatmap = Head(neck.out_channels, config.head_width, config.class_count, HEATMAP_BIAS)
        self.size = Head(neck.out_channels, config.head_width, 2)
        self.offset = Head(neck.out_channels, config.head_width, 2) if config.offset else None

    def forward(self, images: Tensor) -> NetworkOutput:
        """Run the network.

        Args:
            images: float ``(N, 3, H, W)``, normalised as the card says; H and W multiples of `multiple`.

        Raises:
            InvalidArrayError: `images` has another shape.
        """
        if not torch.compiler.is_compiling() and not is_tracing():  # type: ignore[no-untyped-call]
            self._check_images(images)
        features = self.neck(self.backbone(images))
        offset = None if self.offset is None else self.offset(features)
        return NetworkOutput(self.heatmap(features), self.size(features), offset)

    def _check_images(self, images: Tensor) -> None:
        shape, multiple = tuple(images.shape), self.multiple
        if len(shape) != 4 or shape[1] != 3 or 0 in shape or shape[2] % multiple or shape[3] % multiple:
            raise InvalidArrayError(
                f"images have shape {shape}; it must be (N, 3, H, W) with H and W multiples of {multiple}"
            )


def build_network(config: CenterNetConfig, *, pretrained: Pretrained = False) -> CenterNet:
    """Build a network to train.

    Args:
        config: which network.
        pretrained: True fetches ImageNet weights for the backbone; a path reads them from a file (a classifier's
            state dict by the names of torchvision for ResNets, of timm for all others). With False, when the
            weights cannot be fetched, or for a ResNet of another width than published, the backbone starts at
            random and a line of the log says so.

    Raises:
        InvalidConfigError: the backbone is unknown or does not suit.
        ModelError: the file is unreadable or holds another network.

    Example:
        >>> network = build_network(CenterNetConfig(backbone="resnet18", classes=2)).eval()
        >>> output = network(torch.zeros(1, 3, 64, 96))
        >>> tuple(output.heatmap_logits.shape), tuple(output.size.shape)
        ((1, 2, 16, 24), (1, 2, 16, 24))
    """
    if pretrained is False:
        reason = "no pretrained weights were asked for"
    elif pretrained is True and config.backbone in RESNETS and config.width != 1:
        reason = f"there are no pretrained weights of width {config.width:g}"
    else:
        try:
            return CenterNet(config, pretrained)
        except OSError as error:
            reason = f"pretrained weights cannot be fetched: {first_line(error)}"
    _log.warning("backbone %s starts from scratch (%s)", config.backbone, reason)
    return CenterNet(config)
