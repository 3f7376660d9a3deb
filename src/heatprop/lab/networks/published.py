"""Checkpoints in the layout of CenterNet's authors: which network they are, and what their tensors are called.

Layout: https://github.com/xingyizhou/CenterNet, files ``ctdet_coco_*`` and ``ctdet_pascal_*``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from torch import Tensor

from heatprop.errors import InvalidConfigError, ModelError
from heatprop.lab.networks.centernet import CenterNetConfig
from heatprop.lab.networks.weights import some
from heatprop.layouts.class_names import COCO_80
from heatprop.letterbox import IMAGENET_MEAN, IMAGENET_STD, InputFormat

_BLOCKS: dict[tuple[bool, tuple[int, ...]], str] = {
    # basic or bottleneck, residual blocks in each of the four layers
    (False, (2, 2, 2, 2)): "resnet18",
    (False, (3, 4, 6, 3)): "resnet34",
    (True, (3, 4, 6, 3)): "resnet50",
    (True, (3, 4, 23, 3)): "resnet101",
}

_HEAD = {"heatmap": "hm", "size": "wh", "offset": "reg"}

_HEADS = {
    f"{ours}.{part}.": f"{theirs}.{number}."
    for ours, theirs in _HEAD.items()
    for part, number in (("hidden", 0), ("output", 2))
}

# The authors' option ``head_conv 0``: a head is one 1x1 convolution.
_BARE_HEADS = {f"{ours}.output.": f"{theirs}." for ours, theirs in _HEAD.items()}

_STAGE = {
    "block.deformable.offset_mask": "{0}.conv_offset_mask",
    "block.deformable": "{0}",
    "block.norm": "{1}",
    "upsample": "{3}",
    "norm": "{4}",
}

_RESNET = {
    f"neck.stages.{stage}.{ours}.": f"deconv_layers.{theirs.format(*range(6 * stage, 6 * stage + 6))}."
    for stage in range(3)
    for ours, theirs in _STAGE.items()
}

_AGGREGATIONS = {
    # ours: theirs, steps
    "neck.pyramid.0": ("dla_up.ida_0", 1),
    "neck.pyramid.1": ("dla_up.ida_1", 2),
    "neck.pyramid.2": ("dla_up.ida_2", 3),
    "neck.final": ("ida_up", 2),
}

_STEP = {
    "project.deformable.offset_mask": "proj_{0}.conv.conv_offset_mask",
    "project.deformable": "proj_{0}.conv",
    "project.norm": "proj_{0}.actf.0",
    "upsample": "up_{0}",
    "merge.deformable.offset_mask": "node_{0}.conv.conv_offset_mask",
    "merge.deformable": "node_{0}.conv",
    "merge.norm": "node_{0}.actf.0",
}

_DLA = {
    f"{ours_prefix}.steps.{step}.{ours}.": f"{theirs_prefix}.{theirs.format(step + 1)}."
    for ours_prefix, (theirs_prefix, steps) in _AGGREGATIONS.items()
    for step in range(steps)
    for ours, theirs in _STEP.items()
}

# Our prefixes and theirs of what is below the heads; the first that fits counts.
_TRUNKS = {"resnet": _RESNET | {"backbone.": ""}, "dla34": _DLA | {"backbone.features.": "base."}}

# The classifier of the pretrained file, and projections that the forward pass computes but never uses.
_IGNORED = {"resnet": re.compile(r"fc\."), "dla34": re.compile(r"base\.(fc|level[34]\.project)\.")}

# fmt: off
PASCAL_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)
# fmt: on


def published_name(ours: str, config: CenterNetConfig) -> str:
    """Return what the authors call the tensor `ours` of a ResNet or DLA-34 that is built as `config` says."""
    heads = _HEADS if config.head_width else _BARE_HEADS
    for prefix, theirs in (heads | _TRUNKS[_family(config.backbone)]).items():
        if ours.startswith(prefix):
            return theirs + ours.removeprefix(prefix)
    raise KeyError(ours)


@dataclass(frozen=True)
class PublishedLayout:
    """A state dict of the authors, recognised.

    Attributes:
        config: our network that it fits.
        ignored: keys that have no effect on the output and are skipped on purpose.
    """

    config: CenterNetConfig
    ignored: tuple[str, ...]


def recognise(path: object, state: Mapping[str, Tensor]) -> PublishedLayout:
    """Tell by keys and shapes alone which published network a state dict belongs to.

    Raises:
        ModelError: it belongs to none.
    """
    if "base.base_layer.0.weight" in state and any(key.startswith("ida_up.") for key in state):
        backbone = "dla34"
    elif any(key.startswith("deconv_layers.") for key in state):
        backbone = _resnet_by_blocks(state)
        if backbone and not any(".conv_offset_mask." in key for key in state):
            raise ModelError(
                f"checkpoint {path} is a plain {backbone}: its deconv_layers have no conv_offset_mask; "
                "take one with deformable convolutions (resdcn)"
            )
    else:
        backbone = ""
    if not backbone:
        raise ModelError(
            f"checkpoint {path} is of another architecture: {len(state)} tensors ({some(state)}); "
            "known are CenterNet's resdcn_18, _34, _50, _101 and dla_34, and heatprop's own"
        )
    bare = "hm.weight" in state
    heatmap = ("hm.weight", "hm.bias") if bare else ("hm.2.weight", "hm.2.bias")
    try:
        config = CenterNetConfig(
            backbone=backbone,
            classes=_channels(state, heatmap, default=80),
            head_width=0 if bare else _channels(state, ("hm.0.weight", "hm.0.bias"), default=64),
            offset=any(key.startswith("reg.") for key in state),
        )
    except InvalidConfigError as error:
        raise ModelError(f"checkpoint {path} is of no network: by its heads, {error}") from None
    ignored = _IGNORED[_family(backbone)]
    return PublishedLayout(config, tuple(key for key in state if ignored.match(key)))


def _family(backbone: str) -> str:
    return "dla34" if backbone == "dla34" else "resnet"


def _resnet_by_blocks(state: Collection[str]) -> str:
    blocks = tuple(
        len({key.split(".")[1] for key in state if key.startswith(f"layer{layer}.")}) for layer in range(1, 5)
    )
    return _BLOCKS.get(("layer1.0.conv3.weight" in state, blocks), "")


def _channels(state: Mapping[str, Tensor], keys: tuple[str, ...], default: int) -> int:
    shapes = (state[key].shape for key in keys if key in state)
    return next((int(shape[0]) for shape in shapes if len(shape) and shape[0]), default)


def default_class_names(count: int) -> tuple[str, ...]:
    """Name classes by their number: 80 are COCO's, 20 Pascal VOC's, others "class 0" and so on."""
    if count == 80:
        return COCO_80
    return PASCAL_CLASSES if count == 20 else tuple(f"class {number}" for number in range(count))


def published_input(class_count: int) -> InputFormat:
    """Return the published input: 512 x 512, BGR, 0..1, normalised with the mean and spread of the data set.

    For Pascal's 20 classes the authors gave BGR images the usual mean and spread of RGB; so it is here.
    """
    if class_count == 20:
        mean, std = IMAGENET_MEAN, IMAGENET_STD
    else:
        mean, std = (0.40789654, 0.44719302, 0.47026115), (0.28863828, 0.27408164, 0.27809835)
    return InputFormat(512, 512, "BGR", 1 / 255, mean, std)
