"""What a network starts from: nothing, a backbone, or a CenterNet whose classes may be others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import torch

from heatprop.errors import ModelError
from heatprop.lab.networks import CenterNet, CenterNetConfig, Checkpoint, load_checkpoint
from heatprop.lab.networks.centernet import RESNETS, STRIDE
from heatprop.lab.networks.checkpoints import FORMAT, UNKNOWN_LICENCE
from heatprop.lab.networks.weights import first_line, read_pickle, some, state_dict_in
from heatprop.lab.training.config import ModelConfig
from heatprop.letterbox import IMAGENET_MEAN, IMAGENET_STD, InputFormat
from heatprop.zoo import ModelCard

_PUBLISHED_HEADS = ("hm.", "wh.")


@dataclass(frozen=True, slots=True)
class Start:
    """What training starts with.

    Attributes:
        network: built, and filled as far as there is something to fill it with.
        card: of what will come of it.
        said: what it starts from, in a few words.
    """

    network: CenterNet
    card: ModelCard
    said: str


def start_network(config: ModelConfig, classes: tuple[str, ...], seed: int) -> Start:
    """Build the network that training starts with.

    Of a CenterNet everything is taken over; classes are known by their names, so those that it does not have
    begin anew. Its order of channels and its normalisation of the input stay.

    Args:
        config: which, and from what.
        classes: of the dataset.
        seed: of weights that start at random.

    Raises:
        ModelError: weights cannot be fetched, or a file is unreadable or another network's.
        InvalidConfigError: the backbone is unknown.
    """
    wanted = config.network(classes)
    torch.manual_seed(seed)
    if config.start == "scratch":
        return Start(CenterNet(wanted), _card(config, classes), f"{config.backbone} at random")
    if config.start == "imagenet":
        return Start(_fetched(wanted), _card(config, classes), f"{config.backbone} with weights of ImageNet")
    if not _is_centernet(read_pickle(config.start), config.start):
        network = CenterNet(wanted, config.start)
        return Start(network, _card(config, classes), f"{config.backbone} with weights of {config.start}")
    checkpoint = load_checkpoint(config.start)
    network = CenterNet(wanted)
    said = take_over(network, checkpoint, config.start)
    return Start(network, _card(config, classes, checkpoint.card.input), said)


def take_over(network: CenterNet, checkpoint: Checkpoint, path: str) -> str:
    """Fill a network with a checkpoint's tensors; channels of the heatmap by the names of their classes.

    Returns:
        What was taken, in a few words.

    Raises:
        ModelError: it is another network.
    """
    wanted, theirs = network.config, checkpoint.network.config
    for each in fields(CenterNetConfig):
        ours, given = getattr(wanted, each.name), getattr(theirs, each.name)
        if each.name != "classes" and ours != given:
            raise ModelError(
                f"model.start {path} has {each.name} {given!r}, not {ours!r}; "
                f"set model.{each.name} to that, or start from another file"
            )
    known = checkpoint.card.classes
    row_of = {name: row for row, name in enumerate(known)}
    names = class_names(wanted)
    state, given_state = network.state_dict(), checkpoint.network.state_dict()
    shared = [(row, row_of[name]) for row, name in enumerate(names) if name in row_of]
    for key, tensor in given_state.items():
        if key.startswith("heatmap.output."):
            for row, theirs_row in shared:
                state[key][row] = tensor[theirs_row]
        else:
            state[key].copy_(tensor)
    network.load_state_dict(state)
    if known == names:
        return path
    new = [name for name in names if name not in known]
    lost = [name for name in known if name not in names]
    anew = f"; {len(new)} of {len(names)} classes begin anew ({some(new)})" if new else ""
    left = f"; {len(lost)} of its {len(known)} classes are skipped ({some(lost)})" if lost else ""
    return f"{path}{anew}{left}"


def class_names(config: CenterNetConfig) -> tuple[str, ...]:
    """Return the names of a configuration's classes, which has names."""
    assert isinstance(config.classes, tuple)
    return config.classes


def _fetched(config: CenterNetConfig) -> CenterNet:
    remedy = "set model.start to a file of its weights, or to 'scratch'"
    if config.backbone in RESNETS and config.width != 1:
        raise ModelError(f"there are no weights of ImageNet for width {config.width:g}; {remedy}")
    try:
        return CenterNet(config, pretrained=True)
    except OSError as error:
        raise ModelError(
            f"weights of {config.backbone} cannot be fetched ({first_line(error)}); {remedy}"
        ) from None


def _is_centernet(content: object, path: str) -> bool:
    if isinstance(content, Mapping) and content.get("format") == FORMAT:
        return True
    return any(key.startswith(_PUBLISHED_HEADS) for key in state_dict_in(content, path))


def _card(config: ModelConfig, classes: Sequence[str], like: InputFormat | None = None) -> ModelCard:
    side = config.input_side
    usual = InputFormat(side, side, "RGB", 1 / 255, IMAGENET_MEAN, IMAGENET_STD)
    return ModelCard(
        name=f"centernet-{config.backbone.replace(':', '-')}",
        title=f"CenterNet, {config.backbone}, {len(classes)} classes",
        classes=tuple(classes),
        stride=STRIDE,
        box_form="size",
        has_offset=config.offset,
        input=replace(like or usual, longest_side=side, multiple=config.input_multiple or side),
        licence=UNKNOWN_LICENCE,
        origin="trained with heatprop",
        sha256={},
    )
