from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heatprop.errors import InvalidArrayError, InvalidConfigError
from heatprop.letterbox import (
    InputFormat,
    Letterbox,
    boxes_to_cells,
    boxes_to_frame,
    fit_letterbox,
    letterbox,
)
from reference import letterbox as reference

STRIDE = 4
PUBLISHED = InputFormat(
    multiple=512, channel_order="BGR", scale=1 / 255, mean=(0.41, 0.45, 0.47), std=(0.29, 0.27, 0.28)
)

sides = st.integers(1, 5000)
formats = st.builds(
    lambda times, multiple, place: InputFormat(longest_side=times * multiple, multiple=multiple, place=place),
    st.integers(1, 24),
    st.sampled_from([1, 4, 32, 128]),
    st.sampled_from(["centre", "top-left"]),
)
fixed = st.builds(
    lambda size, fit, place: InputFormat(fixed_size=size, fit=fit, place=place),
    st.tuples(st.integers(1, 900), st.integers(1, 900)),
    st.sampled_from(["letterbox", "stretch"]),
    st.sampled_from(["centre", "top-left"]),
)
squares = st.builds(lambda times: InputFormat(longest_side=32 * times, fit="stretch"), st.integers(1, 24))


@given(sides, sides, formats | fixed | squares)
def test_geometry_equals_the_explanation(width: int, height: int, input_format: InputFormat) -> None:
    fitted = fit_letterbox(width, height, input_format)
    for name, value in reference.geometry(width, height, input_format).items():
        assert getattr(fitted, name) == value, name


@given(sides, sides, formats)
def test_the_longest_side_fits_and_no_side_is_lost(width: int, height: int, input_format: InputFormat) -> None:
    fitted = fit_letterbox(width, height, input_format)
    assert max(fitted.image_width, fitted.image_height) == input_format.longest_side
    assert min(fitted.image_width, fitted.image_height) >= 1
    for scaled, padded in (
        (fitted.image_width, fitted.input_width),
        (fitted.image_height, fitted.input_height),
    ):
        assert padded % input_format.multiple == 0
        assert scaled <= padded < scaled + input_format.multiple


@given(sides, sides, fixed | squares)
def test_an_input_of_one_size_is_of_that_size_and_holds_the_image(
    width: int, height: int, input_format: InputFormat
) -> None:
    fitted = fit_letterbox(width, height, input_format)
    longest = input_format.longest_side
    assert (fitted.input_height, fitted.input_width) == (input_format.fixed_size or (longest, longest))
    assert fitted.pad_left + fitted.image_width <= fitted.input_width
    assert fitted.pad_top + fitted.image_height <= fitted.input_height
    if input_format.fit == "stretch":
        assert (fitted.image_height, fitted.image_width) == (fitted.input_height, fitted.input_width)
    if input_format.place == "top-left":
        assert (fitted.pad_left, fitted.pad_top) == (0, 0)


def test_padding_has_the_grey_level_that_the_network_was_trained_with() -> None:
    fitted = fit_letterbox(8, 4, InputFormat(longest_side=32, multiple=32, place="top-left", padding=114))
    laid = letterbox(np.full((4, 8, 3), 200, np.uint8), fitted)
    assert (laid[:16] == 200).all()
    assert (laid[16:] == 114).all()


@given(sides, sides, formats | fixed | squares, st.lists(st.tuples(*[st.floats(0, 1)] * 4), max_size=8))
def test_boxes_within_the_frame_come_back(
    width: int, height: int, input_format: InputFormat, shares: list[tuple[float, ...]]
) -> None:
    fitted = fit_letterbox(width, height, input_format)
    corners = np.sort(np.array(shares, np.float32).reshape(-1, 2, 2), axis=1)
    boxes = corners.reshape(-1, 4) * np.float32([width, height, width, height])
    back = boxes_to_frame(boxes_to_cells(boxes, fitted, STRIDE), fitted, STRIDE)
    assert back.dtype == np.float32
    # float32 cells hold 7 digits; an image of a few pixels of a large frame magnifies their rounding
    tolerance = 1e-3 * max(1.0, 1 / fitted.scale_x, 1 / fitted.scale_y)
    np.testing.assert_allclose(back, boxes, rtol=0, atol=tolerance)


@given(sides, sides, st.tuples(*[st.floats(-50, 200, width=32)] * 4))
def test_boxes_to_frame_equals_the_explanation(
    width: int, height: int, box: tuple[float, float, float, float]
) -> None:
    fitted = fit_letterbox(width, height, InputFormat())
    expected = reference.box_to_frame(box, (width, height), InputFormat(), STRIDE)
    np.testing.assert_allclose(
        boxes_to_frame(np.float32([box]), fitted, STRIDE)[0], expected, rtol=1e-6, atol=1e-6
    )


def test_no_boxes_stay_no_boxes() -> None:
    fitted = fit_letterbox(640, 272, InputFormat())
    assert boxes_to_frame(np.empty((0, 4), np.float32), fitted, STRIDE).shape == (0, 4)
    assert boxes_to_cells(np.empty((0, 4), np.float32), fitted, STRIDE).shape == (0, 4)


@pytest.mark.parametrize(("width", "height"), [(1, 5000), (5000, 1), (1, 1), (2, 3000), (513, 511), (4096, 2160)])
def test_extreme_images_become_valid_inputs(width: int, height: int) -> None:
    fitted = fit_letterbox(width, height, InputFormat())
    boxed = letterbox(np.full((height, width, 3), 255, np.uint8), fitted)
    assert boxed.shape == (fitted.input_height, fitted.input_width, 3)
    assert boxed.sum() == 3 * 255 * fitted.image_width * fitted.image_height


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))),
    st.sampled_from([InputFormat(32, 16), InputFormat(32, 32), replace(PUBLISHED, longest_side=32, multiple=32)]),
)
def test_pixels_equal_the_explanation_whatever_the_normalisation(
    image: np.ndarray, input_format: InputFormat
) -> None:
    fitted = fit_letterbox(image.shape[1], image.shape[0], input_format)
    canvas = np.zeros((fitted.input_height, fitted.input_width, 3), np.uint8)
    bottom, right = fitted.pad_top + fitted.image_height, fitted.pad_left + fitted.image_width
    scaled = cv2.resize(image, (fitted.image_width, fitted.image_height), interpolation=cv2.INTER_LINEAR)
    canvas[fitted.pad_top : bottom, fitted.pad_left : right] = scaled
    boxed = letterbox(image, fitted)
    assert boxed.dtype == np.uint8
    assert boxed.flags.c_contiguous
    np.testing.assert_array_equal(boxed, canvas)


@given(st.integers(1, 300), st.integers(1, 300))
def test_padding_is_black_and_only_around_the_image(width: int, height: int) -> None:
    fitted = fit_letterbox(width, height, PUBLISHED)
    outside = np.ones((512, 512), bool)
    outside[fitted.pad_top :, fitted.pad_left :][: fitted.image_height, : fitted.image_width] = False
    boxed = letterbox(np.full((height, width, 3), 200, np.uint8), fitted)
    assert not boxed[outside].any()
    assert (boxed[~outside] == 200).all()


def test_an_image_of_the_right_size_is_not_resampled() -> None:
    image = np.random.default_rng(1).integers(0, 256, (224, 512, 3), np.uint8)
    boxed = letterbox(image, fit_letterbox(512, 224, InputFormat()))
    np.testing.assert_array_equal(boxed, image)
    assert not np.shares_memory(boxed, image)


@pytest.mark.parametrize("width", [2048, 1920, 1280, 1000])
def test_shrinking_reads_every_pixel(width: int) -> None:
    stripes = np.zeros((width, width, 3), np.uint8)
    stripes[:, ::2] = 255  # linear sampling alone would keep one kind of stripe or the other, in broad bands
    fitted = fit_letterbox(width, width, InputFormat(256))
    boxed = letterbox(stripes, fitted)
    assert np.abs(boxed - 127.5).max() < 30


def test_a_landmark_lands_where_the_geometry_says() -> None:
    image = np.zeros((1080, 1920, 3), np.uint8)
    image[300:340, 1500:1560] = 255
    fitted = fit_letterbox(1920, 1080, InputFormat())
    rows, columns = np.nonzero(letterbox(image, fitted)[..., 0] > 127)
    found = np.float32([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]) / STRIDE
    np.testing.assert_allclose(
        boxes_to_frame(found, fitted, STRIDE)[0], [1500, 300, 1560, 340], atol=0.5 / fitted.scale_x
    )


def test_the_input_image_stays_as_it_is() -> None:
    image = np.random.default_rng(2).integers(0, 256, (90, 160, 3), np.uint8)
    before = image.copy()
    letterbox(image, fit_letterbox(160, 90, PUBLISHED))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"longest_side": 500}, "longest_side is 500"),
        ({"longest_side": 0}, "longest_side is 0"),
        ({"multiple": 0}, "multiple is 0"),
        ({"channel_order": "GRB"}, "'GRB'"),
        ({"scale": 0.0}, "scale is 0.0"),
        ({"scale": float("nan")}, "scale is nan"),
        ({"mean": (0.0, 1.0)}, "mean is"),
        ({"std": (1.0, 0.0, 1.0)}, "std is"),
    ],
)
def test_an_impossible_format_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidConfigError, match=message):
        InputFormat(**arguments)  # type: ignore[arg-type]


def test_what_is_no_image_or_box_is_refused() -> None:
    fitted: Letterbox = fit_letterbox(640, 272, InputFormat())
    with pytest.raises(InvalidArrayError, match="fitted to 640x272"):
        letterbox(np.zeros((640, 272, 3), np.uint8), fitted)
    with pytest.raises(InvalidArrayError, match="float64"):
        letterbox(np.zeros((272, 640, 3)), fitted)  # type: ignore[arg-type]
    with pytest.raises(InvalidArrayError, match="0x5"):
        fit_letterbox(0, 5, InputFormat())
    with pytest.raises(InvalidArrayError, match="boxes_cells"):
        boxes_to_frame(np.zeros((3, 5), np.float32), fitted, STRIDE)


@given(st.integers(1, 4000), st.integers(1, 4000), st.floats(1 / 16, 16))
def test_pixels_that_are_not_square_become_so(width: int, height: int, ratio: float) -> None:
    fitted = fit_letterbox(width, height, InputFormat(), ratio)
    assert max(fitted.image_width, fitted.image_height) == InputFormat().longest_side
    if min(fitted.image_width, fitted.image_height) > 50:
        assert fitted.image_width / fitted.image_height == pytest.approx(width * ratio / height, rel=0.02)
    boxes = np.array([[0, 0, width, height]], np.float32)
    there = boxes_to_cells(boxes, fitted, 4)
    np.testing.assert_allclose(there[0], fitted.image_area(4), atol=0.01)
    np.testing.assert_allclose(boxes_to_frame(there, fitted, 4), boxes, rtol=1e-3, atol=0.01)
