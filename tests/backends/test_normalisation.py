"""A network that hands its input through shows what every backend makes of an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from heatprop import zoo
from heatprop.backends import Backend, available, open_backend
from heatprop.backends.base import to_planes
from heatprop.errors import BackendError
from heatprop.lab.networks.normalisation import normalise
from heatprop.letterbox import InputFormat, fit_letterbox, letterbox
from heatprop.types import ImageArray
from reference import letterbox as reference

SIDE = 32
OPEN_ONNX = [name for name in available() if name != "torch"]
PLAIN = InputFormat(SIDE, 1)
FORMATS = {
    "plain": PLAIN,
    "BGR": replace(PLAIN, channel_order="BGR"),
    "scale": replace(PLAIN, scale=1 / 255),
    "mean": replace(PLAIN, mean=(123.675, 0.0, 103.53)),
    "std": replace(PLAIN, std=(58.395, 57.12, 1.0)),
    "RGB, all": replace(PLAIN, scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "BGR, all": replace(
        PLAIN, channel_order="BGR", scale=1 / 255, mean=(0.408, 0.447, 0.47), std=(0.289, 0.274, 0.278)
    ),
}
BLACK_BECOMES = {"plain": 0.0, "RGB, all": -0.485 / 0.229, "BGR, all": -0.408 / 0.289}

MirrorBackend = Callable[..., Backend]


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> MirrorBackend:
    """Return a function that opens a network whose heatmap is its normalised input, and whose size is the
    first two channels, summed over 3 x 3 cells with zeros around."""
    path = tmp_path_factory.mktemp("mirror") / "mirror.onnx"
    save_mirror(path)

    def opened(name: str, input_format: InputFormat, precision: str = "f32") -> Backend:
        card = replace(
            zoo.load("mb3-coco").card,
            name="mirror",
            classes=("first", "second", "third"),
            stride=1,
            box_form="size",
            input=input_format,
        )
        return open_backend(name, zoo.Model(card, path), precision=precision)

    return opened


def save_mirror(path: Path) -> None:
    kernels = {
        "heatmap": np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1),
        "size": np.eye(3, dtype=np.float32)[:2].repeat(9, axis=1).reshape(2, 3, 3, 3),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["images", f"{name}.kernel"], [name], pads=[kernel.shape[2] // 2] * 4)
            for name, kernel in kernels.items()
        ],
        "mirror",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", kernel.shape[0], "h", "w"])
            for name, kernel in kernels.items()
        ],
        [onnx.numpy_helper.from_array(kernel, f"{name}.kernel") for name, kernel in kernels.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def random_images(count: int = 2, height: int = 16, width: int = 24) -> ImageArray:
    return np.random.default_rng(7).integers(0, 256, (count, height, width, 3), np.uint8)


def sums_of_3_x_3(planes: np.ndarray) -> np.ndarray:
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)))
    height, width = planes.shape[1:]
    return sum(padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3))


@pytest.mark.parametrize("name", OPEN_ONNX)
@pytest.mark.parametrize("format_name", FORMATS)
def test_the_network_gets_what_the_card_says(mirror: MirrorBackend, name: str, format_name: str) -> None:
    input_format = FORMATS[format_name]
    images = random_images()
    for image, output in zip(images, mirror(name, input_format).infer(images), strict=True):
        truth = reference.normalise(image, input_format)
        np.testing.assert_allclose(output.heatmap, truth, rtol=1e-5, atol=1e-5)
        # The zeros that a layer pads with are zeros of the normalised image.
        np.testing.assert_allclose(output.size, sums_of_3_x_3(truth[:2]), rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("format_name", FORMATS)
def test_bfloat16_starts_after_the_normalisation(mirror: MirrorBackend, format_name: str) -> None:
    input_format = FORMATS[format_name]
    try:
        backend = mirror("openvino", input_format, "bf16")
    except BackendError as error:
        pytest.skip(str(error))
    images = random_images()
    for image, output in zip(images, backend.infer(images), strict=True):
        truth = reference.normalise(image, input_format)
        # One rounding to 8 bits, as if normalised outside. Steps in bfloat16 would be off by 4e-3 near nought.
        np.testing.assert_allclose(output.heatmap, truth, rtol=2**-8, atol=2e-5)


@pytest.mark.parametrize("name", OPEN_ONNX)
@pytest.mark.parametrize("format_name", BLACK_BECOMES)
def test_padding_is_black_and_then_normalised(mirror: MirrorBackend, name: str, format_name: str) -> None:
    input_format = replace(FORMATS[format_name], multiple=SIDE)
    white = np.full((20, 40, 3), 255, np.uint8)
    fitted = fit_letterbox(40, 20, input_format)
    boxed = letterbox(white, fitted)
    (output,) = mirror(name, input_format).infer(boxed[None])
    assert fitted.pad_top == 8
    for rows in (slice(0, fitted.pad_top), slice(fitted.pad_top + fitted.image_height, None)):
        np.testing.assert_array_equal(boxed[rows], 0)
        np.testing.assert_allclose(output.heatmap[0, rows], BLACK_BECOMES[format_name], rtol=1e-5)


@pytest.mark.parametrize("name", OPEN_ONNX)
def test_a_shape_met_again_is_normalised_once(mirror: MirrorBackend, name: str) -> None:
    input_format = FORMATS["BGR, all"]
    backend = mirror(name, input_format)
    for height, width in [(4, 6), (6, 4), (1, 1), (4, 6)]:
        image = random_images(1, height, width)
        truth = reference.normalise(image[0], input_format)
        np.testing.assert_allclose(backend.infer(image)[0].heatmap, truth, rtol=1e-5, atol=1e-5)


@given(
    st.builds(
        InputFormat,
        channel_order=st.sampled_from(["RGB", "BGR"]),
        scale=st.sampled_from([1.0, 1 / 255, 2.0]),
        mean=st.tuples(*[st.sampled_from([0.0, 0.45, 120.0])] * 3),
        std=st.tuples(*[st.sampled_from([1.0, 0.25, 58.0])] * 3),
    ),
    st.integers(1, 3),
)
def test_planes_equal_the_explanation(input_format: InputFormat, count: int) -> None:
    images = random_images(count, 3, 5)
    in_torch = normalise(torch.from_numpy(images), input_format).numpy()
    planes = to_planes(images, input_format)
    assert planes.dtype == np.float32
    assert planes.flags.c_contiguous
    for image, *found in zip(images, planes, in_torch, strict=True):
        for each in found:
            np.testing.assert_allclose(each, reference.normalise(image, input_format), rtol=1e-5, atol=1e-4)
