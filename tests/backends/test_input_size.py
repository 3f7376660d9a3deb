"""A model is loaded with another input size than its card's, where card and file allow it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from heatprop import zoo
from heatprop.backends import available, load_model, open_backend
from heatprop.errors import InvalidConfigError
from heatprop.letterbox import fit_letterbox, letterbox
from heatprop.types import ImageArray
from heatprop.zoo.card import METADATA_KEY, ModelCard
from small_checkpoints import small_checkpoint

MODEL = zoo.load("mb3-coco")


def copy_of(path: Path, card: ModelCard = MODEL.card, *, sides: tuple[int, int] | None = None) -> Path:
    """Write the embedded network with another card, and with an input of a set height and width."""
    network = onnx.load(MODEL.path)
    onnx.helper.set_model_props(network, {METADATA_KEY: card.to_json()})
    if sides is not None:
        for dimension, side in zip(network.graph.input[0].type.tensor_type.shape.dim[2:], sides, strict=True):
            dimension.dim_value = side
    onnx.save(network, path)
    return path


@pytest.mark.parametrize("input_size", [32, 320, 1024])
def test_only_the_longest_side_of_the_card_changes(input_size: int) -> None:
    model = load_model("mb3-coco", input_size=input_size)
    assert model.path == MODEL.path
    assert model.card == replace(MODEL.card, input=replace(MODEL.card.input, longest_side=input_size))
    assert model.own_card == MODEL.card


def test_the_size_of_the_card_changes_nothing() -> None:
    assert load_model("mb3-coco", input_size=512) == load_model("mb3-coco") == MODEL


@pytest.mark.parametrize("name", available())
def test_every_backend_runs_the_network_at_another_size(name: str, street_image: ImageArray) -> None:
    model = load_model(small_checkpoint() if name == "torch" else "mb3-coco", input_size=320)
    fitted = fit_letterbox(640, 272, model.card.input)
    (output,) = open_backend(name, model).infer(letterbox(street_image, fitted)[None])
    assert output.heatmap.shape == (len(model.card.classes), 160 // 4, 320 // 4)
    assert np.isfinite(output.size).all()


@pytest.mark.parametrize("input_size", [300, 0, -32, 16, 16_416, 320.0, True, "320"])
def test_a_size_that_is_no_multiple_is_refused(input_size: object) -> None:
    wanted = rf"input size is {input_size!r}; for model mb3-coco it must be a multiple of 32, at most 16384"
    with pytest.raises(InvalidConfigError, match=wanted):
        load_model("mb3-coco", input_size=input_size)  # type: ignore[arg-type]


def test_a_card_that_asks_for_one_square_is_taken_at_its_word(tmp_path: Path) -> None:
    square = replace(MODEL.card, name="square", input=replace(MODEL.card.input, multiple=512))
    path = copy_of(tmp_path / "square.onnx", square)
    for input_size in (320, 1024):
        with pytest.raises(
            InvalidConfigError, match=f"input size is {input_size}; by its card model square takes 512 x 512 alone"
        ):
            load_model(path, input_size=input_size)
    assert load_model(path, input_size=512).card == square


def test_a_file_whose_input_has_a_fixed_size_is_refused(tmp_path: Path) -> None:
    path = copy_of(tmp_path / "fixed.onnx", sides=(288, 512))
    with pytest.raises(InvalidConfigError, match=r"input size is 320; the input in .*fixed.onnx has a fixed size"):
        load_model(path, input_size=320)
    assert load_model(path, input_size=512) == load_model(path)


@pytest.mark.skipif("openvino" not in available(), reason="needs OpenVINO")
def test_an_xml_file_whose_input_has_a_fixed_size_is_refused(tmp_path: Path) -> None:
    import openvino
    from openvino.frontend import FrontEndManager

    frontend = FrontEndManager().load_by_framework("onnx")
    network = frontend.convert(frontend.load(str(MODEL.path)))
    network.set_rt_info(MODEL.card.to_json(), METADATA_KEY)
    openvino.save_model(network, tmp_path / "open.xml")
    network.reshape({"images": [1, 3, 288, 512]})
    openvino.save_model(network, tmp_path / "fixed.xml")
    assert load_model(tmp_path / "open.xml", input_size=320).card.input.longest_side == 320
    with pytest.raises(InvalidConfigError, match=r"the input in .*fixed.xml has a fixed size"):
        load_model(tmp_path / "fixed.xml", input_size=320)
