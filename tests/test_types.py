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
def test_an_image_must_be_uint8_rgb(image, message):
    with pytest.raises(InvalidArrayError, match=message):
        Frame(image, 0, 0.0)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("labels", [np.inf], "not finite"),
        ("labels", [-np.inf], "not finite"),
        ("labels", [np.nan], "not finite"),
        ("labels", [1e300], "beyond int64"),
        ("labels", [2.0**63], "beyond int64"),
        ("labels", [2**63], "beyond int64"),
        ("labels", np.array([2**64 - 1], np.uint64), "beyond int64"),
        ("labels", [10**400], "element type object"),
        ("labels", ["cat"], "element type <U3"),
        ("labels", [None], "element type object"),
        ("labels", [[1, 2], [3]], "inhomogeneous"),
        ("labels", np.array(["2026-01-01"], np.datetime64), "element type"),
        ("lengths", [np.inf], "not finite"),
        ("lengths", [0.5], "not whole"),
        ("lengths", [10**30], "element type object"),
        ("scores", [1e300], "beyond float32"),
        ("scores", [10**400], "element type object"),
        ("scores", ["0.5"], "element type"),
        ("boxes", [[0, 0, 1, 1e39]], "beyond float32"),
        ("boxes", [[0, 0, 1, 1j]], "element type complex"),
    ],
)
def test_detections_of_values_that_are_no_such_numbers_are_refused_in_a_line(name, value, problem):
    given = {"boxes": [[0, 0, 1, 1]], "scores": [0.5], "labels": [0], "lengths": [1]} | {name: value}
    with pytest.raises(
        InvalidArrayError, match=rf"^{name} is not a numeric array \(.*{problem}.*\); pass"
    ) as caught:
        Detections(**given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_boxes_and_scores_must_be_finite_and_the_first_that_is_not_is_named(value, dtype):
    boxes, scores = np.ones((3, 4), dtype), np.ones(3, dtype)
    scores[2] = value
    with pytest.raises(InvalidArrayError, match=rf"^scores\[2\] is {value}; pass finite numbers only$"):
        Detections(boxes, scores, [0, 0, 0])
    scores[2], boxes[1:, 3] = 1, value
    with pytest.raises(InvalidArrayError, match=rf"^boxes\[1\] is \[1.0, 1.0, 1.0, {value}\]; pass finite"):
        Detections(boxes, scores, [0, 0, 0])


def test_labels_that_are_whole_numbers_are_taken_whatever_their_type():
    for value in ([7.0], np.array([7], np.uint64), np.array([7], np.int8), [np.float16(7)], (7,)):
        assert Detections([[0, 0, 1, 1]], [0.5], value).labels.tolist() == [7]
    assert Detections([[0, 0, 1, 1]], [0.5], [2**63 - 1]).labels.tolist() == [2**63 - 1]
