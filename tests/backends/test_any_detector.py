"""Files of detectors without a card: recognised, opened by every runtime, and read as their family means it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from heatprop import VideoDetector, layouts
from heatprop.backends import available, load_model, open_backend
from heatprop.errors import BackendError, InvalidArrayError, InvalidConfigError, LayoutError, ModelError
from heatprop.propagation import BoxEvidence, DetectionPropagator, PropagationConfig
from heatprop.types import Detections
from small_detectors import SIDE, save_constant, save_torchvision, yolov8_table

RUNTIMES = [name for name in available() if name != "torch"]
BLACK = np.zeros((1, SIDE, SIDE, 3), np.uint8)
TWO = [(8.0, 4.0, 24.0, 40.0, 1, 0.9), (8.5, 4.0, 24.0, 40.0, 1, 0.8), (30.0, 30.0, 60.0, 50.0, 0, 0.25)]
BOXES = [[8, 4, 24, 40], [30, 30, 60, 50]]
NAMES = {"names": "{0: 'cat', 1: 'dog'}"}


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    return save_constant(tmp_path / "yolo.onnx", {"output0": yolov8_table(TWO)}, metadata=NAMES)


def detect(path: Path, runtime: str) -> Detections:
    (found,) = open_backend(runtime, load_model(path)).infer(BLACK)
    assert isinstance(found, Detections)
    return found


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_file_is_recognised_and_gives_one_box_for_an_object(yolo: Path, runtime: str) -> None:
    card = load_model(yolo).card
    assert (card.layout, card.classes, card.input.fixed_size) == ("yolov8", ("cat", "dog"), (SIDE, SIDE))
    found = detect(yolo, runtime)
    np.testing.assert_allclose(found.boxes, BOXES)
    np.testing.assert_allclose(found.scores, [0.9, 0.25])
    assert found.labels.tolist() == [1, 0]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_batch_is_the_same_as_its_images(yolo: Path, runtime: str) -> None:
    backend = open_backend(runtime, load_model(yolo))
    for each in backend.infer(np.concatenate([BLACK] * 3)):
        assert isinstance(each, Detections)
        np.testing.assert_allclose(each.boxes, BOXES)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_fixed_batch_is_filled_up(tmp_path: Path, runtime: str) -> None:
    table = np.concatenate([yolov8_table(TWO), yolov8_table(TWO[:1])])
    path = save_constant(tmp_path / "a.onnx", {"output0": table}, images=(2, 3, SIDE, SIDE), metadata=NAMES)
    backend = open_backend(runtime, load_model(path))
    assert [len(each) for each in backend.infer(np.concatenate([BLACK] * 3))] == [2, 1, 2]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_inputs_in_half_precision_and_without_a_batch_axis(tmp_path: Path, runtime: str) -> None:
    half = save_constant(
        tmp_path / "half.onnx", {"output0": yolov8_table(TWO)}, element=TensorProto.FLOAT16, metadata=NAMES
    )
    flat = save_constant(
        tmp_path / "flat.onnx", {"output0": yolov8_table(TWO)}, images=(3, SIDE, SIDE), metadata=NAMES
    )
    for path in (half, flat):
        np.testing.assert_allclose(detect(path, runtime).boxes, BOXES)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_sizes_are_fed_to_a_file_that_asks_for_them(tmp_path: Path, runtime: str) -> None:
    outputs = {
        "labels": np.array([[1, 0]], np.int64),
        "boxes": np.array([BOXES], np.float32),
        "scores": np.array([[0.9, 0.25]], np.float32),
    }
    others = {"orig_target_sizes": (TensorProto.INT64, (1, 2))}
    path = save_constant(tmp_path / "rtdetr.onnx", outputs, others=others, metadata=NAMES)
    assert load_model(path).card.layout == "rtdetr"
    np.testing.assert_allclose(detect(path, runtime).boxes, BOXES)


def test_the_embedded_nanodet_runs_by_its_card() -> None:
    card = load_model("nanodet-coco").card
    assert (card.layout, len(card.classes)) == ("nanodet", 80)
    outputs = [
        open_backend(runtime, load_model("nanodet-coco", input_size=64)).infer(BLACK)[0] for runtime in RUNTIMES
    ]
    assert all(isinstance(each, Detections) for each in outputs)


def test_its_own_file_without_the_card_is_recognised_as_the_same(tmp_path: Path) -> None:
    model = load_model("nanodet-coco")
    network = onnx.load(model.path)
    del network.metadata_props[:]
    onnx.save(network, tmp_path / "plain.onnx")
    plain = load_model(tmp_path / "plain.onnx")
    assert (plain.card.layout, plain.card.classes, plain.card.input) == (
        model.card.layout,
        model.card.classes,
        model.card.input,
    )


def test_names_and_layout_that_a_person_gives_come_first(yolo: Path) -> None:
    assert load_model(yolo, classes=["a", "b"]).card.classes == ("a", "b")
    assert load_model(yolo, layout="yolov8").card.layout == "yolov8"
    with pytest.raises(LayoutError, match=r"do not fit layout 'yolox'; perhaps yolov8"):
        load_model(yolo, layout="yolox")
    with pytest.raises(LayoutError, match=r"layout 'yolo99' is unknown; choose one of auto, yolov5"):
        load_model(yolo, layout="yolo99")
    with pytest.raises(LayoutError, match="3 class names"):
        load_model(yolo, classes=["a", "b", "c"], layout="yolov8")
    with pytest.raises(LayoutError, match="'a' is empty, of several lines or there twice"):
        load_model(yolo, classes=["a", "a"])


def test_a_model_with_a_card_keeps_to_it() -> None:
    with pytest.raises(LayoutError, match=r"has layout 'centernet' by its card, not 'yolox'"):
        load_model("mb3-coco", layout="yolox")
    with pytest.raises(LayoutError, match=r"there are 2 class names, but .* has 80 classes"):
        load_model("mb3-coco", classes=["a", "b"])
    names = [f"thing {number}" for number in range(80)]
    assert load_model("mb3-coco", classes=names).card.classes == tuple(names)


@pytest.mark.parametrize(
    ("outputs", "metadata", "said"),
    [
        ({"out": np.zeros((1, 7, 3), np.float32)}, {}, "no family that heatprop knows; say which with --layout"),
        ({"mask": np.zeros((1, 8, 16, 16), np.float32)}, {}, "are for segmentation"),
        ({"output0": yolov8_table(TWO)}, {"task": "pose"}, "are for pose"),
    ],
)
def test_what_is_no_known_detector_is_told_in_a_line(
    tmp_path: Path, outputs: dict[str, np.ndarray], metadata: dict[str, str], said: str
) -> None:
    path = save_constant(tmp_path / "other.onnx", outputs, metadata=metadata)
    with pytest.raises(LayoutError, match=said) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_inputs_that_are_no_image_are_told(tmp_path: Path) -> None:
    path = save_constant(tmp_path / "a.onnx", {"output0": yolov8_table(TWO)}, images=(1, SIDE, SIDE, 3))
    with pytest.raises(LayoutError, match="a detector takes one image as N x 3 x height x width"):
        load_model(path)
    others = {"temperature": (TensorProto.FLOAT, (1,))}
    path = save_constant(tmp_path / "b.onnx", {"output0": yolov8_table(TWO)}, others=others)
    with pytest.raises(LayoutError, match="takes temperature 1 beside the image"):
        load_model(path)


def test_a_torn_file_is_told_as_before(tmp_path: Path, yolo: Path) -> None:
    torn = tmp_path / "torn.onnx"
    torn.write_bytes(yolo.read_bytes()[:300])
    with pytest.raises(ModelError, match="is not a whole ONNX file"):
        load_model(torn)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("score", "kind"), [(float("nan"), InvalidArrayError), (7.0, BackendError)])
def test_scores_that_are_none_are_told_where_they_come(
    tmp_path: Path, runtime: str, score: float, kind: type[Exception]
) -> None:
    table = yolov8_table([(8.0, 4.0, 24.0, 40.0, 1, score)])
    path = save_constant(tmp_path / "a.onnx", {"output0": table}, metadata=NAMES)
    with pytest.raises(kind, match="score") as caught:
        open_backend(runtime, load_model(path)).infer(BLACK)
    assert str(path) in str(caught.value)


def test_images_of_another_size_than_the_file_takes_are_refused(yolo: Path) -> None:
    backend = open_backend("onnx", load_model(yolo))
    with pytest.raises(InvalidArrayError, match=r"height and width must be \(64, 64\)"):
        backend.infer(np.zeros((1, SIDE, 2 * SIDE, 3), np.uint8))
    with pytest.raises(InvalidConfigError, match="takes 64 x 64 alone"):
        load_model(yolo, input_size=128)


def test_a_video_detector_is_the_propagator_of_boxes_behind_the_network(yolo: Path) -> None:
    """Frames of the network's own size, so that no letterbox moves a box."""
    detector = VideoDetector(yolo, score_threshold=0.0)
    propagator = DetectionPropagator(replace(PropagationConfig.adaptive(), nms_iou=layouts.get("yolov8").nms_iou))
    alone = detect(yolo, "onnx")
    for _ in range(5):
        found = detector.update(BLACK[0])
        wanted = propagator.update(alone, (SIDE, SIDE))
        np.testing.assert_allclose(found.boxes, wanted.boxes, atol=1e-4)
        np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-6)
        np.testing.assert_array_equal(found.track_ids, wanted.track_ids)


def test_an_object_with_several_candidates_gets_one_box(tmp_path: Path) -> None:
    """By the family's own suppression, with propagation and without."""
    table = np.zeros((1, 3 * 84, 5 + 2), np.float32)  # a YOLOv5's: centre, size, is there one, classes
    table[0, :2] = [[16, 22, 16, 36, 1, 0, 0.9], [16, 30, 16, 20, 1, 0, 0.8]]  # they overlap by 20 / 36
    path = save_constant(tmp_path / "b.onnx", {"output0": table}, metadata=NAMES)
    (candidates,) = open_backend("onnx", load_model(path)).infer(BLACK)
    assert len(candidates) == 2  # type: ignore[arg-type]
    for propagation in (None, PropagationConfig.adaptive()):
        detector = VideoDetector(path, propagation=propagation)
        assert [len(detector.update(BLACK[0])) for _ in range(3)] == [1, 1, 1]


def test_the_paper_form_suppresses_what_it_has_lifted_near_an_object(tmp_path: Path) -> None:
    """A weak box that its family would show beside the strong one rises with it: one of them is shown."""
    aside = [(8.0, 4.0, 24.0, 40.0, 1, 0.9), (16.0, 4.0, 32.0, 40.0, 1, 0.2)]  # they overlap by 1 / 3
    path = save_constant(tmp_path / "c.onnx", {"output0": yolov8_table(aside)}, metadata=NAMES)
    assert len(VideoDetector(path, propagation=None, score_threshold=0.1).update(BLACK[0])) == 2
    detector = VideoDetector(path, propagation=PropagationConfig.paper())
    assert [len(detector.update(BLACK[0])) for _ in range(4)] == [1, 1, 1, 1]


@pytest.mark.parametrize("propagation", [None, PropagationConfig.paper(), PropagationConfig.adaptive()])
def test_one_thing_of_two_classes_is_shown_once_on_request(
    tmp_path: Path, propagation: PropagationConfig | None
) -> None:
    thing, beside = (8.0, 4.0, 24.0, 40.0), (30.0, 4.0, 60.0, 40.0)
    boxes = [(*thing, 0, 0.6), (*thing, 1, 0.9), (*beside, 0, 0.5)]
    path = save_constant(tmp_path / "d.onnx", {"output0": yolov8_table(boxes)}, metadata=NAMES)
    for wanted, labels in ((False, [1, 0, 0]), (True, [1, 0])):
        detector = VideoDetector(path, propagation=propagation, class_agnostic_nms=wanted)
        assert [detector.update(BLACK[0]).labels.tolist() for _ in range(3)] == [labels] * 3


def test_a_frame_of_another_shape_gets_its_boxes_back_in_its_own_pixels(yolo: Path) -> None:
    detector = VideoDetector(yolo, propagation=None, score_threshold=0.5)
    found = detector.update(np.zeros((2 * SIDE, 4 * SIDE, 3), np.uint8))
    # Scaled by 1/4 to 64 x 32, which lies 16 rows down: the first box begins above the frame.
    np.testing.assert_allclose(found.boxes, [[32, 0, 96, 96]])


def test_boxes_between_key_frames_stay_with_an_image_that_does_not_move(yolo: Path) -> None:
    from heatprop.runtime.keyframes import KeyframeConfig

    image = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    detector = VideoDetector(yolo, keyframes=KeyframeConfig(interval=3), score_threshold=0.5)
    boxes = [detector.update(image).boxes for _ in range(7)]
    assert detector.timings.key_frames == 3
    for each in boxes:
        np.testing.assert_allclose(each, BOXES[:1], atol=0.2)


def test_cells_of_a_list_of_boxes_are_as_long_as_the_frame_says() -> None:
    assert BoxEvidence(Detections.empty(), (64, 128)).cell == 1.0


def test_a_model_that_was_loaded_and_altered_is_taken(yolo: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.onnx"
    shutil.copy(yolo, copy)
    model = load_model(copy, classes=["a", "b"])
    assert VideoDetector(model).card.classes == ("a", "b")


def test_a_file_whose_boxes_openvino_makes_up_runs_in_onnx_runtime(tmp_path: Path) -> None:
    model = load_model(save_torchvision(tmp_path / "own.onnx"))
    assert model.card.layout == "torchvision"
    backend = open_backend("auto", model)
    assert backend.name == "onnx"
    assert [len(each) for image in (BLACK, BLACK + 255, BLACK) for each in backend.infer(image)] == [0, 1, 0]
    if "openvino" in RUNTIMES:
        with pytest.raises(
            BackendError, match=r"makes up a box where .*own.onnx finds none .*; choose the backend"
        ):
            open_backend("openvino", model)
