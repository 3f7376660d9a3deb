"""Any backbone of timm that gives feature maps, chosen by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from torch import Tensor, nn

from heatprop.errors import InvalidConfigError
from heatprop.networks.weights import NO_WEIGHTS, first_line

STRIDES = (8, 16, 32)


class TimmBackbone(nn.Module):
    """Feature maps of a timm network.

    Args:
        name: a name as ``timm.list_models()`` gives it, with or without a tag of pretrained weights.
        pretrained: True fetches timm's weights for the name; a state dict of the whole classifier, by timm's
            names, is loaded as it is; False starts at random.
        levels: which maps to return, by timm's numbers; the deepest alone when left out.

    Attributes:
        channels: channels of each map that `forward` returns.
        strides: pixels of the input for one cell of each map.

    Raises:
        InvalidConfigError: timm does not know the name, has no weights for it, or the network's maps do not suit.
        OSError: the weights cannot be fetched.
        RuntimeError: the state dict is another network's.
    """

    def __init__(
        self, name: str, pretrained: bool | Mapping[str, Tensor] = False, levels: Sequence[int] = (-1,)
    ) -> None:
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


def _create(name: str, pretrained: bool | Mapping[str, Tensor], levels: Sequence[int]) -> Any:
    try:
        import timm  # noqa: PLC0415 - a second that only such backbones need
    except ImportError:
        raise InvalidConfigError(
            f"backbone {name!r} needs timm, which is not installed; run pip install 'heatprop[train]'"
        ) from None
    if not timm.is_model(name.partition(".")[0]):
        raise InvalidConfigError(
            f"backbone 'timm:{name}' is unknown to timm {timm.__version__}; see timm.list_models()"
        )
    options: dict[str, Any] = {"features_only": True, "out_indices": tuple(levels), "pretrained": bool(pretrained)}
    if not isinstance(pretrained, bool):
        _check_keys(timm.create_model(name, num_classes=0), pretrained)
        options["pretrained_cfg_overlay"] = {"state_dict": dict(pretrained)}
    try:
        # Transformers are built for one input size unless told otherwise; other networks refuse these words.
        for any_size in ({"dynamic_img_size": True}, {"strict_img_size": False}):
            with suppress(TypeError):
                return timm.create_model(name, **(options | any_size))
        return timm.create_model(name, **options)
    except (RuntimeError, AttributeError, AssertionError) as error:
        if not isinstance(pretrained, bool):
            raise
        raise InvalidConfigError(f"backbone 'timm:{name}' cannot be made ({first_line(error)})") from None


def _check_keys(whole: nn.Module, given: Mapping[str, Tensor]) -> None:
    """Refuse weights of another network: timm itself takes what fits and leaves the rest at random."""
    missing = [key for key in whole.state_dict() if key not in given and not key.endswith(NO_WEIGHTS)]
    if missing:
        raise RuntimeError(f"{len(missing)} tensors are missing, the first {missing[0]}")
