"""Checkpoints: the published ones under our names, and our own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from heatprop.errors import InvalidConfigError, ModelError, OutputError
from heatprop.io.outputs import OutputFile
from heatprop.lab.networks import published
from heatprop.lab.networks.centernet import STRIDE, CenterNet, CenterNetConfig, NetworkOutput
from heatprop.lab.networks.weights import NO_WEIGHTS, check_state_dict, read_pickle, state_dict_in
from heatprop.zoo.card import ModelCard

FORMAT = "heatprop"
UNKNOWN_LICENCE = "NOASSERTION"  # SPDX for: the file does not say

Classes = Sequence[str] | int


class Checkpoint(nn.Module):
    """A network with its weights, and what one must know to run it.

    Calling it runs the network.

    Attributes:
        network: the network, in evaluation mode.
        card: classes, input and origin.
        ignored: tensors of the file that were skipped on purpose: they have no effect on the output.
    """

    def __init__(self, network: CenterNet, card: ModelCard, ignored: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.network = network
        self.card = card
        self.ignored = ignored
        self.eval()

    def forward(self, images: Tensor) -> NetworkOutput:
        """Run the network on ``(N, 3, H, W)``, see `CenterNet.forward`."""
        return self.network(images)  # type: ignore[no-any-return]


def load_checkpoint(path: str | os.PathLike[str], *, classes: Classes | None = None) -> Checkpoint:
    """Load a checkpoint of CenterNet's authors, or one that `save_checkpoint` wrote.

    Published files are recognised by keys and shapes alone: deformable ResNet-18, 34, 50, 101 and DLA-34, with any
    number of classes. ``module.`` is stripped, and optimiser state skipped. Nothing in the file is executed.

    Args:
        path: the file.
        classes: names of the classes, or how many there must be. By default names come from our own file;
            80 classes are taken for COCO's, 20 for Pascal VOC's, and others are numbered.

    Raises:
        ModelError: the file is missing, damaged, no checkpoint or carries code; its tensors belong to another
            architecture, or some are missing, unexpected or of another shape; the number of classes differs.
    """
    path = Path(path)
    value = read_pickle(path)
    if isinstance(value, Mapping) and value.get("format") == FORMAT:
        return _load_own(path, value, classes)
    return _load_published(path, state_dict_in(value, path), classes)


def _load_published(path: Path, state: dict[str, Tensor], classes: Classes | None) -> Checkpoint:
    layout = published.recognise(path, state)
    ours = _tensors_of(layout.config)
    theirs = {published.published_name(key, layout.config): key for key in ours}
    given = {name: tensor for name, tensor in state.items() if name not in layout.ignored}
    wanted = {name: ours[key] for name, key in theirs.items()}
    check_state_dict(path, f"CenterNet with {layout.config.backbone}", given, wanted)
    network = _filled(layout.config, {theirs[name]: tensor for name, tensor in given.items()})
    names = _class_names(path, layout.config, classes)
    network.config = replace(layout.config, classes=names)
    of = {80: ", COCO", 20: ", Pascal VOC"}.get(len(names), "") if classes is None else ""
    card = ModelCard(
        name=f"centernet-{layout.config.backbone}",
        title=f"CenterNet, {layout.config.backbone} with deformable convolutions{of}, {len(names)} classes",
        classes=names,
        stride=STRIDE,
        box_form="size",
        has_offset=layout.config.offset,
        input=published.published_input(len(names)),
        licence=UNKNOWN_LICENCE,
        origin=(
            "a file in the layout of https://github.com/xingyizhou/CenterNet (MIT), recognised by its tensors; "
            "it does not say who trained it or on what"
        ),
        sha256={path.name: _sha256(path)},
    )
    return Checkpoint(network, card, layout.ignored)


def _load_own(path: Path, value: Mapping[str, Any], classes: Classes | None) -> Checkpoint:
    config = _parse_config(path, value.get("config"))
    try:
        card = ModelCard.from_json(str(value.get("card")))
    except ModelError as error:
        raise ModelError(f"checkpoint {path}: {error}") from None
    if contradictions := _contradictions(card, config):
        raise ModelError(f"checkpoint {path}: its card contradicts its network: {contradictions}; save it again")
    state = state_dict_in({"state_dict": value.get("state_dict")}, path)
    try:
        wanted = _tensors_of(config)
    except InvalidConfigError as error:
        raise ModelError(f"checkpoint {path}: {error}") from None
    check_state_dict(path, f"CenterNet with {config.backbone}", state, wanted)
    network = _filled(config, state)
    if card.input.multiple % network.multiple:
        raise ModelError(
            f"checkpoint {path}: by its card sides are multiples of {card.input.multiple}, but its network needs "
            f"multiples of {network.multiple}; save it again"
        )
    names = _class_names(path, replace(config, classes=card.classes), classes)
    network.config = replace(config, classes=names)
    return Checkpoint(network, replace(card, classes=names, sha256={path.name: _sha256(path)}))


def _parse_config(path: Path, value: object) -> CenterNetConfig:
    try:
        if not isinstance(value, Mapping):
            raise TypeError("there is none")
        if not isinstance(value.get("backbone", ""), str):
            raise TypeError("its backbone is no name")
        classes = value.get("classes")
        return CenterNetConfig(**{**value, "classes": tuple(classes) if isinstance(classes, list) else classes})
    except (TypeError, AttributeError, InvalidConfigError) as error:
        raise ModelError(f"checkpoint {path}: its configuration is not valid ({error}); save it again") from None


def _contradictions(card: ModelCard, config: CenterNetConfig) -> str:
    """Say in what a card is not that of a network; empty where it is."""
    pairs = {
        "classes": (len(card.classes), config.class_count),
        "offset": (card.has_offset, config.offset),
        "stride": (card.stride, STRIDE),
        "box_form": (card.box_form, "size"),
    }
    return ", ".join(f"{name} is {said!r}, not {true!r}" for name, (said, true) in pairs.items() if said != true)


def _tensors_of(config: CenterNetConfig) -> dict[str, Tensor]:
    """Return the tensors that a network has, without memory behind them: a file may claim any size."""
    with torch.device("meta"):
        return CenterNet(config).state_dict()


def _filled(config: CenterNetConfig, state: Mapping[str, Tensor]) -> CenterNet:
    """Build a network of checked tensors; the counters that old files lack stay 0."""
    network = CenterNet(config)
    counters = {key: tensor for key, tensor in network.state_dict().items() if key.endswith(NO_WEIGHTS)}
    network.load_state_dict(counters | dict(state))
    return network


def _class_names(path: Path, config: CenterNetConfig, classes: Classes | None) -> tuple[str, ...]:
    wanted = config.class_count if classes is None else classes if isinstance(classes, int) else len(classes)
    if wanted != config.class_count:
        raise ModelError(
            f"checkpoint {path} has {config.class_count} classes, not {wanted} as asked for; name all of them"
        )
    if classes is not None and not isinstance(classes, int):
        return tuple(classes)
    return config.classes if isinstance(config.classes, tuple) else published.default_class_names(wanted)


def save_checkpoint(
    path: str | os.PathLike[str],
    network: CenterNet,
    card: ModelCard | None = None,
    *,
    training_state: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Save a network so that `load_checkpoint` gives it back; the file appears under its name only when whole.

    Args:
        path: the file, which ends in ``.pt`` or ``.pth`` by custom.
        network: the network.
        card: its card. Default: the published input and the classes of the network's configuration.
        training_state: tensors and plain values to continue the training from; `load_checkpoint` leaves them out.
        overwrite: whether an existing file may be replaced.

    Raises:
        ModelError: the card contradicts the network.
        OutputError: the file cannot be written.
    """
    config = network.config
    card = card or _card_of(config, Path(path).stem)
    if contradictions := _contradictions(card, config):
        raise ModelError(f"card {card.name!r} contradicts the network: {contradictions}")
    value = {
        "format": FORMAT,
        "config": asdict(config) | {"classes": list(card.classes)},
        "card": card.to_json(),
        "state_dict": network.state_dict(),
        "training": dict(training_state or {}),
    }
    with OutputFile(Path(path), overwrite=overwrite) as output:
        try:
            torch.save(value, output.partial)
        except RuntimeError as error:
            raise OutputError(f"{path}: cannot write it ({error}); see to room and rights") from None


def _card_of(config: CenterNetConfig, name: str) -> ModelCard:
    names = config.classes if isinstance(config.classes, tuple) else published.default_class_names(config.classes)
    return ModelCard(
        name=name,
        title=f"CenterNet, {config.backbone}, {len(names)} classes",
        classes=names,
        stride=STRIDE,
        box_form="size",
        has_offset=config.offset,
        input=published.published_input(len(names)),
        licence=UNKNOWN_LICENCE,
        origin="trained with heatprop",
        sha256={},
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
