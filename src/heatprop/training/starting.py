"""What a network starts from: nothing, a backbone, or a CenterNet whose classes may be others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import torch
from torch import Tensor

from heatprop.errors import ModelError
from heatprop.letterbox import InputFormat
from heatprop.networks import CenterNet, CenterNetConfig, Checkpoint, build_network, load_checkpoint
from heatprop.networks.checkpoints import FORMAT
from heatprop.networks.weights import read_pickle, some, state_dict_in
from heatprop.training.config import ModelConfig
from heatprop.zoo import ModelCard

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_HEAD = "heatmap."


def start_network(config: ModelConfig, classes: tuple[str, ...], seed: int) -> tuple[CenterNet, ModelCard, str]:
    """Build the network that training starts with.

    Args:
        config: which, and from what.
        classes: of the dataset.
        seed: of weights that start at random.

    Returns:
        The network, the card of what will come of it, and a line that says what it starts from.

    Raises:
        ModelError: a file is unreadable, or another network's.
        InvalidConfigError: the backbone is unknown.
    """
    wanted = config.network(classes)
    torch.manual_seed(seed)
    if config.start in ("scratch", "imagenet"):
        fetched = config.start == "imagenet"
        network = build_network(wanted, pretrained=fetched)
        return network, _card(config, classes, None), f"{config.backbone} from {config.start}"
    content = read_pickle(config.start)
    if not _is_centernet(content, config.start):
        network = build_network(wanted, pretrained=config.start)
        return network, _card(config, classes, None), f"{config.backbone}, backbone from {config.start}"
    checkpoint = load_checkpoint(config.start)
    network = CenterNet(wanted)
    said = _take_over(network, checkpoint, wanted, config.start)
    return network, _card(config, classes, checkpoint.card.input), said


def _is_centernet(content: object, path: str) -> bool:
    if isinstance(content, Mapping) and content.get("format") == FORMAT:
        return True
    return any(key.startswith(("hm.", "wh.")) for key in state_dict_in(content, path))


def _take_over(network: CenterNet, checkpoint: Checkpoint, wanted: CenterNetConfig, path: str) -> str:
    """Fill a network with a checkpoint's tensors, but for the heatmap's when the classes are others."""
    theirs = checkpoint.network.config
    for each in fields(CenterNetConfig):
        if each.name != "classes" and getattr(theirs, each.name) != getattr(wanted, each.name):
            raise ModelError(
                f"model.start {path} has {each.name} {getattr(theirs, each.name)!r}, "
                f"not {getattr(wanted, each.name)!r}; set model.{each.name} to that, or start from another file"
            )
    same = theirs.class_count == wanted.class_count
    state: dict[str, Tensor] = network.state_dict()
    state |= {
        key: tensor for key, tensor in checkpoint.network.state_dict().items() if same or not key.startswith(_HEAD)
    }
    network.load_state_dict(state)
    if checkpoint.card.classes == wanted.classes:
        return f"everything from {path}"
    names = f"{some(checkpoint.card.classes)} there, {some(network_classes(wanted))} here"
    if same:
        return f"everything from {path}; its {theirs.class_count} classes have other names ({names})"
    return (
        f"all but the heatmap's head from {path}: {theirs.class_count} classes there, "
        f"{wanted.class_count} here ({names})"
    )


def network_classes(config: CenterNetConfig) -> tuple[str, ...]:
    """Return the names of a configuration's classes."""
    assert isinstance(config.classes, tuple)
    return config.classes


def _card(config: ModelConfig, classes: tuple[str, ...], like: InputFormat | None) -> ModelCard:
    side = config.input_side
    usual = InputFormat(side, side, "RGB", 1 / 255, IMAGENET_MEAN, IMAGENET_STD)
    return ModelCard(
        name=f"centernet-{Path(config.backbone.replace(':', '-')).name}",
        title=f"CenterNet, {config.backbone}, {len(classes)} classes",
        classes=classes,
        stride=4,
        box_form="size",
        has_offset=config.offset,
        input=replace(like or usual, longest_side=side, multiple=config.input_multiple or side),
        licence="NOASSERTION",
        origin="trained with heatprop",
        sha256={},
    )
