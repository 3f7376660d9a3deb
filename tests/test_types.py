import numpy as np
import pytest

from heatprop.errors import HeatpropError, InvalidArrayError
from heatprop.types import Detections, Frame, HeadOutput


@pytest.mark.parametrize(
    ("heatmap", "size", "offset", "message"),
    [
        ((4, 6), (2, 4, 6), None, r"heatmap has shape \(4, 6\)"),
        ((0, 4, 6), (2, 4, 6), None, "no side may be 0"),
        ((3, 4, 6), (3, 4, 6), None, r"size has shape \(3, 4, 6\)"),
        ((3, 4, 6), (2, 6, 4), None, r"size has shape \(2, 6, 4\)"),
        ((3, 4, 6), (4, 4, 6), (1, 4, 6), r"offset has shape \(1, 4, 6\)"),
    ],
)
def test_head_outputs_of_wrong_shapes_are_refused_by_name(heatmap, size, offset, message):
    with pytest.raises(InvalidArrayError, match=message) as caught:
        HeadOutput(np.zeros(heatmap), np.zeros(size), None if offset is None else np.zeros(offset))
    assert isinstance(caught.value, HeatpropError | ValueError)
    assert "\n" not in str(caught.value)


def test_head_outputs_of_other_float_types_are_converted():
    output = HeadOutput(np.zeros((3, 4, 6), np.float16), np.ones((4, 4, 6)), np.zeros((2, 4, 6)))
    assert {output.heatmap.dtype, output.size.dtype, output.offset.dtype} == {np.dtype(np.float32)}


@pytest.mark.parametrize("value", ["text", None, object(), np.zeros((3, 4, 6), complex), [[1, 2], [3]]])
def test_what_is_no_numeric_array_is_refused(value):
    with pytest.raises(InvalidArrayError, match="heatmap is not a numeric array"):
        HeadOutput(value, np.zeros((2, 4, 6)))


def test_detections_check_that_there_is_one_row_an_object():
    with pytest.raises(InvalidArrayError, match=r"boxes has shape \(1, 4\)"):
        Detections(np.zeros((1, 4)), [0.5, 0.4], [0, 1])
    with pytest.raises(InvalidArrayError, match="lengths has shape"):
        Detections(np.zeros((2, 4)), [0.5, 0.4], [0, 1], [1])
    with pytest.raises(InvalidArrayError, match=r"labels .* not whole"):
        Detections(np.zeros((2, 4)), [0.5, 0.4], [0, 1.7])
    assert Detections.empty().boxes.shape == Detections([], [], []).boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 6, 3), np.float32), "float32"),
        (np.zeros((4, 6), np.uint8), r"\(4, 6\)"),
        (np.zeros((4, 6, 4), np.uint8), r"\(4, 6, 4\)"),
        (np.zeros((0, 6, 3), np.uint8), r"\(0, 6, 3\)"),
        ("frame.jpg", "str"),
    ],
)
def test_a_picture_must_be_uint8_rgb(image, message):
    with pytest.raises(InvalidArrayError, match=message):
        Frame(image, 0, 0.0)
