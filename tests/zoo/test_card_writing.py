"""A card written into a copy of a file: the rest of the file stays as it is, and runtimes still open it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop import zoo
from heatprop.backends import available, load_model, open_backend
from heatprop.errors import InvalidConfigError, OutputError, OutputExistsError
from heatprop.types import Detections
from heatprop.zoo.card_writing import write_with_card
from heatprop.zoo.metadata import metadata_entry
from small_detectors import SIDE, save_constant, yolov8_table

BOX = (8.0, 4.0, 24.0, 40.0, 1, 0.9)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return save_constant(
        tmp_path / "plain.onnx", {"output0": yolov8_table([BOX])}, metadata={"author": "somebody"}
    )


def test_the_copy_is_the_file_and_its_card(plain: Path, tmp_path: Path) -> None:
    card = replace(load_model(plain).card, name="mine", classes=("<cat>", 'a "dog" & more'))
    copy = tmp_path / "copy.onnx"
    assert write_with_card(plain, card, copy) == [copy]
    assert copy.read_bytes().startswith(plain.read_bytes())
    assert zoo.load(copy).card == card
    properties = {each.key: each.value for each in onnx.load(copy).metadata_props}
    assert properties == {"author": "somebody", "heatprop.card": card.to_json()}
    (found,) = open_backend("onnx", zoo.load(copy)).infer(np.zeros((1, SIDE, SIDE, 3), np.uint8))
    assert isinstance(found, Detections)
    np.testing.assert_allclose(found.boxes, [BOX[:4]])
    assert [each.name for each in tmp_path.iterdir() if "part" in each.name] == []


@pytest.mark.skipif("openvino" not in available(), reason="needs OpenVINO")
@pytest.mark.parametrize("has_metadata", [True, False])
def test_a_network_of_openvino_too(plain: Path, tmp_path: Path, has_metadata: bool) -> None:
    import openvino

    source = tmp_path / "net.xml"
    openvino.save_model(openvino.convert_model(plain), source)
    if not has_metadata:
        text = source.read_text()
        start, end = text.rindex("<rt_info>"), text.rindex("</rt_info>")
        source.write_text(text[:start] + text[end + len("</rt_info>") :])
    card = replace(load_model(source).card, classes=("<cat>", 'a "dog" & more'))
    copy = tmp_path / "copy.xml"
    assert write_with_card(source, card, copy) == [copy, copy.with_suffix(".bin")]
    assert zoo.load(copy).card == card
    (found,) = open_backend("openvino", zoo.load(copy)).infer(np.zeros((1, SIDE, SIDE, 3), np.uint8))
    assert isinstance(found, Detections)
    np.testing.assert_allclose(found.boxes, [BOX[:4]])


def test_what_is_there_stays_unless_it_may_go(plain: Path, tmp_path: Path) -> None:
    card = load_model(plain).card
    with pytest.raises(OutputError, match="is read and would be replaced"):
        write_with_card(plain, card, plain, overwrite=True)
    other = tmp_path / "other.onnx"
    other.write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        write_with_card(plain, card, other)
    assert other.read_bytes() == b"mine"
    with pytest.raises(InvalidConfigError, match=r"ends in \.onnx"):
        write_with_card(plain, card, tmp_path / "other.xml")
    write_with_card(plain, card, other, overwrite=True)
    assert zoo.load(other).card == card


def test_weights_that_lie_beside_are_not_left_behind(tmp_path: Path) -> None:
    network = onnx.load(zoo.load("mb3-coco").path)
    del network.metadata_props[:]
    path = tmp_path / "beside.onnx"
    onnx.save_model(network, path, save_as_external_data=True, location="beside.bin")
    (tmp_path / "elsewhere").mkdir()
    card = zoo.load("mb3-coco").card
    with pytest.raises(OutputError, match=r"the weights of .* lie beside it"):
        write_with_card(path, card, tmp_path / "elsewhere" / "copy.onnx")
    write_with_card(path, card, tmp_path / "copy.onnx")
    open_backend("onnx", zoo.load(tmp_path / "copy.onnx"))


@given(st.text(max_size=200), st.text(max_size=20_000))
def test_an_entry_is_what_onnx_reads(key: str, value: str) -> None:
    model = onnx.ModelProto.FromString(metadata_entry(key, value))
    assert [(each.key, each.value) for each in model.metadata_props] == [(key, value)]
