"""Any backbone of timm that gives feature maps, chosen by name."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from torch import Tensor, nn

from heatprop.errors import InvalidConfigError
from heatprop.lab.networks.weights import Pretrained, first_line, read_backbone

STRIDES = (8, 16, 32)
LATERAL_LEVELS = (-4, -3, -2, -1)
"""The four deepest maps, of strides 4 to 32 in most networks."""


class TimmBackbone(nn.Module):
    """Feature maps of a timm network.

    Args:
        name: a name as ``timm.list_models()`` gives it, with or without a tag of pretrained weights.
        pretrained: True fetches timm's weights for the name; a file holds a classifier's state dict by timm's
            names; False starts at random.
        levels: which maps to return, by timm's numbers; default: the deepest alone.

    Attributes:
        channels: channels of each map that `forward` returns.
        strides: pixels of the input for one cell of each map.

    Raises:
        InvalidConfigError: timm does not know the name, has no weights for it, or the network's maps do not suit.
        OSError: the weights cannot be fetched.
        ModelError: the file is unreadable or another network's.
    """

    def __init__(self, name: str, pretrained: Pretrained = False, levels: Sequence[int] = (-1,)) -> None:
        super().__init__()
        self.features = _create(name, pretrained, levels)
        self.channels = tuple(int(count) for count in self.features.feature_info.channels())
        self.strides = tuple(int(stride) for stride in self.features.feature_info.reduction())
        if self.strides[-1] not in STRIDES:
            raise InvalidConfigError(
                f"backbone timm:{name} ends at stride {self.strides[-1]}; choose one that ends at 8, 16 or 32"
            )
        layout = str(getattr(getattr(self.features, "output_fmt", None), "value", "NCHW"))
        self._channels_last = layout == "NHWC"

    def forward(self, images: Tensor) -> list[Tensor]:
        """Turn images ``(N, 3, H, W)`` into maps ``(N, channels[i], H/strides[i], W/strides[i])``."""
        maps: list[Tensor] = self.features(images)
        return [level.permute(0, 3, 1, 2).contiguous() for level in maps] if self._channels_last else maps


def _create(name: str, pretrained: Pretrained, levels: Sequence[int]) -> Any:
    try:
        import timm  # noqa: PLC0415 - a second that only such backbones need
    except ImportError:
        raise InvalidConfigError(
            f"backbone {name!r} needs timm, which is not installed; run pip install 'heatprop[export]'"
        ) from None
    if not timm.is_model(name.partition(".")[0]):
        raise InvalidConfigError(
            f"backbone 'timm:{name}' is unknown to timm {timm.__version__}; see timm.list_models()"
        )
    options: dict[str, Any] = {"features_only": True, "out_indices": tuple(levels), "pretrained": bool(pretrained)}
    if not isinstance(pretrained, bool):
        # Checked here, as timm takes what fits and leaves the rest at random.
        wanted = timm.create_model(name, num_classes=0).state_dict()
        options["pretrained_cfg_overlay"] = {"state_dict": read_backbone(pretrained, f"timm:{name}", wanted)}
    try:
        # Transformers are built for one input size unless told otherwise; other networks refuse these words.
        for any_size in ({"dynamic_img_size": True}, {"strict_img_size": False}):
            with suppress(TypeError):
                return timm.create_model(name, **(options | any_size))
        return timm.create_model(name, **options)
    except (RuntimeError, AttributeError, AssertionError) as error:
        raise InvalidConfigError(f"backbone 'timm:{name}' cannot be made ({first_line(error)})") from None
