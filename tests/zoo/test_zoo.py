from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from heatprop import zoo
from heatprop.errors import ModelError
from heatprop.letterbox import InputFormat
from heatprop.zoo.card import METADATA_KEY, ModelCard
from heatprop.zoo.metadata import NotOnnxError, has_fixed_sides, read_metadata
from heatprop.zoo.openvino_xml import NotOpenVinoError, read_xml_metadata, xml_has_fixed_sides

ZOO = Path(zoo.__file__).parent
CARD = zoo.load("mb3-coco").card
PUBLISHED = ModelCard(
    name="published",
    title="A network as the CenterNet authors publish them",
    classes=("airplane", "antelope"),
    stride=4,
    box_form="size",
    has_offset=True,
    input=InputFormat(512, 512, "BGR", 1 / 255, (0.408, 0.447, 0.47), (0.289, 0.274, 0.278)),
    licence="MIT",
    origin="somewhere",
    sha256={},
)


def write_onnx(path: Path, metadata: dict[str, str]) -> Path:
    value = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n"])
    result = helper.make_tensor_value_info("same", TensorProto.FLOAT, ["n"])
    graph = helper.make_graph([helper.make_node("Identity", ["images"], ["same"])], "g", [value], [result])
    model = helper.make_model(graph)
    helper.set_model_props(model, metadata)
    path.write_bytes(model.SerializeToString())
    return path


def refusal(path: str | Path) -> str:
    with pytest.raises(ModelError) as caught:
        zoo.load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_embedded_models_say_what_they_are() -> None:
    assert [card.name for card in zoo.models()] == ["mb3-coco", "nanodet-coco", "synthvid"]
    assert len(CARD.classes) == 80
    assert CARD.classes[:3] == ("person", "bicycle", "car")
    assert CARD.classes[-1] == "toothbrush"
    assert (CARD.stride, CARD.box_form, CARD.has_offset) == (4, "distances", False)
    assert CARD.input == InputFormat(512, 32, "RGB", 1.0)
    assert CARD.licence == "MIT"


def test_every_embedded_model_comes_with_its_licence_and_a_page() -> None:
    for card in zoo.models():
        model = zoo.load(card.name)
        page = (ZOO / f"{card.name}.md").read_text()
        assert "Copyright" in (ZOO / f"{card.name}.LICENSE.txt").read_text()
        for digest in [*card.sha256.values(), hashlib.sha256(model.path.read_bytes()).hexdigest()]:
            assert digest in page, "the page must quote the hashes of the sources and of the file"


def test_metadata_equal_those_that_onnx_reads() -> None:
    path = zoo.load("mb3-coco").path
    expected = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert read_metadata(path) == expected


def test_a_model_is_loaded_by_path(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "own.onnx", {"other": "x", METADATA_KEY: PUBLISHED.to_json()})
    assert zoo.load(path) == zoo.Model(PUBLISHED, path)
    assert zoo.load(str(path)) == zoo.load(path)


@pytest.mark.parametrize("card", [CARD, PUBLISHED], ids=lambda card: card.name)
def test_a_card_survives_json(card: ModelCard) -> None:
    assert ModelCard.from_json(card.to_json()) == card
    assert ModelCard.from_json(card.to_json()).to_json() == card.to_json()
    assert hash(ModelCard.from_json(card.to_json())) == hash(card)


def test_an_unknown_name_lists_what_there_is() -> None:
    message = refusal("resnet")
    assert "resnet" in message
    assert "mb3-coco" in message
    assert "path" in message


def test_a_missing_file_is_called_a_file() -> None:
    assert "no such file" in refusal("folder/own.onnx")


def test_a_folder_or_text_or_torn_file_is_refused(tmp_path: Path) -> None:
    assert "folder" in refusal(tmp_path)
    (tmp_path / "text.onnx").write_text("this is no model at all")
    assert "not a whole ONNX file" in refusal(tmp_path / "text.onnx")
    (tmp_path / "empty.onnx").touch()
    assert "not a whole ONNX file" in refusal(tmp_path / "empty.onnx")
    (tmp_path / "torn.onnx").write_bytes(zoo.load("mb3-coco").path.read_bytes()[:100_000])
    assert "not a whole ONNX file" in refusal(tmp_path / "torn.onnx")


def test_a_model_without_a_card_is_refused(tmp_path: Path) -> None:
    assert METADATA_KEY in refusal(write_onnx(tmp_path / "bare.onnx", {"other": "x"}))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom the file system can refuse")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "own.onnx", {METADATA_KEY: PUBLISHED.to_json()})
    path.chmod(0)
    assert "cannot be read" in refusal(path)


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.onnx"
    path.write_bytes(content)
    with suppress(NotOnnxError):
        assert isinstance(read_metadata(path), dict)


@pytest.mark.parametrize(
    ("shape", "is_fixed"),
    [
        (["n", 3, "h", "w"], False),
        ([1, 3, "h", "w"], False),
        ([None, None, None, None], False),
        (["n", 3, 288, 512], True),
        (["n", 3, "h", 512], True),
        (["n", 3, 288, None], True),
        (None, False),
    ],
)
def test_an_onnx_file_says_whether_its_input_has_a_set_size(
    tmp_path: Path, shape: list[int | str | None] | None, is_fixed: bool
) -> None:
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)
    # Old files list weights among the inputs.
    weights = helper.make_tensor_value_info("weights", TensorProto.FLOAT, [8, 3, 3, 3])
    result = helper.make_tensor_value_info("same", TensorProto.FLOAT, None)
    nodes = [helper.make_node("Identity", ["images"], ["same"])]
    path = tmp_path / "own.onnx"
    path.write_bytes(
        helper.make_model(helper.make_graph(nodes, "g", [weights, images], [result])).SerializeToString()
    )
    assert has_fixed_sides(path, "images") == is_fixed
    assert has_fixed_sides(path, "weights")
    assert not has_fixed_sides(path, "another")


@pytest.mark.parametrize(
    ("shape", "is_fixed"),
    [("?,3,?,?", False), ("1,3,?,?", False), ("1,3,32..,32..", False), ("?,3,288,512", True), ("?,3,?,512", True)],
)
def test_an_xml_file_says_whether_its_input_has_a_set_size(tmp_path: Path, shape: str, is_fixed: bool) -> None:
    path = tmp_path / "own.xml"
    path.write_text(
        '<net name="own" version="11"><layers>'
        '<layer id="0" name="weights" type="Const"><data shape="8,3,3,3"/></layer>'
        f'<layer id="1" name="images" type="Parameter"><data shape="{shape}" element_type="f32"/></layer>'
        '<layer id="2" name="mean" type="Const"><data shape="1,3,1,1"/></layer>'
        "</layers></net>"
    )
    assert xml_has_fixed_sides(path) == is_fixed
    path.write_text(path.read_text()[:-3])
    with pytest.raises(NotOpenVinoError):
        xml_has_fixed_sides(path)


def test_an_xml_file_keeps_the_metadata_of_the_onnx_file_that_it_was_made_from(tmp_path: Path) -> None:
    path = tmp_path / "own.xml"
    path.write_text(
        "<net name='own' version='11'><layers/><rt_info><framework><names value='[1]'/><task value='detect'/>"
        "<deeper><task value='pose'/></deeper></framework><model_info><labels value='cat dog'/></model_info>"
        "<names value='[2]'/></rt_info></net>"
    )
    assert read_xml_metadata(path) == {"names": "[2]", "task": "detect", "labels": "cat dog"}


def changed(**changes: Any) -> str:
    value = json.loads(PUBLISHED.to_json())
    for key, new in changes.items():
        *parents, last = key.split("__")
        target = value
        for parent in parents:
            target = target[parent]
        target[last] = new
    return json.dumps(value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("{", ["not JSON"]),
        ("[]", ["card is []", "object"]),
        (changed(colour="red"), ["card.colour is unknown; there are name, title"]),
        (changed(input__colour="red"), ["card.input.colour is unknown; there are longest_side"]),
        (changed(name=3), ["card.name is 3", "text"]),
        (changed(name=""), ["name is ''"]),
        (changed(title="two\nlines"), ["title", "one line"]),
        (changed(classes="person"), ["card.classes", "list"]),
        (changed(classes=[]), ["classes is empty"]),
        (changed(classes=["cat", "cat"]), ["'cat' is there twice"]),
        (changed(classes=["cat", 5]), ['card.classes is ["cat", 5]', "a list of texts"]),
        (changed(stride=4.0), ["card.stride is 4.0", "whole number"]),
        (changed(stride=True), ["card.stride is true"]),
        (changed(stride=0), ["stride is 0"]),
        (changed(stride=3), ["stride is 3", "512"]),
        (changed(box_form="corners"), ["corners", "'size' or 'distances'"]),
        (changed(has_offset=1), ["card.has_offset is 1", "true or false"]),
        (changed(input=None), ["card.input is null", "object"]),
        (changed(input__channel_order="GRB"), ["GRB", "'RGB' or 'BGR'"]),
        (changed(input__mean=[0, 1]), ["card.input.mean", "list of 3"]),
        (changed(input__std=[0, 1, 1]), ["std is (0.0, 1.0, 1.0)"]),
        (changed(input__scale=10**400), ["card.input.scale is 1000", "number"]),
        (changed(input__scale="1"), ['card.input.scale is "1"', "number"]),
        (changed(input__longest_side=500), ["longest_side is 500"]),
        (changed(sha256={"file": "12"}), ["sha256 of file is '12'"]),
        (changed(sha256=["12"]), ["card.sha256", "object of texts"]),
    ],
)
def test_a_wrong_card_is_refused_in_one_line(text: str, parts: list[str]) -> None:
    with pytest.raises(ModelError) as caught:
        ModelCard.from_json(text)
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize("key", [field.name for field in fields(ModelCard) if field.name != "layout"])
def test_no_key_may_be_missing(key: str) -> None:
    value = json.loads(PUBLISHED.to_json())
    del value[key]
    with pytest.raises(ModelError, match=f"lacks '{key}'"):
        ModelCard.from_json(json.dumps(value))


def test_a_layout_stands_in_a_card_only_where_it_is_not_centernet() -> None:
    assert PUBLISHED.layout == "centernet"
    assert "layout" not in json.loads(PUBLISHED.to_json())
    other = replace(PUBLISHED, layout="yolox")
    assert ModelCard.from_json(other.to_json()) == other


def test_a_card_is_checked_when_made_in_python_too() -> None:
    with pytest.raises(ModelError, match="stride is -1"):
        replace(PUBLISHED, stride=-1)
