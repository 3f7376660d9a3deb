"""`golden/networks/preprocessing.npz`: two random images as CenterNet itself prepares them, and its boxes.

Of each image a band of 24 rows is kept, of the warped image the rows that depend on nothing else.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from heatprop.errors import InvalidArrayError
from heatprop.lab.networks import NetworkOutput
from heatprop.lab.networks.preprocessing import boxes_to_image, fix_res, keep_res, predict, preprocess
from heatprop.lab.networks.published import published_input
from heatprop.letterbox import InputFormat, boxes_to_frame, fit_letterbox
from lab.networks.published_files import GOLDEN

sides = st.integers(1, 3000)
boxes = st.lists(st.tuples(*[st.floats(-100, 300, width=32)] * 4), max_size=5)


@pytest.mark.parametrize("case", [0, 1])
def test_fix_res_gives_the_published_input(case: int) -> None:
    with np.load(GOLDEN / "preprocessing.npz") as file:
        golden = {key.removesuffix(f"_{case}"): file[key] for key in file if key.endswith(f"_{case}")}
    height, width = golden["image_shape"]
    image = np.zeros((height, width, 3), np.uint8)
    top = int(golden["band_top"])
    image[top : top + len(golden["band"])] = golden["band"][:, :, ::-1]
    warp = fix_res(width, height)
    np.testing.assert_allclose(warp.matrix, golden["affine_in"], rtol=0, atol=1e-9)
    # OpenCV's versions differ: at most 6 levels, and less than 0.1 in the mean.
    rows = slice(int(golden["warped_top"]), int(golden["warped_top"]) + len(golden["warped"]))
    levels = preprocess(image, warp, InputFormat(512, 512, "BGR"))[:, rows].transpose(1, 2, 0)
    difference = np.abs(levels - golden["warped"])
    assert difference.max() <= 6
    assert difference.mean() < 0.1
    values = preprocess(image, warp, published_input(80))
    channels, row, column = golden["sample_pos"].T
    difference = np.abs(values[channels, row, column] - golden["sample_val"])
    assert difference.max() <= 6 / 255 / 0.274
    assert difference.mean() < 0.1 / 255 / 0.274


@pytest.mark.parametrize("case", [0, 1])
def test_boxes_come_out_where_the_published_code_puts_them(case: int) -> None:
    with np.load(GOLDEN / "preprocessing.npz") as golden:
        height, width = golden[f"image_shape_{case}"]
        cells, expected = golden[f"detections_cells_{case}"], golden[f"detections_px_{case}"]
    found = boxes_to_image(cells[:, :4], fix_res(width, height))
    grouped = np.argsort(cells[:, 5], kind="stable")
    np.testing.assert_array_equal(cells[grouped, 5], expected[:, 5])
    np.testing.assert_allclose(found[grouped], expected[:, :4], rtol=0, atol=1e-3)


@given(sides, sides, st.sampled_from([128, 384, 512]), boxes)
def test_boxes_go_there_and_back(width: int, height: int, side: int, shares: list[tuple[float, ...]]) -> None:
    image = np.array(shares, np.float64).reshape(-1, 4)
    for warp in (fix_res(width, height, side), keep_res(width, height)):
        corners = image.reshape(-1, 2) @ warp.matrix[:, :2].T + warp.matrix[:, 2]
        back = boxes_to_image(corners.reshape(-1, 4) / 4, warp)
        np.testing.assert_allclose(back, image, rtol=1e-6, atol=1e-3)


@given(sides, sides)
def test_the_whole_image_fits_and_is_centred(width: int, height: int) -> None:
    for warp in (fix_res(width, height), keep_res(width, height)):
        assert warp.input_width % 32 == warp.input_height % 32 == 0
        right = warp.input_width - (warp.shift_x + width * warp.scale)
        below = warp.input_height - (warp.shift_y + height * warp.scale)
        assert abs(right - warp.shift_x) <= 1 + 1e-9
        assert abs(below - warp.shift_y) <= 1 + 1e-9
        assert min(warp.shift_x, warp.shift_y, right, below) >= -1e-9


def test_keep_res_keeps_every_pixel() -> None:
    image = np.random.default_rng(0).integers(0, 256, (50, 71, 3), np.uint8)
    values = preprocess(image, keep_res(71, 50), InputFormat())
    assert values.shape == (3, 64, 96)
    np.testing.assert_array_equal(values[:, 7:57, 13:84], image.transpose(2, 0, 1))
    assert values.sum() == image.sum(dtype=np.float64)


def test_it_agrees_with_the_letterbox_where_boxes_are() -> None:
    cells = np.float32([[10, 20, 60, 90]])
    letterboxed = boxes_to_frame(cells, fit_letterbox(640, 480, published_input(80)), 4)
    np.testing.assert_allclose(boxes_to_image(cells, fix_res(640, 480)), letterboxed, atol=1e-3)


class Echo(nn.Module):
    """Says in each cell the mean of its 4 x 4 pixels; the offset is the first channel's."""

    def __init__(self, has_offset: bool) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.has_offset = has_offset

    def forward(self, images: torch.Tensor) -> NetworkOutput:
        cells = nn.functional.avg_pool2d(images, 4) * self.scale
        return NetworkOutput(cells, cells[:, :2], cells[:, [0, 0]] if self.has_offset else None)


@pytest.mark.parametrize("has_offset", [True, False])
def test_the_flip_test_means_all_but_the_offset(has_offset: bool) -> None:
    values = np.random.default_rng(1).normal(size=(3, 16, 24)).astype(np.float32)
    network = Echo(has_offset)
    plain = predict(network, values)
    mirrored = predict(network, np.ascontiguousarray(values[:, :, ::-1]))
    flipped = predict(network, values, flip_test=True)
    # Echo treats left and right alike, so its mirrored maps are the plain ones again.
    np.testing.assert_allclose(mirrored.heatmap[:, :, ::-1], plain.heatmap, atol=1e-6)
    np.testing.assert_allclose(flipped.heatmap, plain.heatmap, atol=1e-6)
    assert (flipped.offset is None) == (not has_offset)
    # One that prefers the left gives the mean of both.
    values[:, :, 0] += 5
    lopsided = Lopsided()
    flipped = predict(lopsided, values, flip_test=True)
    a = predict(lopsided, values)
    b = predict(lopsided, np.ascontiguousarray(values[:, :, ::-1]))
    np.testing.assert_allclose(flipped.heatmap, (a.heatmap + b.heatmap[:, :, ::-1]) / 2, atol=1e-6)
    np.testing.assert_allclose(flipped.size, (a.size + b.size[:, :, ::-1]) / 2, atol=1e-6)
    np.testing.assert_array_equal(flipped.offset, a.offset)


class Lopsided(Echo):
    def __init__(self) -> None:
        super().__init__(True)

    def forward(self, images: torch.Tensor) -> NetworkOutput:
        return super().forward(images * torch.linspace(1, 0, images.shape[3]))


def test_bad_arrays_are_refused() -> None:
    with pytest.raises(InvalidArrayError, match=r"^image is float64; pass a NumPy array of uint8"):
        preprocess(np.zeros((4, 4, 3)), fix_res(4, 4), InputFormat())
    with pytest.raises(
        InvalidArrayError, match=r"^boxes_cells has shape \(3,\); it must be \(boxes, 4\) as xyxy$"
    ):
        boxes_to_image(np.zeros(3), fix_res(4, 4))


def test_pascal_networks_have_their_own_normalisation() -> None:
    assert published_input(20).mean == (0.485, 0.456, 0.406)
    assert replace(
        published_input(20), mean=published_input(80).mean, std=published_input(80).std
    ) == published_input(80)
