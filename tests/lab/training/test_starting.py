"""What a network starts from: nothing, a backbone's file, or a CenterNet whose classes may be others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torchvision import models

from heatprop.errors import ModelError
from heatprop.lab.networks import CenterNet, CenterNetConfig, load_checkpoint, save_checkpoint
from heatprop.lab.training.config import ModelConfig
from heatprop.lab.training.starting import start_network
from heatprop.letterbox import IMAGENET_MEAN
from small_checkpoints import small_checkpoint

PUBLISHED_ORDER = ("cat", "dog", "rabbit")


def config(**changes: object) -> ModelConfig:
    return ModelConfig(**{"backbone": "resnet18", "input_side": 128} | changes)  # type: ignore[arg-type]


def test_from_scratch_it_depends_on_the_seed_alone() -> None:
    one, same, other = (start_network(config(width=0.125), ("a", "b"), seed) for seed in (0, 0, 1))
    weights = [start.network.state_dict() for start in (one, same, other)]
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())
    assert not torch.equal(weights[0]["heatmap.hidden.weight"], weights[2]["heatmap.hidden.weight"])
    assert one.card.classes == ("a", "b")
    assert (one.card.input.mean, one.card.input.longest_side, one.card.input.multiple) == (IMAGENET_MEAN, 128, 128)
    assert start_network(config(width=0.125, input_multiple=32), ("a",), 0).card.input.multiple == 32


def test_from_a_backbones_file(tmp_path: Path) -> None:
    whole = models.resnet18()
    torch.save(whole.state_dict(), tmp_path / "resnet18.pth")
    start = start_network(config(start=str(tmp_path / "resnet18.pth")), ("a",), 0)
    assert torch.equal(start.network.backbone.layer4[1].conv2.weight, whole.layer4[1].conv2.weight)  # type: ignore[union-attr, index]
    assert "resnet18 with weights of" in start.said


def test_from_a_centernet_of_the_same_classes_everything_is_taken() -> None:
    path = str(small_checkpoint())
    start = start_network(config(start=path), PUBLISHED_ORDER, 0)
    given = load_checkpoint(path)
    for key, value in given.network.state_dict().items():
        assert torch.equal(start.network.state_dict()[key], value), key
    assert start.said == path
    assert start.card.input.channel_order == given.card.input.channel_order == "BGR"
    assert start.card.input.longest_side == 128


def test_classes_are_known_by_name_and_others_begin_anew() -> None:
    path = str(small_checkpoint())
    start = start_network(config(start=path), ("dog", "bear", "cat"), 0)
    ours, theirs = start.network.state_dict(), load_checkpoint(path).network.state_dict()
    for key, value in theirs.items():
        if not key.startswith("heatmap.output."):
            assert torch.equal(ours[key], value), key
    for part in ("weight", "bias"):
        ours_part, theirs_part = ours[f"heatmap.output.{part}"], theirs[f"heatmap.output.{part}"]
        assert torch.equal(ours_part[0], theirs_part[1])
        assert torch.equal(ours_part[2], theirs_part[0])
    assert float(ours["heatmap.output.bias"][1]) == pytest.approx(-2.19)
    assert "1 of 3 classes begin anew (bear)" in start.said
    assert "1 of its 3 classes are skipped (rabbit)" in start.said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"backbone": "resnet34"}, "has backbone 'resnet18', not 'resnet34'; set model.backbone to that"),
        ({"head_width": 32}, "has head_width 64, not 32"),
        ({"offset": False}, "has offset True, not False"),
        ({"width": 0.5}, "has width 1.0, not 0.5"),
        ({"deformable": False}, "has deformable True, not False"),
    ],
)
def test_another_network_is_refused_in_a_line(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ModelError) as caught:
        start_network(config(start=str(small_checkpoint()), **changes), PUBLISHED_ORDER, 0)
    assert said in str(caught.value)


def test_our_own_narrow_network_goes_on(tmp_path: Path) -> None:
    network = CenterNet(CenterNetConfig(backbone="resnet18", classes=("a", "b"), width=0.125, deformable=False))
    save_checkpoint(tmp_path / "own.pt", network)
    start = start_network(config(start=str(tmp_path / "own.pt"), width=0.125, deformable=False), ("b", "a"), 0)
    assert torch.equal(start.network.heatmap.output.weight.flip(0), network.heatmap.output.weight)


def test_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere.pth: there is no such file"):
        start_network(config(start=str(tmp_path / "nowhere.pth")), ("a",), 0)
    torch.save({"other": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match="does not fit resnet18"):
        start_network(config(start=str(tmp_path / "other.pth")), ("a",), 0)


def test_weights_that_cannot_be_fetched_end_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"weights of resnet18 cannot be fetched \(.*; set model.start to a file"):
        start_network(config(start="imagenet"), ("a",), 0)
    with pytest.raises(ModelError, match=r"there are no weights of ImageNet for width 0\.5"):
        start_network(config(start="imagenet", width=0.5), ("a",), 0)
