"""Against slow, obvious decoders."""

from __future__ import annotations

import numpy as np
import pytest

from compared_layouts import assert_same
from heatprop import layouts
from heatprop.errors import InvalidArrayError, LayoutError
from heatprop.types import Detections
from reference import layouts as reference

HEIGHT, WIDTH, CLASSES = 64, 96, 7
CELLS = sum(-(-HEIGHT // stride) * -(-WIDTH // stride) for stride in (8, 16, 32))
CELLS_PLUS = CELLS + 2


def _table(rows: int, columns: int, first_score: int = 4) -> np.ndarray:
    """Boxes within the input, then scores."""
    random = np.random.default_rng(rows + columns)
    table = random.uniform(10, 60, (rows, columns)).astype(np.float32)
    table[:, first_score:] = random.uniform(0, 1, (rows, columns - first_score))
    return table


def _detections(found: list[reference.Found], floor: float) -> Detections:
    kept = [each for each in found if each[1] >= floor and each[2][2] > each[2][0] and each[2][3] > each[2][1]]
    labels, scores, boxes = zip(*kept, strict=True)
    return Detections(boxes, scores, labels)


@pytest.mark.parametrize("floor", [layouts.SCORE_FLOOR, 0.5])
def test_yolov5_multiplies_objectness_and_class(floor: float) -> None:
    table = _table(3 * CELLS, 5 + CLASSES)
    found = layouts.get("yolov5").decode({"output0": table[None]}, HEIGHT, WIDTH, CLASSES, floor)
    assert_same(found, _detections(reference.yolov5(table), floor))


def test_yolov8_is_read_either_way_round() -> None:
    table = _table(CELLS, 4 + CLASSES).T
    wanted = _detections(reference.yolov8(table), layouts.SCORE_FLOOR)
    for shown in (table[None], table, table.T[None]):
        assert_same(layouts.get("yolov8").decode({"output0": shown}, HEIGHT, WIDTH, CLASSES), wanted)


def test_end_to_end_boxes_are_taken_as_they_are() -> None:
    random = np.random.default_rng(1)
    low = random.uniform(0, 40, (30, 2))
    table = np.concatenate([low, low + 20, random.uniform(0, 1, (30, 1)), random.integers(0, 7, (30, 1))], axis=1)
    wanted = _detections(reference.yolo_end2end(table), layouts.SCORE_FLOOR)
    layout = layouts.get("yolo-end2end")
    assert_same(layout.decode({"output0": table[None].astype(np.float32)}, HEIGHT, WIDTH, CLASSES), wanted)
    of_yolov7 = np.concatenate([np.zeros((30, 1)), table[:, :4], table[:, 5:], table[:, 4:5]], axis=1)
    assert_same(layout.decode({"output": of_yolov7.astype(np.float32)}, HEIGHT, WIDTH, CLASSES), wanted)


def test_rows_of_nought_that_fill_up_are_nothing() -> None:
    table = np.zeros((1, 300, 6), np.float32)
    assert len(layouts.get("yolo-end2end").decode({"output0": table}, HEIGHT, WIDTH, CLASSES, 0.0)) == 0


@pytest.mark.parametrize(
    ("name", "strides", "offset"), [("nanodet", (8, 16, 32), 0.5), ("nanodet-plus", (8, 16, 32, 64), 0.0)]
)
def test_nanodet_in_every_form(name: str, strides: tuple[int, ...], offset: float) -> None:
    places = reference.places(HEIGHT, WIDTH, strides, offset)
    table = _table(len(places), CLASSES + 32, CLASSES) * 4
    table[:, :CLASSES] = np.random.default_rng(3).uniform(0, 1, (len(places), CLASSES))
    wanted = _detections(reference.distributions(table, CLASSES, places), layouts.SCORE_FLOOR)
    logits = table.copy()
    logits[:, :CLASSES] = np.log(table[:, :CLASSES] / (1 - table[:, :CLASSES]))
    pairs, maps, start = {}, {}, 0
    for stride in strides[::-1]:
        rows, columns = -(-HEIGHT // stride), -(-WIDTH // stride)
        start = sum(-(-HEIGHT // each) * -(-WIDTH // each) for each in strides if each < stride)
        level = table[start : start + rows * columns]
        pairs[f"cls_pred_stride_{stride}"] = level[None, :, :CLASSES]
        pairs[f"dis_pred_stride_{stride}"] = level[None, :, CLASSES:]
        maps[f"head{stride}"] = level.T.reshape(1, -1, rows, columns)
    for form in ({"output": table[None]}, {"output": logits[None]}, pairs, maps):
        assert_same(layouts.get(name).decode(form, HEIGHT, WIDTH, CLASSES), wanted)


def test_boxes_labels_and_scores_of_the_authors_of_rtdetr() -> None:
    boxes = np.array([[[1, 2, 30, 40], [5, 5, 9, 9]]], np.float32)
    tensors = {"labels": np.array([[3, 0]]), "boxes": boxes, "scores": np.array([[0.25, 0.75]], np.float32)}
    found = layouts.get("rtdetr").decode(tensors, HEIGHT, WIDTH, CLASSES)
    assert found.labels.tolist() == [0, 3]
    assert found.boxes.tolist() == [[5, 5, 9, 9], [1, 2, 30, 40]]


def test_boxes_of_mmdeploy_carry_their_scores() -> None:
    tensors = {"dets": np.array([[[1, 2, 30, 40, 0.5]]], np.float32), "labels": np.array([[6]])}
    found = layouts.get("rtmdet").decode(tensors, HEIGHT, WIDTH, CLASSES)
    assert (found.labels.tolist(), found.scores.tolist()) == ([6], [0.5])


def test_boxes_of_paddle_have_the_class_first() -> None:
    tensors = {"boxes": np.array([[2, 0.5, 1, 2, 30, 40]], np.float32), "count": np.array([1])}
    found = layouts.get("picodet").decode(tensors, HEIGHT, WIDTH, CLASSES)
    assert (found.labels.tolist(), found.boxes.tolist()) == ([2], [[1, 2, 30, 40]])


def test_scores_that_are_no_probabilities_are_refused_in_one_line() -> None:
    table = _table(CELLS, 4 + CLASSES).T * 30
    with pytest.raises(LayoutError, match=r"scores reach 30, where layout 'yolov8' has probabilities") as caught:
        layouts.get("yolov8").decode({"output0": np.ceil(table)[None]}, HEIGHT, WIDTH, CLASSES)
    assert "\n" not in str(caught.value)


def test_queries_of_ultralytics_rtdetr_are_fractions_with_one_class() -> None:
    table = np.array([[[0.5, 0.25, 0.2, 0.5, 0.9, 3]]], np.float32)
    found = layouts.get("rtdetr-end2end").decode({"output0": table}, 100, 200, CLASSES)
    np.testing.assert_allclose(found.boxes, [[80, 0, 120, 50]], atol=1e-4)
    assert (found.scores.tolist(), found.labels.tolist()) == ([np.float32(0.9)], [3])


def test_the_sides_of_an_enormous_box_end_beyond_all_images() -> None:
    """A network that has learned little says exponents without measure; frames end long before."""
    table = np.zeros((1, 84, 5 + CLASSES), np.float32)  # as the head of a YOLOX leaves it, for 64 x 64
    table[0, 0] = [0, 0, 19, 1, 1, 1, *[0] * (CLASSES - 1)]
    found = layouts.get("yolox").decode({"output": table}, 64, 64, CLASSES)
    assert found.boxes[0, [0, 2]].tolist() == [-16384, 32768]
    np.testing.assert_allclose(found.boxes[0, [1, 3]], [-4 * np.e, 4 * np.e], atol=1e-4)


def test_fractions_in_place_of_pixels_are_told_with_the_layout_that_has_them() -> None:
    table = np.random.default_rng(4).random((1, 300, 6), np.float32)
    with pytest.raises(LayoutError, match=r"all 300 boxes lie within 2 pixels.* --layout rtdetr-end2end"):
        layouts.get("yolo-end2end").decode({"output0": table}, HEIGHT, WIDTH, CLASSES)
    assert len(layouts.get("yolo-end2end").decode({"output0": 0 * table}, HEIGHT, WIDTH, CLASSES)) == 0


def test_boxes_with_crossed_sides_are_left_out_unless_nearly_all_are_crossed() -> None:
    table = np.zeros((1, 5, 6), np.float32)
    table[0] = [10, 20, 30, 40, 0.9, 1]
    table[0, :4, 3] = 5
    assert len(layouts.get("yolo-end2end").decode({"output0": table}, HEIGHT, WIDTH, CLASSES)) == 1
    table[0, 4, 2] = 5
    with pytest.raises(LayoutError, match=r"reads boxes such as \[10.0, 20.0, 30.0, 5.0\], whose right or lower"):
        layouts.get("yolo-end2end").decode({"output0": table}, HEIGHT, WIDTH, CLASSES)


@pytest.mark.parametrize("classes", [3, 4, 5])
@pytest.mark.parametrize("order", [("bbox_regression", "cls_logits"), ("cls_logits", "bbox_regression")])
@pytest.mark.parametrize(("name", "side", "anchors"), [("ssd", 300, 8732), ("retinanet", 64, 774)])
def test_boxes_and_classes_are_told_apart_where_there_are_four_of_each(
    name: str, side: int, anchors: int, order: tuple[str, str], classes: int
) -> None:
    tensors = {
        "bbox_regression": np.zeros((1, anchors, 4), np.float32),
        "cls_logits": np.full((1, anchors, classes), -9, np.float32),
    }
    tensors["cls_logits"][0, 40, 2] = 9
    found = layouts.get(name).decode({key: tensors[key] for key in order}, side, side, classes, 0.5)
    assert found.labels.tolist() == [2]
    assert found.scores[0] > 0.99


def test_numbers_that_are_none_are_refused() -> None:
    table = _table(CELLS, 4 + CLASSES).T
    table[5, 3] = np.nan
    with pytest.raises(InvalidArrayError, match="not finite"):
        layouts.get("yolov8").decode({"output0": table[None]}, HEIGHT, WIDTH, CLASSES)


def test_a_class_beyond_those_there_are_is_refused() -> None:
    table = np.array([[[1, 2, 3, 4, 0.9, CLASSES]]], np.float32)
    with pytest.raises(LayoutError, match="reads class 7 of 7"):
        layouts.get("yolo-end2end").decode({"output0": table}, HEIGHT, WIDTH, CLASSES)


@pytest.mark.parametrize("name", layouts.names())
def test_tensors_of_something_else_are_refused(name: str) -> None:
    with pytest.raises(LayoutError, match=r"features 1x3x11x13"):
        layouts.get(name).decode({"features": np.zeros((1, 3, 11, 13), np.float32)}, HEIGHT, WIDTH, CLASSES)
