from __future__ import annotations

import pytest

from heatprop import layouts
from heatprop.errors import LayoutError
from heatprop.layouts import Recognition, TensorInfo

COCO_META = {"names": str(dict(enumerate(f"name {n}" for n in range(80)))), "task": "detect"}


def recognise(
    outputs: dict[str, tuple[int, ...]],
    *,
    side: int = 640,
    meta: dict[str, str] | None = None,
    more_inputs: tuple[TensorInfo, ...] = (),
    **told: object,
) -> Recognition:
    inputs = (TensorInfo("images", (1, 3, side, side)), *more_inputs)
    return layouts.recognise(
        inputs,
        [TensorInfo(*each) for each in outputs.items()],
        meta or {},
        **told,  # type: ignore[arg-type]
    )


SIZES = TensorInfo("orig_target_sizes", (1, 2))
BY_SHAPE = [
    ("yolov5", 80, {"output0": (1, 25200, 85)}),
    ("yolov5", 80, {"output": (1, 25200, 85), "a": (1, 3, 80, 80, 85), "b": (1, 3, 40, 40, 85)}),
    ("yolov8", 80, {"output0": (1, 84, 8400)}),
    ("yolov8", 3, {"output0": (1, 7, 8400)}),
    ("yolo-end2end", 80, {"output0": (1, 300, 6)}),
    ("yolo-end2end", 80, {"output": (17, 7)}),
    ("yolox", 80, {"output": (1, 8400, 85)}),
    ("nanodet-plus", 80, {"output": (1, 8500, 112)}),
    ("nanodet", 80, {"output": (1, 8400, 112)}),
    (
        "nanodet",
        80,
        {
            f"{kind}_pred_stride_{s}": (1, (640 // s) ** 2, n)
            for kind, n in (("cls", 80), ("dis", 32))
            for s in (8, 16, 32)
        },
    ),
    ("picodet", 80, {f"o{n}{s}": (1, (640 // s) ** 2, n) for n in (80, 32) for s in (8, 16, 32, 64)}),
    ("rtmdet", 80, {"dets": (1, 100, 5), "labels": (1, 100)}),
    ("rtmdet", 80, {f"o{n}{s}": (1, n, 640 // s, 640 // s) for n in (80, 4) for s in (8, 16, 32)}),
    ("rtdetr", 80, {"logits": (1, 300, 80), "pred_boxes": (1, 300, 4)}),
    ("rtdetr", 80, {"output0": (1, 300, 84)}),
    ("rfdetr", 91, {"dets": (1, 300, 4), "labels": (1, 300, 91)}),
    ("detr", 91, {"logits": (1, 100, 92), "pred_boxes": (1, 100, 4)}),
    ("ssd", 81, {"bboxes": (1, 50, 4), "labels": (1, 50), "scores": (1, 50)}),
    ("corners", 80, {"boxes": (1, 8400, 4), "scores": (1, 8400, 80)}),
    (
        "efficientdet",
        90,
        {f"o{n}{s}": (1, n * 9, 640 // s, 640 // s) for n in (90, 4) for s in (8, 16, 32, 64, 128)},
    ),
    ("retinanet", 91, {"cls_logits": (1, 76725, 91), "bbox_regression": (1, 76725, 4)}),
    ("torchvision", 91, {"boxes": (40, 4), "scores": (40,), "labels": (40,)}),
]


@pytest.mark.parametrize(("name", "classes", "outputs"), BY_SHAPE)
def test_recognised_by_shapes(name: str, classes: int, outputs: dict[str, tuple[int, ...]]) -> None:
    recognition = recognise(outputs)
    assert recognition.layout.name == name
    assert len(recognition.classes) == classes
    assert recognition.input.fixed_size == (640, 640)
    assert recognition.reason


def test_the_authors_rtdetr_is_recognised_by_its_second_input() -> None:
    outputs = {"labels": (1, 300), "boxes": (1, 300, 4), "scores": (1, 300)}
    assert recognise(outputs, more_inputs=(SIZES,)).layout.name == "rtdetr"


def test_ultralytics_rtdetr_is_told_from_an_end_to_end_yolo_by_the_name_of_its_head() -> None:
    outputs = {"output0": (1, 300, 6)}
    found = recognise(outputs, meta=COCO_META | {"head": "RTDETRDecoder", "end2end": "False"})
    assert (found.layout.name, found.confidence, found.input.fit) == ("rtdetr-end2end", "certain", "stretch")
    assert recognise(outputs, meta=COCO_META | {"head": "Detect"}).layout.name == "yolo-end2end"
    assert recognise(outputs, layout="rtdetr-end2end").layout.name == "rtdetr-end2end"


@pytest.mark.parametrize(
    ("outputs", "families"),
    [
        ({"output": (1, 84, 8400)}, "yolov8 or --layout corners or --layout rtmdet"),
        ({"output": (1, 8400, 84)}, "yolov8 or --layout yolox or --layout corners or --layout rtmdet"),
        ({"output": (1, 8500, 84)}, "yolov8 or --layout picodet"),
        ({"output": (1, 84, 8732)}, "yolov8 or --layout ssd"),
    ],
)
def test_tables_that_lost_their_metadata_are_asked_about_not_guessed(
    outputs: dict[str, tuple[int, ...]], families: str
) -> None:
    """A converter may drop what LibreYOLO says; its boxes are corners, where YOLOv8's are centres and sizes."""
    with pytest.raises(LayoutError, match=f"may be of several families; give --layout {families}$"):
        recognise(outputs)
    for name in families.split(" or --layout "):
        assert recognise(outputs, layout=name).layout.name == name


@pytest.mark.parametrize(
    ("outputs", "name"),
    [({"output": (1, 76725, 84)}, "retinanet"), ({"output": (1, 5000, 6)}, "efficientdet")],
)
def test_the_only_family_that_fits_is_asked_about_where_nothing_speaks_for_it(
    outputs: dict[str, tuple[int, ...]], name: str
) -> None:
    with pytest.raises(LayoutError, match=f"may be of layout '{name}', but .*; give --layout {name} if they are$"):
        recognise(outputs)
    assert recognise(outputs, layout=name).layout.name == name


@pytest.mark.parametrize("classes", [2, 3, 4, 5])
def test_few_classes_are_no_boxes(classes: int) -> None:
    found = recognise({"cls_logits": (1, 76725, classes), "bbox_regression": (1, 76725, 4)})
    assert (found.layout.name, len(found.classes)) == ("retinanet", classes)
    found = recognise({"bbox_regression": (1, 8732, 4), "cls_logits": (1, 8732, classes)}, side=300)
    assert (found.layout.name, len(found.classes)) == ("ssd", classes)


def test_lists_of_boxes_are_recognised_though_an_empty_image_shows_none() -> None:
    assert recognise({"output": (0, 7)}).layout.name == "yolo-end2end"
    assert recognise({"dets": (1, 0, 5), "labels": (1, 0)}).layout.name == "rtmdet"
    assert recognise({"boxes": (0, 4), "scores": (0,), "labels": (0,)}).layout.name == "torchvision"
    paddle = (TensorInfo("scale_factor", (1, 2)),)
    assert recognise({"boxes": (0, 6), "count": (1,)}, more_inputs=paddle).layout.name == "picodet"


def test_paddle_is_recognised_by_its_second_input() -> None:
    scale = TensorInfo("scale_factor", (1, 2))
    found = recognise({"multiclass_nms3_0.tmp_0": (100, 6), "count": (1,)}, more_inputs=(scale,))
    assert (found.layout.name, found.confidence) == ("picodet", "certain")


def test_names_come_from_the_metadata_as_exporters_write_them() -> None:
    assert recognise({"output0": (1, 84, 8400)}, meta=COCO_META).classes[79] == "name 79"
    for written in ("{0: 'car', 1: 'bus'}", '{"0": "car", "1": "bus"}', "['car', 'bus']", "car\nbus", "car,bus"):
        assert recognise({"output0": (1, 6, 8400)}, meta={"names": written}).classes == ("car", "bus")


def test_names_in_the_metadata_tell_families_of_alike_shapes_apart() -> None:
    two = {"names": "['car', 'bus']"}
    assert recognise({"output0": (1, 8400, 6)}, meta=two).layout.name == "yolov8"
    assert recognise({"output0": (1, 8400, 7)}, meta=two).layout.name == "yolox"


def test_classes_without_names_are_those_of_coco_or_numbers() -> None:
    assert recognise({"output0": (1, 84, 8400)}).classes[:3] == ("person", "bicycle", "car")
    assert recognise({"dets": (1, 9, 4), "labels": (1, 9, 91)}).classes[1:4] == ("person", "bicycle", "car")
    assert recognise({"output0": (1, 6, 8400)}).classes == ("class 0", "class 1")


def test_names_that_a_person_gives_come_first() -> None:
    found = recognise({"output0": (1, 6, 8400)}, meta={"names": "['a', 'b']"}, classes=("car", "bus"))
    assert found.classes == ("car", "bus")


def test_names_that_do_not_fit_are_refused() -> None:
    with pytest.raises(LayoutError, match="there are 2 class names, but the outputs have 80 classes"):
        recognise({"output0": (1, 84, 8400)}, classes=("car", "bus"))
    with pytest.raises(LayoutError, match="there are 2 class names, but the outputs have 80 classes"):
        recognise({"output0": (1, 84, 8400)}, classes=("car", "bus"), layout="yolov8")


def test_what_may_be_either_is_asked_about() -> None:
    with pytest.raises(LayoutError, match=r"may be of several families; give .*yolov8 or --layout yolox"):
        recognise({"output0": (1, 8400, 12)})
    assert len(recognise({"output0": (1, 8400, 12)}, layout="yolov8").classes) == 8
    assert len(recognise({"output0": (1, 8400, 12)}, layout="yolox").classes) == 7


@pytest.mark.parametrize(
    ("outputs", "meta", "task"),
    [
        ({"output0": (1, 116, 8400), "output1": (1, 32, 160, 160)}, {}, "segmentation"),
        ({"output0": (1, 56, 8400)}, {"task": "pose"}, "pose"),
        ({"output0": (1, 20, 8400)}, {"task": "obb"}, "rotated boxes"),
        ({"dets": (1, 300, 4), "labels": (1, 300, 91), "masks": (1, 300, 108, 108)}, {}, "segmentation"),
        ({"boxes": (9, 4), "labels": (9,), "scores": (9,), "keypoints": (9, 17, 3)}, {}, "pose"),
        ({"output0": (1, 1000)}, {"task": "classify"}, "classification"),
    ],
)
def test_networks_for_something_else_are_refused(
    outputs: dict[str, tuple[int, ...]], meta: dict[str, str], task: str
) -> None:
    with pytest.raises(LayoutError, match=f"are for {task}") as caught:
        recognise(outputs, meta=meta)
    assert "\n" not in str(caught.value)


def test_unknown_outputs_are_described_and_the_families_named() -> None:
    with pytest.raises(
        LayoutError, match=r"features 1x512x20x20 are of no family .*--layout \(yolov5, "
    ) as caught:
        recognise({"features": (1, 512, 20, 20)})
    assert "\n" not in str(caught.value)


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(LayoutError, match="layout 'yolov99' is unknown; choose one of auto, yolov5"):
        layouts.get("yolov99")


def test_an_input_that_is_no_image_is_refused() -> None:
    with pytest.raises(LayoutError, match="takes one image as N x 3 x height x width"):
        layouts.recognise([TensorInfo("x", (1, 640, 640, 3))], [TensorInfo("y", (1, 84, 8400))], {})


@pytest.mark.parametrize(
    ("family", "outputs", "laid"),
    [
        ("yolo7", {"output": (1, 8400, 84)}, ("letterbox", "top-left", 0.0)),
        ("yolo9", {"output": (1, 84, 8400)}, ("letterbox", "centre", 0.0)),
        ("yolonas", {"a": (1, 8400, 4), "b": (1, 8400, 80)}, ("letterbox", "centre", 0.0)),
        ("ppyoloe", {"a": (1, 8400, 4), "b": (1, 8400, 80)}, ("stretch", "centre", 0.485)),
    ],
)
def test_each_family_that_libreyolo_exports_as_corners_has_its_own_input(
    family: str, outputs: dict[str, tuple[int, ...]], laid: tuple[str, str, float]
) -> None:
    found = recognise(outputs, meta=COCO_META | {"libreyolo_version": "1.6.0", "model_family": family})
    assert (found.layout.name, found.confidence) == ("corners", "certain")
    assert (found.input.fit, found.input.place, found.input.mean[0]) == laid


def test_an_open_input_has_the_size_of_the_metadata_or_of_the_family() -> None:
    inputs, outputs = [TensorInfo("images", (None, 3, None, None))], [TensorInfo("output0", (1, 84, 2100))]
    measured = {"measured_at": (320, 320)}
    assert layouts.recognise(inputs, outputs, {}, **measured).input.longest_side == 640
    found = layouts.recognise(inputs, outputs, {"imgsz": "[320, 416]"}, **measured)
    assert (found.input.longest_side, found.input.fixed_size) == (416, None)


def test_each_family_has_a_name_that_finds_it() -> None:
    assert len(set(layouts.names())) == len(layouts.names())
    assert [layouts.get(name).name for name in layouts.names()] == layouts.names()
