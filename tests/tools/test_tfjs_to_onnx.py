"""What every converter of a published graph promises."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from types import ModuleType

import convert_mb3_centernet
import convert_nanodet
import onnx
import pytest
from tfjs_to_onnx import ZOO

from heatprop import zoo
from heatprop.layouts.class_names import COCO_80
from npm_packages import package_of


@pytest.fixture(scope="module", params=[convert_mb3_centernet, convert_nanodet], ids=lambda each: each.NAME)
def converter(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


@pytest.fixture(scope="module")
def package(converter: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package_of(converter.SOURCE, tmp_path_factory)


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as packed:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    return path


def test_two_builds_and_the_shipped_file_are_the_same_bytes(
    converter: ModuleType, package: Path, tmp_path: Path
) -> None:
    for name in ("first.onnx", "second.onnx"):
        assert converter.main(["--package", str(package), "--output", str(tmp_path / name)]) == 0
    first, second = ((tmp_path / name).read_bytes() for name in ("first.onnx", "second.onnx"))
    assert first == second
    assert first == (ZOO / f"{converter.NAME}.onnx").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.onnx", "second.onnx"]


def test_the_result_replaces_an_older_one(converter: ModuleType, package: Path, tmp_path: Path) -> None:
    (tmp_path / "old.onnx").write_text("old")
    assert converter.main(["--package", str(package), "--output", str(tmp_path / "old.onnx")]) == 0
    onnx.checker.check_model(onnx.load(tmp_path / "old.onnx"))


def test_the_files_are_built_where_the_package_has_them() -> None:
    assert Path(zoo.__file__).parent.samefile(ZOO)


def test_weights_stay_half_as_large_as_what_computes_with_them(converter: ModuleType) -> None:
    graph = onnx.load(ZOO / f"{converter.NAME}.onnx").graph
    numbers = dict.fromkeys(onnx.TensorProto.DataType.values(), 0)
    for tensor in graph.initializer:
        numbers[tensor.data_type] += onnx.numpy_helper.to_array(tensor).size
    assert numbers.pop(onnx.TensorProto.FLOAT16) > 1_000_000
    assert sum(numbers.values()) < 20
    assert {value.type.tensor_type.elem_type for value in graph.output} == {onnx.TensorProto.FLOAT}


def test_the_page_of_the_model_quotes_the_hashes_and_its_licence_is_there(converter: ModuleType) -> None:
    page = (ZOO / f"{converter.NAME}.md").read_text()
    shipped = hashlib.sha256((ZOO / f"{converter.NAME}.onnx").read_bytes()).hexdigest()
    for digest in [*converter.SOURCE.sha256.values(), shipped]:
        assert digest in page
    assert "Copyright" in (ZOO / f"{converter.NAME}.LICENSE.txt").read_text()


def test_the_classes_are_those_of_coco() -> None:
    assert (len(COCO_80), *COCO_80[:3], COCO_80[-1]) == (
        80,
        "person",
        "bicycle",
        "car",
        "toothbrush",
    )
    assert zoo.load("mb3-coco").card.classes == COCO_80


@pytest.mark.parametrize("kind", ["foreign", "incomplete", "text", "missing"])
def test_a_wrong_package_is_one_line_and_nothing_written(
    kind: str, converter: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, source = tmp_path / "given.tgz", converter.SOURCE
    if kind == "foreign":
        archive(given, {source.graph_file: b"{}", source.weights_file: b""})
    elif kind == "incomplete":
        archive(given, {source.graph_file: b"{}"})
    elif kind == "text":
        given.write_text("no archive")
    output = tmp_path / "out"
    output.mkdir()
    assert converter.main(["--package", str(given), "--output", str(output / "model.onnx")]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "given.tgz" in printed.err
    assert list(output.iterdir()) == []
    if kind == "foreign":
        assert source.sha256[source.graph_file] in printed.err
