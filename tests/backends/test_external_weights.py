"""ONNX files whose weights lie beside them, as links of a hub's cache lead to them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from heatprop import zoo
from heatprop.backends import available, load_model, open_backend
from heatprop.backends.external_weights import weights_beside
from heatprop.errors import BackendError

EMBEDDED = zoo.load("mb3-coco")
IMAGES = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8)
RUNTIMES = [name for name in ("auto", *available()) if name != "torch"]


def save(folder: Path, weights: str = "model.onnx_data") -> Path:
    """Write the embedded model with its weights in a file of their own."""
    (folder / weights).parent.mkdir(parents=True)
    path = folder / "model.onnx"
    onnx.save_model(onnx.load(EMBEDDED.path), path, save_as_external_data=True, location=weights)
    return path


def hub_cache(folder: Path) -> Path:
    """Both files under names of checksums, with links to them."""
    real = save(folder / "blobs")
    snapshot = folder / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    for name, checksum in [("model.onnx", "3f2a"), ("model.onnx_data", "9c01")]:
        os.rename(real.parent / name, real.parent / checksum)
        (snapshot / name).symlink_to(f"../../blobs/{checksum}")
    return snapshot / "model.onnx"


def link_to_weights(folder: Path) -> Path:
    path = save(folder / "model")
    os.rename(path.parent / "model.onnx_data", folder / "weights")
    (path.parent / "model.onnx_data").symlink_to("../weights")
    return path


def link_to_the_model_alone(folder: Path) -> Path:
    real = save(folder / "model")
    (folder / "linked").mkdir()
    (folder / "linked" / "other.onnx").symlink_to(real)
    return folder / "linked" / "other.onnx"


def link_to_the_folder_of_the_weights(folder: Path) -> Path:
    path = save(folder / "model", "parts/weights")
    os.rename(path.parent / "parts", folder / "elsewhere")
    (path.parent / "parts").symlink_to("../elsewhere")
    return path


def link_to_the_folder(folder: Path) -> Path:
    real = save(folder / "model")
    (folder / "linked").symlink_to(real.parent)
    return folder / "linked" / "model.onnx"


LAYOUTS = [
    hub_cache,
    link_to_weights,
    link_to_the_model_alone,
    link_to_the_folder_of_the_weights,
    link_to_the_folder,
]


@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_links_are_followed(name: str, layout: object, tmp_path: Path) -> None:
    assert callable(layout)
    backend = open_backend(name, load_model(layout(tmp_path)))
    truth = open_backend(backend.name, EMBEDDED).infer(IMAGES)[0]
    output = backend.infer(IMAGES)[0]
    np.testing.assert_allclose(output.heatmap, truth.heatmap, atol=1e-6)
    np.testing.assert_allclose(output.size, truth.size, atol=1e-4)


@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.parametrize("kind", ["upwards", "absolute"])
def test_a_name_in_the_file_that_leads_out_of_the_folder_is_refused(name: str, kind: str, tmp_path: Path) -> None:
    path = save(tmp_path / "model")
    os.rename(path.parent / "model.onnx_data", tmp_path / "secret")
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../secret" if kind == "upwards" else str(tmp_path / "secret")
    path.write_bytes(model.SerializeToString())
    with weights_beside(path) as same:
        assert same == path
    with pytest.raises(BackendError, match=r"model\.onnx") as caught:
        open_backend(name, load_model(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", RUNTIMES)
def test_weights_that_are_missing_are_refused_in_a_line(name: str, tmp_path: Path) -> None:
    path = hub_cache(tmp_path)
    (tmp_path / "blobs" / "9c01").unlink()
    with pytest.raises(BackendError, match=r"model\.onnx") as caught:
        open_backend(name, load_model(path))
    assert "\n" not in str(caught.value)


def test_what_lies_together_is_read_where_it_is(tmp_path: Path) -> None:
    path = save(tmp_path / "model")
    with weights_beside(path) as same:
        assert same == path
    with weights_beside(EMBEDDED.path) as same:
        assert same == EMBEDDED.path


def test_nothing_is_left_behind_and_the_cache_is_as_it_was(tmp_path: Path) -> None:
    path = hub_cache(tmp_path)
    before = {each: each.stat().st_size for each in tmp_path.rglob("*")}
    with weights_beside(path) as together:
        assert sorted(each.name for each in together.parent.iterdir()) == ["model.onnx", "model.onnx_data"]
    assert not together.parent.exists()
    assert {each: each.stat().st_size for each in tmp_path.rglob("*")} == before


def test_another_file_system_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = hub_cache(tmp_path)
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has no second file system at /dev/shm")
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    with weights_beside(path) as together:
        assert together.is_relative_to(elsewhere)
        assert together.with_name("model.onnx_data").stat().st_nlink == 1
        assert together.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_weights_that_are_no_file_are_refused(tmp_path: Path, runtime: str, make: Callable[[Path], None]) -> None:
    path = save(tmp_path / "model")
    (path.parent / "model.onnx_data").unlink()
    make(path.parent / "model.onnx_data")
    with pytest.raises(BackendError, match=r"its weights .*model\.onnx_data are no regular file"):
        open_backend(runtime, load_model(path))
