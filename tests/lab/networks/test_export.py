"""Exported files, held to PyTorch on a real frame."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
import torch

from heatprop import zoo
from heatprop.backends import load_model, open_backend
from heatprop.errors import BackendError, InvalidConfigError, ModelError, OutputError, OutputExistsError
from heatprop.lab.networks import CenterNet, CenterNetConfig, Checkpoint, load_checkpoint
from heatprop.lab.networks import export as export_module
from heatprop.lab.networks.deployed import Deployed
from heatprop.lab.networks.export import Exported, export_checkpoint
from heatprop.lab.networks.openvino_file import sensitive_convolutions
from heatprop.letterbox import fit_letterbox, letterbox
from heatprop.types import ImageArray
from heatprop.zoo.card import METADATA_KEY
from heatprop.zoo.metadata import read_operators
from heatprop.zoo.openvino_xml import NotOpenVinoError, read_xml_metadata
from small_checkpoints import small_checkpoint

HEADS = ("heatmap", "size", "offset")
Export = Callable[[str], Exported]
FORMATS = pytest.mark.parametrize("ending", [".onnx", ".xml"])


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return load_checkpoint(small_checkpoint())


@pytest.fixture(scope="module")
def export(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """Return a function that exports the small checkpoint with an ending, once for all tests."""
    folder = tmp_path_factory.mktemp("exported")
    done: dict[str, Exported] = {}

    def exported(ending: str) -> Exported:
        if ending not in done:
            done[ending] = export_checkpoint(checkpoint, folder / f"small{ending}")
        return done[ending]

    return exported


@FORMATS
def test_all_runtimes_agree_on_a_real_frame(export: Export, ending: str, street_image: ImageArray) -> None:
    model = zoo.load(export(ending).paths[-1])
    boxed = letterbox(street_image, fit_letterbox(640, 272, model.card.input))[None]
    truth = open_backend("torch", load_model(small_checkpoint())).infer(boxed)[0]
    backend = open_backend("auto", model)
    assert backend.name == {".onnx": "onnx", ".xml": "openvino"}[ending]
    output = backend.infer(boxed)[0]
    assert truth.heatmap.std() > 0.01, "a flat heatmap would prove nothing"
    np.testing.assert_allclose(output.heatmap, truth.heatmap, rtol=0, atol=1e-3)
    np.testing.assert_allclose(output.size, truth.size, rtol=0, atol=1e-3)
    assert output.offset is not None
    assert truth.offset is not None
    np.testing.assert_allclose(output.offset, truth.offset, rtol=0, atol=1e-3)


@FORMATS
@pytest.mark.parametrize("shape", [(1, 32, 32, 3), (3, 64, 160, 3), (2, 288, 32, 3)])
def test_batch_height_and_width_are_open(export: Export, ending: str, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    truth = open_backend("torch", load_model(small_checkpoint())).infer(images)
    for output, wanted in zip(
        open_backend("auto", zoo.load(export(ending).paths[-1])).infer(images), truth, strict=True
    ):
        np.testing.assert_allclose(output.heatmap, wanted.heatmap, rtol=0, atol=1e-3)


@FORMATS
def test_the_card_travels_inside(export: Export, ending: str, checkpoint: Checkpoint) -> None:
    exported = export(ending)
    assert zoo.load(exported.paths[-1]).card == exported.card == checkpoint.card
    assert set(exported.card.sha256) == {"small.pth"}
    assert exported.difference < 1e-4
    assert [path.suffix for path in exported.paths] == {".onnx": [".onnx"], ".xml": [".bin", ".xml"]}[ending]
    assert not list(exported.paths[0].parent.glob("*.part.*"))


def test_the_onnx_file_is_plain_opset_19_without_notes_on_its_maker(export: Export) -> None:
    path = export(".onnx").paths[0]
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 19)]
    assert [entry.key for entry in model.metadata_props] == [METADATA_KEY]
    assert [value.name for value in model.graph.output] == list(HEADS)
    axes = [axis.dim_param or axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim]
    assert axes == ["batch", 3, "height", "width"]
    assert "DeformConv" in read_operators(path)
    assert read_operators(path) == {node.op_type for node in model.graph.node}
    assert b"site-packages" not in path.read_bytes()
    assert str(Path(torch.__file__).parent).encode() not in path.read_bytes()


@FORMATS
def test_a_network_without_offset_has_two_outputs(ending: str, tmp_path: Path) -> None:
    exported = export_checkpoint(load_checkpoint(small_checkpoint(offset=False)), tmp_path / f"two{ending}")
    output = open_backend("auto", zoo.load(exported.paths[-1])).infer(np.zeros((1, 32, 32, 3), np.uint8))[0]
    assert output.offset is None


def test_openvino_says_that_it_cannot_read_deformable_onnx(export: Export) -> None:
    with pytest.raises(BackendError, match=r"export the checkpoint to \.xml"):
        open_backend("openvino", zoo.load(export(".onnx").paths[0]))


def test_eight_bits_leave_heads_and_sampling_alone(
    checkpoint: Checkpoint, export: Export, tmp_path: Path, street_image: ImageArray
) -> None:
    boxed = letterbox(street_image, fit_letterbox(640, 272, checkpoint.card.input))[None]
    images = [boxed, np.ascontiguousarray(boxed[:, :, ::-1])]
    exported = export_checkpoint(checkpoint, tmp_path / "int8.xml", calibration=images)
    network = openvino.Core().read_model(exported.paths[-1])
    sensitive = sensitive_convolutions(network)
    assert len(sensitive) == 6, "three heads, three deformable convolutions"
    convolutions = [each for each in network.get_ops() if each.get_type_name() == "Convolution"]
    quantised = {
        each.get_friendly_name()
        for each in convolutions
        if each.input_value(0).get_node().get_type_name() == "FakeQuantize"
    }
    assert not quantised & set(sensitive)
    assert len(quantised) > len(convolutions) / 2
    exact, rough = (
        open_backend("openvino", zoo.load(each.paths[-1])).infer(boxed)[0] for each in (export(".xml"), exported)
    )
    difference = np.abs(exact.heatmap - rough.heatmap)
    assert 0 < difference.mean() < exact.heatmap.std()
    assert exported.difference > 1e-3


@pytest.mark.parametrize(("name", "count"), [("model.onnx", 1), ("model.xml", 0)])
def test_a_calibration_that_cannot_be_is_refused(
    checkpoint: Checkpoint, tmp_path: Path, name: str, count: int
) -> None:
    images = [np.zeros((1, 64, 64, 3), np.uint8)] * count
    with pytest.raises(InvalidConfigError):
        export_checkpoint(checkpoint, tmp_path / name, calibration=images)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["model.pt", "model", "model.bin"])
def test_another_ending_is_refused(checkpoint: Checkpoint, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidConfigError, match=r"\.onnx or \.xml"):
        export_checkpoint(checkpoint, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_an_input_rule_that_the_network_cannot_take_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    rule = replace(checkpoint.card.input, longest_side=512, multiple=16)
    with pytest.raises(InvalidConfigError, match=r"multiple is 16; .* multiple of 32"):
        export_checkpoint(checkpoint, tmp_path / "model.onnx", input_format=rule)
    assert not list(tmp_path.iterdir())


def test_weights_that_exist_are_kept_too(checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"precious")
    with pytest.raises(OutputExistsError, match=r"model\.bin exists"):
        export_checkpoint(checkpoint, tmp_path / "model.xml")
    assert [path.name for path in tmp_path.iterdir()] == ["model.bin"]
    assert (tmp_path / "model.bin").read_bytes() == b"precious"


def test_nothing_is_written_when_the_file_computes_something_else(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trace_another(deployed: Deployed) -> torch.export.ExportedProgram:
        another = copy.deepcopy(deployed)
        assert another.network.heatmap.output.bias is not None
        torch.nn.init.constant_(another.network.heatmap.output.bias, -2.0)
        return trace(another)

    trace = export_module.trace
    monkeypatch.setattr(export_module, "trace", trace_another)
    with pytest.raises(ModelError, match="exported heatmap differs"):
        export_checkpoint(checkpoint, tmp_path / "model.xml")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", [".onnx", ".xml"])
def test_a_network_that_gives_no_numbers_is_refused(checkpoint: Checkpoint, tmp_path: Path, ending: str) -> None:
    broken = copy.deepcopy(checkpoint)
    broken.network.backbone.bn1.running_var.fill_(-5.0)
    with pytest.raises(ModelError, match=r"^the network's heatmap is not finite: its weights are broken"):
        export_checkpoint(broken, tmp_path / f"model{ending}")
    assert not list(tmp_path.iterdir())


def test_a_file_of_the_users_called_like_a_part_is_left_alone(checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "model.part.bin").write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"model\.part\.bin or \.xml is in the way; move it elsewhere$"):
        export_checkpoint(checkpoint, tmp_path / "model.xml")
    assert [path.name for path in tmp_path.iterdir()] == ["model.part.bin"]
    assert (tmp_path / "model.part.bin").read_bytes() == b"precious"


def test_a_backbone_of_timm_is_exported(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = CenterNet(CenterNetConfig(backbone="timm:regnetx_002", classes=("cat",))).eval()
    card = replace(load_checkpoint(small_checkpoint()).card, classes=("cat",))
    exported = export_checkpoint(Checkpoint(network, card), tmp_path / "model.xml")
    assert exported.difference < 1e-4


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("", "no element"),
        ("this is no network", "syntax error"),
        ("<html></html>", "begins with <html>"),
        ('<?xml version="1.0"?><!DOCTYPE net [<!ENTITY a "aaaa">]><net>&a;</net>', "document type"),
        ('<!DOCTYPE net SYSTEM "file:///etc/passwd"><net/>', "document type"),
        ('<net><rt_info><heatprop.card value="{}"/>', "no element"),
        ("<net></net><net></net>", "junk"),
        ("<net>&undefined;</net>", "undefined entity"),
    ],
)
def test_text_that_is_no_network_is_refused(tmp_path: Path, content: str, part: str) -> None:
    (tmp_path / "model.xml").write_text(content)
    with pytest.raises(NotOpenVinoError, match=part):
        read_xml_metadata(tmp_path / "model.xml")
    with pytest.raises(ModelError, match="is not a whole OpenVINO file"):
        zoo.load(tmp_path / "model.xml")


def test_only_the_networks_own_metadata_count(tmp_path: Path) -> None:
    inside_a_layer = '<net><layers><layer><rt_info><heatprop.card value="{}"/></rt_info></layer></layers></net>'
    (tmp_path / "model.xml").write_text(inside_a_layer)
    (tmp_path / "model.bin").touch()
    with pytest.raises(ModelError, match="has no card"):
        zoo.load(tmp_path / "model.xml")


def test_an_openvino_file_without_its_weights_is_refused(export: Export, tmp_path: Path) -> None:
    (tmp_path / "alone.xml").write_bytes(export(".xml").paths[-1].read_bytes())
    with pytest.raises(ModelError, match=r"lacks its weights, alone\.bin"):
        zoo.load(tmp_path / "alone.xml")


@FORMATS
def test_a_card_that_contradicts_the_tensors_is_refused(export: Export, ending: str) -> None:
    model = zoo.load(export(ending).paths[-1])
    wrong = replace(model.card, classes=(*model.card.classes, "horse"))
    with pytest.raises(BackendError, match="'heatmap' has 3 channels but its card says 4"):
        open_backend("auto", zoo.Model(wrong, model.path))


@FORMATS
def test_an_output_that_the_card_denies_is_refused(export: Export, ending: str) -> None:
    model = zoo.load(export(ending).paths[-1])
    with pytest.raises(BackendError, match="'offset' but its card says that it has none"):
        open_backend("auto", zoo.Model(replace(model.card, has_offset=False), model.path))


def test_weights_given_in_place_of_the_network_are_named(export: Export) -> None:
    weights = export(".xml").paths[0]
    with pytest.raises(ModelError, match=rf"holds weights only; give .*{weights.stem}\.xml"):
        zoo.load(weights)


def test_weights_of_another_network_are_refused_by_name(export: Export, tmp_path: Path) -> None:
    weights, network = export(".xml").paths
    (tmp_path / "a.xml").write_bytes(network.read_bytes())
    (tmp_path / "a.bin").write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(BackendError, match=r"a\.bin belongs to another file or is cut off"):
        open_backend("auto", zoo.load(tmp_path / "a.xml"))


@FORMATS
def test_half_precision_halves_the_file_and_hardly_moves_the_output(
    export: Export, checkpoint: Checkpoint, tmp_path: Path, ending: str
) -> None:
    half = export_checkpoint(checkpoint, tmp_path / f"half{ending}", half=True)

    sizes = [sum(path.stat().st_size for path in exported.paths) for exported in (export(ending), half)]
    assert sizes[1] < 0.6 * sizes[0]
    assert 0 < half.difference < 0.01
    assert zoo.load(half.paths[-1]).card == zoo.load(export(ending).paths[-1]).card
