"""The model nanodet-coco: against its source, in both runtimes, at many sizes, on a real image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import convert_nanodet
import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
from numpy.typing import NDArray
from tfjs_to_onnx import ZOO, read_source

from heatprop.layouts.class_names import COCO_80
from heatprop.letterbox import fit_letterbox, letterbox
from heatprop.types import ImageArray
from npm_packages import package_of
from reference import nanodet, tfjs_graph

MODEL = ZOO / "nanodet-coco.onnx"
STRIDES = (8, 16, 32)
OUTPUTS = [f"{output}_stride_{stride}" for stride in STRIDES for output in ("cls_pred", "dis_pred")]

Run = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]


def run_onnxruntime() -> Run:
    session = onnxruntime.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])
    return lambda images: session.run(OUTPUTS, {"images": images})


def run_openvino() -> Run:
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(MODEL), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        given = compiled({"images": images})
        return [given[output].copy() for output in OUTPUTS]

    return run


@pytest.fixture(scope="module", params=[run_onnxruntime, run_openvino], ids=["onnx", "openvino"])
def run(request: pytest.FixtureRequest) -> Run:
    return request.param()


def prepare(image: ImageArray, height: int, width: int) -> NDArray[np.float32]:
    """Return an image as the network takes it, shown as well as fits."""
    canvas = np.zeros((height, width, 3), np.uint8)
    rows, columns = min(height, image.shape[0]), min(width, image.shape[1])
    canvas[:rows, :columns] = image[:rows, :columns]
    scaled = (canvas[..., ::-1] - np.array(convert_nanodet.INPUT.mean)) / convert_nanodet.INPUT.std
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], np.float32)


def test_the_shipped_file_is_what_was_promised() -> None:
    graph = onnx.load(MODEL).graph
    shapes = {
        value.name: [side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in [*graph.input, *graph.output]
    }
    assert shapes == {
        "images": ["images", 3, "height", "width"],
        **{f"cls_pred_stride_{s}": ["images", 80, f"height/{s}", f"width/{s}"] for s in STRIDES},
        **{f"dis_pred_stride_{s}": ["images", 44, f"height/{s}", f"width/{s}"] for s in STRIDES},
    }
    kinds = {node.op_type for node in graph.node}
    assert kinds == {"Add", "Cast", "Concat", "Conv", "LeakyRelu", "MaxPool", "Resize", "Sigmoid", "Split"}


@pytest.mark.parametrize(("height", "width"), [(416, 416), (224, 320)])
def test_it_says_what_the_published_graph_says(
    run: Run,
    height: int,
    width: int,
    street_image: ImageArray,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    source = read_source(package_of(convert_nanodet.SOURCE, tmp_path_factory), convert_nanodet.SOURCE)
    images = prepare(street_image, height, width)
    nodes = [
        node
        for stride in STRIDES
        for node in (convert_nanodet.SOURCE_SCORES[stride], f"{convert_nanodet.SOURCE_HEADS[stride]}:1")
    ]
    truth = tfjs_graph.run(*source, images, nodes, convert_nanodet.SOURCE_SIDE)
    for given, expected in zip(run(images), truth, strict=True):
        assert given.shape == expected.shape
        np.testing.assert_allclose(given, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (256, 416), (320, 320), (512, 288)])
def test_it_runs_at_every_size_that_32_divides(
    run: Run, height: int, width: int, street_image: ImageArray
) -> None:
    images = prepare(street_image, height, width)
    outputs = run(np.concatenate([images, np.zeros_like(images)]))
    for output, alone in zip(outputs, run(images), strict=True):
        np.testing.assert_allclose(output[:1], alone, atol=1e-4)
    for stride, scores, distributions in zip(STRIDES, outputs[::2], outputs[1::2], strict=True):
        assert scores.shape == (2, 80, height // stride, width // stride)
        assert distributions.shape == (2, 44, height // stride, width // stride)
        assert 0 <= scores.min() <= scores.max() <= 1


def test_it_finds_what_is_in_the_street(run: Run, street_image: ImageArray) -> None:
    fitted = fit_letterbox(street_image.shape[1], street_image.shape[0], convert_nanodet.INPUT)
    outputs = [array[0] for array in run(prepare(letterbox(street_image, fitted), 192, 416))]
    heads = dict(zip(STRIDES, zip(outputs[::2], outputs[1::2], strict=True), strict=True))
    boxes, scores, labels = nanodet.decode(heads, score_threshold=0.4)
    names = [COCO_80[label] for label in labels]
    assert {"person", "car"} <= set(names)
    for box, score in zip(boxes, scores, strict=True):
        assert 0 <= box[0] < box[2] <= 416, score
        assert 0 <= box[1] < box[3] <= 192, score


def test_the_model_is_as_small_as_its_source() -> None:
    assert Path(MODEL).stat().st_size < 7_700_000
