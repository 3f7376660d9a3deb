from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torchvision import models

from heatprop.errors import InvalidArrayError, InvalidConfigError, ModelError
from heatprop.lab.networks import CenterNet, CenterNetConfig, build_network, load_checkpoint
from heatprop.lab.networks.deformable import DeformableConv2d
from heatprop.lab.networks.dla import bilinear_upsampling
from lab.networks.published_files import published_state

SMALL = "timm:regnetx_002"


@pytest.mark.parametrize(
    "backbone",
    [
        "resnet18",
        "resnet34",
        "resnet50",
        "dla34",
        SMALL,
        "timm:swin_tiny_patch4_window7_224",  # channels last inside
        "timm:vit_tiny_patch16_224",  # ends at stride 16
    ],
)
def test_every_backbone_gives_the_grid_of_stride_4(backbone: str) -> None:
    network = CenterNet(CenterNetConfig(backbone=backbone, classes=3)).eval()
    with torch.inference_mode():
        output = network(torch.randn(2, 3, 64, 96))
    assert output._fields == ("heatmap_logits", "size", "offset")
    assert [tuple(maps.shape) for maps in output] == [(2, 3, 16, 24), (2, 2, 16, 24), (2, 2, 16, 24)]
    assert all(maps.is_contiguous() for maps in output)


@pytest.mark.parametrize(
    ("classes", "width", "offset"), [(1, 8, True), (("cat", "dog"), 300, False), (81, 64, True), (2, 0, True)]
)
def test_heads_have_any_class_count_and_width(classes: int | tuple[str, ...], width: int, offset: bool) -> None:
    config = CenterNetConfig(backbone=SMALL, classes=classes, head_width=width, offset=offset)
    network = CenterNet(config).eval()
    assert network.heatmap.output.in_channels == (width or 64)
    with torch.inference_mode():
        output = network(torch.zeros(1, 3, 32, 32))
    assert output.heatmap_logits.shape[1] == config.class_count
    assert (output.offset is not None) == offset


def test_at_first_no_cell_is_likely_a_centre() -> None:
    network = CenterNet(CenterNetConfig(backbone=SMALL)).eval()
    with torch.inference_mode():
        logits = network(torch.randn(1, 3, 64, 64)).heatmap_logits
    assert logits.mean().item() == pytest.approx(-2.19, abs=0.1)


@pytest.mark.parametrize("architecture", ["resdcn_18", "dla_34"])
def test_a_batch_equals_its_images_one_by_one(architecture: str, tmp_path: Path) -> None:
    torch.save(published_state(architecture), tmp_path / "model.pth")
    network = load_checkpoint(tmp_path / "model.pth")
    images = torch.randn(3, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        together = network(images)
        for index in range(3):
            for batch, single in zip(together, network(images[index : index + 1]), strict=True):
                np.testing.assert_allclose(batch[index].numpy(), single[0].numpy(), rtol=0, atol=1e-4)


def test_parameters_have_our_names() -> None:
    for backbone in ("resnet18", "dla34", SMALL):
        rooms = {key.split(".")[0] for key in CenterNet(CenterNetConfig(backbone=backbone)).state_dict()}
        assert rooms == {"backbone", "neck", "heatmap", "size", "offset"}


def test_resnet_of_torchvision_strides_in_the_3x3_convolution() -> None:
    block = CenterNet(CenterNetConfig(backbone="resnet50")).backbone.layer2[0]
    assert (block.conv1.stride, block.conv2.stride) == ((1, 1), (2, 2))


@pytest.mark.parametrize("factor", [2, 4])
def test_upsampling_starts_bilinear(factor: int) -> None:
    ramp = torch.arange(8.0).expand(1, 2, 8, 8)
    with torch.no_grad():
        row = bilinear_upsampling(2, factor)(ramp)[0, 1, 4 * factor].numpy()
    inside = slice(factor, -factor)
    np.testing.assert_allclose(row[inside], ((np.arange(8 * factor) + 0.5) / factor - 0.5)[inside], atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 4, 64, 64), (1, 3, 64, 80), (1, 3, 0, 64)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    network = CenterNet(CenterNetConfig(backbone=SMALL))
    message = f"images have shape {shape}; it must be (N, 3, H, W) with H and W multiples of 32"
    with pytest.raises(InvalidArrayError, match=f"^{re.escape(message)}$"):
        network(torch.zeros(shape))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"backbone": "resnet19"},
            "backbone is 'resnet19'; it must be resnet18, resnet34, resnet50, resnet101, dla34 or timm:NAME",
        ),
        ({"classes": 0}, "classes is 0; it must be a whole number of at least 1"),
        ({"classes": ()}, "classes is 0; it must be a whole number of at least 1"),
        ({"classes": "cat"}, "classes is 'cat'; it must be a whole number of at least 1"),
        ({"head_width": -1}, "head_width is -1; it must be a whole number of at least 0"),
    ],
)
def test_a_wrong_configuration_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidConfigError, match=f"^{re.escape(message)}$"):
        CenterNetConfig(**settings)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nonsense", rf"backbone 'timm:nonsense' is unknown to timm {timm.__version__}; see timm.list_models\(\)"),
        (
            "regnetx_002.nonsense",
            r"backbone 'timm:regnetx_002.nonsense' cannot be made \(Invalid pretrained tag .*\)",
        ),
        (
            "eva02_tiny_patch14_224",
            "backbone timm:eva02_tiny_patch14_224 ends at stride 14; choose one that ends at 8, 16 or 32",
        ),
    ],
)
def test_a_backbone_that_does_not_suit_is_refused(name: str, message: str) -> None:
    with pytest.raises(InvalidConfigError, match=f"^({message})$") as caught:
        CenterNet(CenterNetConfig(backbone=f"timm:{name}"))
    assert "\n" not in str(caught.value)


def test_training_from_scratch_says_so(caplog: pytest.LogCaptureFixture) -> None:
    build_network(CenterNetConfig(backbone=SMALL))
    assert caplog.messages == [f"backbone {SMALL} starts from scratch (no pretrained weights were asked for)"]


@pytest.mark.parametrize("backbone", ["resnet18", SMALL])
def test_unreachable_weights_are_one_line_of_the_log(
    backbone: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route to host\nmore")

    monkeypatch.setattr(models.ResNet18_Weights.IMAGENET1K_V1.__class__, "get_state_dict", refuse)
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", refuse)
    with caplog.at_level(logging.WARNING, "heatprop"):
        build_network(CenterNetConfig(backbone=backbone), pretrained=True)
    assert [message for message in caplog.messages if message.startswith("backbone")] == [
        f"backbone {backbone} starts from scratch (pretrained weights cannot be fetched: no route to host)"
    ]


@pytest.mark.parametrize("backbone", ["resnet18", "dla34", SMALL])
def test_pretrained_weights_come_from_a_file(
    backbone: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    classifier = models.resnet18() if backbone == "resnet18" else timm.create_model(backbone.removeprefix("timm:"))
    path = tmp_path / "classifier.pth"
    torch.save({"state_dict": classifier.state_dict()}, path)
    network = build_network(CenterNetConfig(backbone=backbone), pretrained=path)
    have = {tensor.double().sum().item() for tensor in network.backbone.state_dict().values()}
    whole = {tensor.double().sum().item() for tensor in classifier.state_dict().values()}
    assert have <= whole
    assert not [message for message in caplog.messages if "scratch" in message]


@pytest.mark.parametrize("backbone", ["resnet34", "dla34", SMALL])
def test_pretrained_weights_of_another_network_are_refused(backbone: str, tmp_path: Path) -> None:
    path = tmp_path / "classifier.pth"
    torch.save(models.resnet18().state_dict(), path)
    architecture = backbone.replace("dla34", "timm:dla34")
    pattern = rf"^checkpoint {path} does not fit {architecture}: \d+ missing \([^\n]*, \.\.\.\)"
    with pytest.raises(ModelError, match=pattern) as caught:
        build_network(CenterNetConfig(backbone=backbone), pretrained=path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_a_narrow_plain_network_has_its_share_of_the_channels(backbone: str) -> None:
    network = build_network(CenterNetConfig(backbone=backbone, classes=3, width=0.5, deformable=False))
    whole = build_network(CenterNetConfig(backbone=backbone, classes=3, deformable=False))

    assert network.backbone.conv1.out_channels == 32
    assert network.neck.out_channels == 32
    assert not any(isinstance(module, DeformableConv2d) for module in network.modules())
    shares = [
        narrow.out_channels / full.out_channels
        for narrow, full in zip(_convolutions(network.backbone), _convolutions(whole.backbone), strict=True)
    ]
    assert set(shares) == {0.5}
    output = network.eval()(torch.zeros(1, 3, 64, 96))
    assert output.heatmap_logits.shape == (1, 3, 16, 24)


def test_a_narrow_network_starts_from_scratch_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    build_network(CenterNetConfig(backbone="resnet18", classes=2, width=0.5), pretrained=True)

    assert "no pretrained weights of width 0.5" in caplog.text


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50", SMALL])
def test_lateral_connections_take_every_map_of_the_backbone(backbone: str) -> None:
    width = 1 if backbone == SMALL else 0.5
    network = CenterNet(
        CenterNetConfig(backbone=backbone, classes=3, width=width, deformable=False, lateral=True)
    ).eval()
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    maps = network.backbone(images)

    assert [tuple(each.shape[1:]) for each in maps] == [
        (channels, 64 // stride, 96 // stride)
        for channels, stride in zip(network.backbone.channels, (4, 8, 16, 32), strict=True)
    ]
    joined = network.neck(maps)
    assert joined.shape == (2, network.neck.out_channels, 16, 24)
    for number in range(4):
        changed = [each + (place == number) for place, each in enumerate(maps)]
        assert not torch.equal(network.neck(changed), joined)


def test_lateral_connections_add_to_what_the_neck_gives_without() -> None:
    network = CenterNet(CenterNetConfig(backbone="resnet18", classes=3, deformable=False, lateral=True)).eval()
    plain = CenterNet(CenterNetConfig(backbone="resnet18", classes=3, deformable=False)).eval()
    state = network.state_dict()
    plain.load_state_dict({name: state[name] for name in plain.state_dict()})
    for joint in network.neck.lateral:
        torch.nn.init.zeros_(joint.weight)
        torch.nn.init.zeros_(joint.bias)

    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for ours, theirs in zip(network(images), plain(images), strict=True):
        assert torch.equal(ours, theirs)


def test_a_backbone_without_the_maps_has_no_lateral_connections() -> None:
    with pytest.raises(InvalidConfigError, match="lateral needs maps of stride"):
        CenterNet(CenterNetConfig(backbone="timm:vit_tiny_patch16_224", classes=3, lateral=True))


@pytest.mark.parametrize("options", [{"width": 0.5}, {"deformable": False}, {"lateral": True}])
def test_dla_is_as_published_only(options: dict[str, float]) -> None:
    with pytest.raises(InvalidConfigError, match="leave them out"):
        CenterNetConfig(backbone="dla34", **options)


def _convolutions(module: torch.nn.Module) -> list[torch.nn.Conv2d]:
    return [part for part in module.modules() if isinstance(part, torch.nn.Conv2d)]
