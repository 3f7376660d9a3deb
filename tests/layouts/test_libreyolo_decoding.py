"""Against LibreYOLO's own post-processing (MIT; not a dependency), of random outputs and of exported networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compared_layouts import assert_same, inside
from heatprop import layouts
from heatprop.layouts import TensorInfo
from heatprop.types import Detections

torch = pytest.importorskip("torch")
libreyolo = pytest.importorskip("libreyolo")

CLASSES = 5
HEIGHT, WIDTH = 96, 128
FLOOR = 0.02
EVERYTHING = {"conf_thres": FLOOR, "iou_thres": 1.0, "max_det": 10**6}


def _maps(random: np.random.Generator, channels: int, strides: tuple[int, ...], spread: float = 1.0) -> list[Any]:
    """One random map a stride, ``(1, channels, height, width)``, as torch has them."""
    shapes = [(1, channels, -(-HEIGHT // stride), -(-WIDTH // stride)) for stride in strides]
    return [torch.from_numpy(random.normal(0, spread, shape).astype(np.float32)) for shape in shapes]


def _table(maps: list[Any]) -> np.ndarray:
    return np.concatenate([each.numpy()[0].reshape(each.shape[1], -1) for each in maps], axis=1).T[None]


def _wanted(result: Mapping[str, Any]) -> Detections:
    boxes, scores, labels = (np.asarray(result[key]) for key in ("boxes", "scores", "classes"))
    return Detections(boxes, scores, labels)


def _compare(
    name: str, tensors: Mapping[str, np.ndarray], wanted: Mapping[str, Any], classes: int = CLASSES
) -> None:
    found = layouts.get(name).decode(tensors, HEIGHT, WIDTH, classes, FLOOR)
    assert_same(inside(found, HEIGHT, WIDTH, FLOOR), inside(_wanted(wanted), HEIGHT, WIDTH, FLOOR))


def test_yolox_as_its_head_leaves_it() -> None:
    from libreyolo.postprocess import yolox

    maps = _maps(np.random.default_rng(1), 5 + CLASSES, (8, 16, 32), 0.5)
    for each in maps:
        each[:, 4:].sigmoid_()
    tensors = {"output": _table(maps)}
    wanted = yolox.postprocess(maps, **EVERYTHING, original_size=None)
    _compare("yolox", tensors, wanted)


def test_yolox_decoded_in_the_file() -> None:
    from libreyolo.postprocess import yolox

    maps = _maps(np.random.default_rng(2), 5 + CLASSES, (8, 16, 32), 0.5)
    for each in maps:
        each[:, 4:].sigmoid_()
    tensors = {"output": yolox.decode_outputs([each.clone() for each in maps]).numpy()}
    _compare("yolox", tensors, yolox.postprocess(maps, **EVERYTHING, original_size=None))


def test_picodet_as_its_head_leaves_it() -> None:
    from libreyolo.postprocess import picodet

    random = np.random.default_rng(3)
    scores, bins = (_maps(random, n, (8, 16, 32, 64), 2) for n in (CLASSES, 32))
    wanted = picodet.postprocess((scores, bins), **EVERYTHING, input_size=(HEIGHT, WIDTH))
    pairs = {
        f"{kind}_{level}": _table([each])
        for kind, maps in (("scores", [each.sigmoid() for each in scores]), ("bins", bins))
        for level, each in enumerate(maps)
    }
    _compare("picodet", pairs, wanted)


def test_rtmdet_as_its_head_leaves_it() -> None:
    from libreyolo.postprocess import rtmdet

    random = np.random.default_rng(4)
    scores = _maps(random, CLASSES, (8, 16, 32), 2)
    distances = [each.abs() * 20 for each in _maps(random, 4, (8, 16, 32))]
    wanted = rtmdet.postprocess((scores, distances), **EVERYTHING, input_size=(HEIGHT, WIDTH))
    maps = {f"scores{each.shape[-1]}": each.numpy() for each in scores}
    maps |= {f"distances{each.shape[-1]}": each.numpy() for each in distances}
    _compare("rtmdet", maps, wanted)


@pytest.mark.parametrize(
    ("name", "module", "columns", "classes"),
    [("rtdetr", "rtdetr", CLASSES, CLASSES), ("rtdetr", "dfine", CLASSES, CLASSES), ("detr", "detr", 6, CLASSES)],
)
def test_queries(name: str, module: str, columns: int, classes: int) -> None:
    import importlib

    post = importlib.import_module(f"libreyolo.postprocess.{module}")
    random = np.random.default_rng(5)
    logits = random.normal(-1, 2, (1, 50, columns)).astype(np.float32)
    boxes = random.uniform(0.1, 0.9, (1, 50, 4)).astype(np.float32)
    outputs = {"pred_logits": torch.from_numpy(logits), "pred_boxes": torch.from_numpy(boxes)}
    wanted = post.postprocess(outputs, **EVERYTHING, original_size=(WIDTH, HEIGHT))
    _compare(name, {"pred_logits": logits, "pred_boxes": boxes}, wanted, classes)
    _compare(name, {"pred_boxes": boxes, "logits": logits}, wanted, classes)


def test_rfdetr() -> None:
    from libreyolo.postprocess import rfdetr

    random = np.random.default_rng(6)
    logits = random.normal(-1, 2, (1, 40, CLASSES)).astype(np.float32)
    boxes = random.uniform(0.1, 0.9, (1, 40, 4)).astype(np.float32)
    outputs = {"pred_logits": torch.from_numpy(logits), "pred_boxes": torch.from_numpy(boxes)}
    (wanted,) = rfdetr.postprocess(outputs, torch.tensor([[HEIGHT, WIDTH]]), num_select=40 * CLASSES)
    _compare("rfdetr", {"dets": boxes, "labels": logits}, wanted | {"classes": wanted["labels"]})


def test_ssd300_as_its_head_leaves_it() -> None:
    from libreyolo.postprocess import ssd

    random = np.random.default_rng(7)
    deltas = random.normal(0, 0.5, (1, 8732, 4)).astype(np.float32)
    logits = random.normal(0, 1, (1, 8732, 1 + CLASSES)).astype(np.float32)
    logits[0, 150:] = [9, *[-9] * CLASSES]  # LibreYOLO takes 400 a class and 200 in all, so fewer shall be there
    logits[0, 30:150, 0] = 9
    outputs = {"bbox_regression": torch.from_numpy(deltas), "cls_logits": torch.from_numpy(logits)}
    wanted = _wanted(ssd.postprocess(outputs, **EVERYTHING))
    wanted = Detections(wanted.boxes, wanted.scores, wanted.labels + 1)
    tensors = {"bbox_regression": deltas, "cls_logits": logits}
    found = layouts.get("ssd").decode(tensors, 300, 300, 1 + CLASSES, FLOOR)
    assert_same(inside(found, 300, 300, FLOOR), inside(wanted, 300, 300, FLOOR))


def test_efficientdet_as_its_head_leaves_it() -> None:
    from libreyolo.postprocess import efficientdet

    random = np.random.default_rng(8)
    side, strides = 128, (8, 16, 32, 64, 128)

    def maps(channels: int, spread: float) -> list[Any]:
        shapes = [(1, channels, side // stride, side // stride) for stride in strides]
        return [torch.from_numpy(random.normal(0, spread, shape).astype(np.float32)) for shape in shapes]

    logits, deltas = [each - 6 for each in maps(9 * CLASSES, 2)], maps(36, 0.3)
    wanted = _wanted(
        efficientdet.postprocess(
            (logits, deltas), **EVERYTHING, input_size=side, sparse_coco=False, max_candidates=10**6
        )
    )
    tensors = {f"class{n}": each.numpy() for n, each in enumerate(logits)}
    tensors |= {f"box{n}": each.numpy() for n, each in enumerate(deltas)}
    found = layouts.get("efficientdet").decode(tensors, side, side, CLASSES, FLOOR)
    assert_same(inside(found, side, side, FLOOR), inside(wanted, side, side, FLOOR))


def test_yolov5_of_the_head_of_yolov7() -> None:
    from libreyolo.postprocess import yolo7

    anchors = [[(12, 16), (19, 36), (40, 28)], [(36, 75), (76, 55), (72, 146)], [(142, 110), (92, 143), (80, 99)]]
    maps = _maps(np.random.default_rng(9), 3 * (5 + CLASSES), (8, 16, 32), 1)
    flat = [[number for pair in level for number in pair] for level in anchors]
    wanted = yolo7.postprocess(maps, flat, (8, 16, 32), CLASSES, **EVERYTHING, input_size=(HEIGHT, WIDTH))
    _compare("yolov5", {"output": _grid_form(maps, anchors)}, wanted)


def _grid_form(maps: list[Any], anchors: list[list[tuple[int, int]]]) -> np.ndarray:
    """What the file of a YOLOv5 does with its head, anchor by anchor: N x (5 + C)."""
    rows = []
    for each, pairs, stride in zip(maps, anchors, (8, 16, 32), strict=True):
        _, _, height, width = each.shape
        values = each.sigmoid().numpy()[0].reshape(len(pairs), 5 + CLASSES, height, width)
        for anchor, (anchor_width, anchor_height) in enumerate(pairs):
            for y in range(height):
                for x in range(width):
                    tx, ty, tw, th, *rest = values[anchor, :, y, x]
                    centre = ((2 * tx - 0.5 + x) * stride, (2 * ty - 0.5 + y) * stride)
                    rows.append([*centre, (2 * tw) ** 2 * anchor_width, (2 * th) ** 2 * anchor_height, *rest])
    return np.array(rows, np.float32)[None]


EXPORTED = [
    ("LibreYOLO9", {"size": "t"}, 96, "corners"),
    ("LibreYOLO9E2E", {"size": "t"}, 96, "corners"),
    ("LibreYOLO7", {}, 96, "corners"),
    ("LibrePPYOLOE", {"size": "s"}, 96, "corners"),
    ("LibreYOLOX", {"size": "n"}, 96, "yolox"),
    ("LibrePICODET", {"size": "s"}, 96, "picodet"),
    ("LibreRTMDet", {"size": "t"}, 96, "rtmdet"),
    ("LibreDFINE", {"size": "n"}, 256, "rtdetr"),
    ("LibreDETR", {"size": "r50"}, 96, "detr"),
    ("LibreSSD", {}, 300, "ssd"),
    ("LibreRetinaNet", {}, 96, "retinanet"),
]


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("model", "settings", "side", "layout"), EXPORTED, ids=[each[0] for each in EXPORTED])
def test_exported_network(model: str, settings: dict[str, str], side: int, layout: str, tmp_path: Path) -> None:
    import onnxruntime

    torch.manual_seed(1)
    network = getattr(libreyolo, model)(None, device="cpu", **settings)
    path = network.export(format="onnx", imgsz=side, output_path=str(tmp_path / "own.onnx"), simplify=False)
    session = onnxruntime.InferenceSession(path)
    image = np.random.default_rng(1).random((1, 3, side, side), dtype=np.float32)
    (entry,) = session.get_inputs()
    outputs = [_with_live_scores(each) for each in session.run(None, {entry.name: image})]
    named = dict(zip([each.name for each in session.get_outputs()], outputs, strict=True))
    recognition = layouts.recognise(
        [TensorInfo(entry.name, tuple(each if isinstance(each, int) else None for each in entry.shape))],
        [TensorInfo(name, array.shape) for name, array in named.items()],
        session.get_modelmeta().custom_metadata_map,
        measured_at=(side, side),
    )
    assert recognition.layout.name == layout
    assert recognition.confidence in ("certain", "likely")
    floor = {"detr": 0.02, "rtdetr": 0.9815, "retinanet": 0.996}.get(layout, 0.97)  # a few hundred are above
    found = recognition.layout.decode(named, side, side, len(recognition.classes), floor)
    library = libreyolo.LibreYOLO(path)
    parsed = library._parse_outputs(outputs, side, (side, side), floor, ratio=1.0, iou=1.0, max_det=10**6)
    wanted = Detections(*map(np.asarray, parsed[:3]))
    if layout == "detr":  # LibreYOLO numbers COCO's classes anew
        from libreyolo.utils.coco import COCO91_CATEGORY_IDS

        known = np.isin(found.labels, COCO91_CATEGORY_IDS)
        found = found.select(known)
        found = Detections(found.boxes, found.scores, np.searchsorted(COCO91_CATEGORY_IDS, found.labels))
    assert_same(inside(found, side, side, floor), inside(wanted, side, side, floor))


def _with_live_scores(output: np.ndarray) -> np.ndarray:
    """The output of a network without training, whose scores are all alike, with random ones in their place."""
    output, random = output.copy(), np.random.default_rng(2)
    if output.shape[1] == 84:
        output[:, 4:] = random.random((1, 80, output.shape[2]))
    elif output.shape[2] in (84, 85):
        output[..., 4:] = random.random((*output.shape[:2], output.shape[2] - 4))
    elif output.shape[2] != 4:
        spread = 1 if output.shape[2] == 80 and output.min() >= 0 else 4
        output[...] = random.random(output.shape) * spread
    if output.shape[2] == 92:  # DETR's: LibreYOLO leaves out the numbers that name nothing in COCO
        from libreyolo.utils.coco import COCO91_CATEGORY_IDS

        output[..., np.setdiff1d(np.arange(91), COCO91_CATEGORY_IDS)] = -20
    return output
