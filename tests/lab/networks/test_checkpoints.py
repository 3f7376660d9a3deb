from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from heatprop import zoo
from heatprop.errors import ModelError, OutputError, OutputExistsError
from heatprop.lab.networks import CenterNet, CenterNetConfig, load_checkpoint, save_checkpoint
from heatprop.lab.networks.published import PASCAL_CLASSES, published_name
from heatprop.letterbox import InputFormat
from lab.networks.published_files import published_state
from lab.networks.refusals import refusal

SMALL = CenterNetConfig(backbone="timm:regnetx_002", classes=("cat", "dog"), head_width=8)

REMEDY = "; save it again, or give another"


@pytest.fixture(scope="module")
def resnet18() -> dict[str, Tensor]:
    return published_state("resdcn_18")


def published_from(config: CenterNetConfig) -> dict[str, Tensor]:
    """A network's tensors under the authors' names."""
    return {published_name(key, config): tensor for key, tensor in CenterNet(config).state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return list(a) == list(b) and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize(
    ("backbone", "classes", "width", "offset"),
    [
        ("resnet18", 20, 64, True),
        ("resnet18", 30, 0, True),  # heads of one convolution: the authors' head_conv 0
        ("resnet34", 3, 32, False),
        ("resnet50", 80, 64, True),
        ("dla34", 20, 256, True),
        ("dla34", 2, 0, False),
    ],
)
@pytest.mark.filterwarnings("error")
def test_any_published_layout_is_recognised_by_keys_and_shapes(
    backbone: str, classes: int, width: int, offset: bool, tmp_path: Path
) -> None:
    config = CenterNetConfig(backbone=backbone, classes=classes, head_width=width, offset=offset)
    state = published_from(config)
    path = tmp_path / "model.pth"
    torch.save({"epoch": 1, "state_dict": state, "optimizer": {"state": {0: {"step": 1}}}}, path)
    loaded = load_checkpoint(path)
    assert replace(loaded.network.config, classes=classes) == config
    assert loaded.card.classes == loaded.network.config.classes
    assert not any(module.training for module in loaded.modules())
    assert all(
        torch.equal(tensor, state[published_name(key, config)])
        for key, tensor in loaded.network.state_dict().items()
    )


def test_the_card_says_what_is_known_and_no_more(resnet18: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save(resnet18, path)
    card = load_checkpoint(path).card
    assert card.classes == zoo.load("mb3-coco").card.classes
    assert (card.name, card.stride, card.box_form, card.has_offset) == ("centernet-resnet18", 4, "size", True)
    assert card.title == "CenterNet, resnet18 with deformable convolutions, COCO, 80 classes"
    mean, std = (0.40789654, 0.44719302, 0.47026115), (0.28863828, 0.27408164, 0.27809835)
    assert card.input == InputFormat(512, 512, "BGR", 1 / 255, mean, std)
    assert card.licence == "NOASSERTION"
    assert "does not say who trained it" in card.origin
    assert card.sha256 == {"model.pth": hashlib.sha256(path.read_bytes()).hexdigest()}
    assert zoo.ModelCard.from_json(card.to_json()) == card


def test_class_names_follow_the_count_or_the_caller(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save(published_from(CenterNetConfig(backbone="resnet18", classes=20)), path)
    assert load_checkpoint(path).card.classes == PASCAL_CLASSES
    assert len(PASCAL_CLASSES) == 20
    assert list(PASCAL_CLASSES) == sorted(PASCAL_CLASSES)
    given = [f"thing {number}" for number in range(20)]
    assert load_checkpoint(path, classes=given).card.classes == tuple(given)
    assert load_checkpoint(path, classes=20).card.classes == PASCAL_CLASSES
    assert refusal(path, classes=80) == "checkpoint FILE has 20 classes, not 80 as asked for; name all of them"
    assert refusal(path, classes=["one"]) == "checkpoint FILE has 20 classes, not 1 as asked for; name all of them"
    torch.save(published_from(CenterNetConfig(backbone="resnet18", classes=2)), path)
    assert load_checkpoint(path).card.classes == ("class 0", "class 1")


def test_what_has_no_effect_is_skipped_and_named(tmp_path: Path) -> None:
    torch.save(published_state("dla_34"), tmp_path / "model.pth")
    ignored = load_checkpoint(tmp_path / "model.pth").ignored
    assert {re.sub(r"\.project\..*|\.(weight|bias)$", "", key) for key in ignored} == {
        "base.fc",
        "base.level3",
        "base.level4",
    }
    assert len(ignored) == 2 + 2 * 6


def test_old_files_are_read_too(resnet18: dict[str, Tensor], tmp_path: Path) -> None:
    old = {key: tensor.half() for key, tensor in resnet18.items() if "num_batches_tracked" not in key}
    path = tmp_path / "old.tar"
    torch.save({"state_dict": old}, path, _use_new_zipfile_serialization=False)
    network = load_checkpoint(path).network
    assert {tensor.dtype for tensor in network.parameters()} == {torch.float32}
    assert torch.equal(network.heatmap.output.bias, resnet18["hm.2.bias"].half().float())


Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: [state.pop(key) for key in ("bn1.bias", "hm.2.bias")],
            "does not fit CenterNet with resnet18: 2 missing (bn1.bias, hm.2.bias)" + REMEDY,
        ),
        (
            lambda state: [state.pop(key) for key in list(state) if key.startswith("wh.")],
            "does not fit CenterNet with resnet18: 4 missing (wh.0.weight, wh.0.bias, wh.2.weight, ...)" + REMEDY,
        ),
        (
            lambda state: state.update({"hps.0.weight": torch.ones(1), "fc.weight": torch.ones(1)}),
            "does not fit CenterNet with resnet18: 1 unexpected (hps.0.weight)" + REMEDY,
        ),
        (
            lambda state: state.update({"wh.2.weight": torch.ones(4, 64, 1, 1), "wh.2.bias": torch.ones(4)}),
            "does not fit CenterNet with resnet18: 2 of another shape "
            "(wh.2.weight is (4, 64, 1, 1), not (2, 64, 1, 1), wh.2.bias is (4,), not (2,))" + REMEDY,
        ),
        (
            lambda state: [state.pop(key) for key in list(state) if "conv_offset_mask" in key],
            "is a plain resnet18: its deconv_layers have no conv_offset_mask; "
            "take one with deformable convolutions (resdcn)",
        ),
        (
            lambda state: [state.pop(key) for key in list(state) if key.startswith("layer3.1.")],
            "is of another architecture: 165 tensors (conv1.weight, bn1.weight, bn1.bias, ...); "
            "known are CenterNet's resdcn_18, _34, _50, _101 and dla_34, and heatprop's own",
        ),
        (
            lambda state: [state.pop(key) for key in list(state) if not key.startswith("hm.")],
            "is of another architecture: 4 tensors (hm.0.weight, hm.0.bias, hm.2.weight, ...); "
            "known are CenterNet's resdcn_18, _34, _50, _101 and dla_34, and heatprop's own",
        ),
        (
            lambda state: state.update({"bn1.bias": torch.full((64,), torch.nan)}),
            "bn1.bias holds values that are not finite in float32; take an earlier one",
        ),
        (
            lambda state: state.update({"bn1.bias": torch.zeros(64, dtype=torch.complex64)}),
            "bn1.bias is torch.complex64, torch.strided; save it as float32",
        ),
        (
            lambda state: state.update({"bn1.bias": torch.full((64,), 1e300, dtype=torch.float64)}),
            "bn1.bias holds values that are not finite in float32; take an earlier one",
        ),
        (
            lambda state: state.update({"conv1.weight": torch.ones(64, 3, 7, 7, dtype=torch.int32)}),
            "does not fit CenterNet with resnet18: 1 not of floating-point numbers (conv1.weight is torch.int32)"
            + REMEDY,
        ),
        (
            lambda state: state.update({"bn1.weight": torch.ones(64, dtype=torch.bool)}),
            "does not fit CenterNet with resnet18: 1 not of floating-point numbers (bn1.weight is torch.bool)"
            + REMEDY,
        ),
        # Sizes that a few bytes claim, and that no memory holds.
        (
            lambda state: state.update({"hm.0.weight": torch.ones(1).expand(10**9, 64, 3, 3)}),
            "hm.0.weight repeats fewer values than its shape (1000000000, 64, 3, 3) has; save it whole",
        ),
        (
            lambda state: state.update({"hm.0.weight": torch.ones(10**9, 0, 3, 3)}),
            "is of no network: by its heads, head_width is 1000000000; it must be a number from 0 to 65536",
        ),
        (
            lambda state: state.update({"hm.0.weight": torch.ones(60000, 0, 3, 3)}),
            "does not fit CenterNet with resnet18: 9 of another shape (hm.0.weight is (60000, 0, 3, 3), not "
            "(60000, 64, 3, 3), hm.0.bias is (64,), not (60000,), hm.2.weight is (80, 64, 1, 1), not "
            "(80, 60000, 1, 1), ...)" + REMEDY,
        ),
        (
            lambda state: state.update({"module.bn1.bias": torch.zeros(64)}),
            "has bn1.bias twice, with and without 'module.'; keep one",
        ),
        (
            lambda state: state.update({"a\nb\x1b[31m": torch.zeros(1), "c" * 500: torch.zeros(1)}),
            "does not fit CenterNet with resnet18: 2 unexpected ('a\\nb\\x1b[31m', " + "c" * 77 + "...)" + REMEDY,
        ),
        (lambda state: state.update({5: torch.zeros(1)}), "holds no state dict: 5 is no name"),
        (lambda state: state.update({"bn1.bias": 3}), "holds no state dict: bn1.bias is a int, no tensor"),
        (
            lambda state: state.clear(),
            "holds no state dict, but a dict without entries; give a published CenterNet",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    change: Change, message: str, resnet18: dict[str, Tensor], tmp_path: Path
) -> None:
    state: dict[str, Any] = dict(resnet18)
    change(state)
    torch.save(state, tmp_path / "model.pth")
    have = refusal(tmp_path / "model.pth")
    assert have in (f"checkpoint FILE {message}", f"checkpoint FILE: {message}")


@pytest.mark.parametrize("config", [SMALL, CenterNetConfig(backbone="resnet18", classes=3, offset=False)])
def test_what_is_saved_comes_back(config: CenterNetConfig, tmp_path: Path) -> None:
    network, path = CenterNet(config), tmp_path / "mine.pt"
    save_checkpoint(path, network, training_state={"epoch": 4, "momentum": torch.ones(3)})
    assert [file.name for file in tmp_path.iterdir()] == ["mine.pt"]
    loaded = load_checkpoint(path)
    assert same(loaded.network.state_dict(), network.state_dict())
    assert loaded.network.config.backbone == config.backbone
    assert loaded.network.config.head_width == config.head_width
    assert (loaded.card.name, loaded.card.origin) == ("mine", "trained with heatprop")
    assert loaded.card.has_offset == config.offset
    assert loaded.card.sha256 == {"mine.pt": hashlib.sha256(path.read_bytes()).hexdigest()}
    assert not loaded.network.training
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(loaded(images).size, network.eval()(images).size)


def test_a_card_travels_with_the_network(tmp_path: Path) -> None:
    network, path = CenterNet(SMALL), tmp_path / "mine.pt"
    save_checkpoint(path, network)
    card = replace(
        load_checkpoint(path).card, title="Cats and dogs", licence="CC0-1.0", input=InputFormat(384, 32)
    )
    save_checkpoint(path, network, card, overwrite=True)
    assert replace(load_checkpoint(path).card, sha256=card.sha256) == card
    assert load_checkpoint(path, classes=("Katze", "Hund")).card.classes == ("Katze", "Hund")
    assert refusal(path, classes=3) == "checkpoint FILE has 2 classes, not 3 as asked for; name all of them"
    wrong = replace(card, classes=("cat",))
    with pytest.raises(ModelError, match=r"^card 'mine' contradicts the network: classes is 1, not 2$"):
        save_checkpoint(tmp_path / "wrong.pt", network, wrong)
    assert not (tmp_path / "wrong.pt").exists()


def test_an_existing_file_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, path = CenterNet(SMALL), tmp_path / "mine.pt"
    path.write_bytes(b"precious")
    with pytest.raises(OutputExistsError):
        save_checkpoint(path, network)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError, match=r"^.*mine.pt: cannot write it \(.*\); see to room and rights$"):
        save_checkpoint(path, network, overwrite=True)
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda value: value.pop("config"),
            "FILE: its configuration is not valid (there is none); save it again",
        ),
        (
            lambda value: value["config"].update(backbone="vgg"),
            "FILE: its configuration is not valid (backbone is 'vgg'; it must be resnet18, resnet34, resnet50, "
            "resnet101, dla34 or timm:NAME); save it again",
        ),
        (
            lambda value: value["config"].update(classes=[1]),
            "FILE: its card contradicts its network: classes is 2, not 1; save it again",
        ),
        (
            lambda value: value["config"].update(backbone="timm:nonsense"),
            r"FILE: backbone 'timm:nonsense' is unknown to timm",
        ),
        (
            lambda value: value.pop("card"),
            "FILE: model card is not JSON",
        ),
        (
            lambda value: value["state_dict"].pop("size.output.bias"),
            "FILE does not fit CenterNet with timm:regnetx_002: 1 missing (size.output.bias)",
        ),
        (lambda value: value.update(state_dict=3), "FILE holds no state dict: state_dict is a int, no tensor"),
        (
            lambda value: value["config"].update(head_width=10**9),
            "FILE: its configuration is not valid (head_width is 1000000000; it must be a number from 0 to 65536)",
        ),
        (
            lambda value: value["config"].update(head_width=60000),
            "FILE does not fit CenterNet with timm:regnetx_002: 9 of another shape (heatmap.hidden.weight is (8, ",
        ),
        (
            lambda value: value["config"].update(backbone=18),
            "FILE: its configuration is not valid (its backbone is no name); save it again",
        ),
        (
            lambda value: value.update(card=value["card"].replace('"stride":4', '"stride":8')),
            "FILE: its card contradicts its network: stride is 8, not 4; save it again",
        ),
        (
            lambda value: value.update(card=value["card"].replace('"box_form":"size"', '"box_form":"distances"')),
            "FILE: its card contradicts its network: box_form is 'distances', not 'size'; save it again",
        ),
        (
            lambda value: value.update(card=value["card"].replace('"multiple":512', '"multiple":16')),
            "FILE: by its card sides are multiples of 16, but its network needs multiples of 32; save it again",
        ),
    ],
)
def test_our_own_file_with_contradictions_is_refused(change: Change, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.pt"
    save_checkpoint(path, CenterNet(SMALL))
    value = torch.load(path, weights_only=True)
    change(value)
    torch.save(value, path)
    assert refusal(path).startswith(f"checkpoint {message}")
