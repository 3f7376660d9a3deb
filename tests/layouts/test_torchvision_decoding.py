"""Against torchvision's detectors with arbitrary weights, exported by torch.onnx."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compared_layouts import assert_same, inside
from heatprop import layouts
from heatprop.layouts import TensorInfo
from heatprop.types import Detections

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("onnx")

SIDE = 96
FLOOR = 0.02
MODELS = ["ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn"]


def _network(name: str) -> Any:
    from torchvision.models import detection

    torch.manual_seed(3)
    sized = {} if name.startswith("ssd") else {"min_size": SIDE, "max_size": SIDE}
    network = getattr(detection, name)(
        weights=None, weights_backbone=None, num_classes=5, detections_per_img=40, **sized
    )
    with torch.no_grad():
        for key, weight in network.named_parameters():
            if "cls_logits" in key or "classification_head" in key or "cls_score" in key:
                weight.normal_(0, 0.05)
    network.eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):  # else the signal of arbitrary weights dies out
            layer.train().momentum = 1.0
    with torch.no_grad():
        network(list(torch.rand((2, 3, SIDE, SIDE))))
    return network.eval()


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", MODELS)
def test_exported_whole(name: str, tmp_path: Path) -> None:
    import onnxruntime

    network = _network(name)
    image = torch.from_numpy(np.random.default_rng(1).random((3, SIDE, SIDE), dtype=np.float32))
    path = tmp_path / "own.onnx"
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, ([image],), str(path), opset_version=17, dynamo=False, input_names=["image"])
    session = onnxruntime.InferenceSession(str(path))
    (entry,) = session.get_inputs()
    outputs = session.run(None, {entry.name: image.numpy()})
    named = dict(zip([each.name for each in session.get_outputs()], outputs, strict=True))
    with torch.no_grad():
        (wanted,) = network([image])
    recognition = layouts.recognise(
        [TensorInfo("image", (1, 3, SIDE, SIDE))],
        [TensorInfo(key, array.shape) for key, array in named.items()],
        {},
        classes=("background", "a", "b", "c", "d"),
    )
    assert recognition.layout.name == "torchvision"
    found = recognition.layout.decode(named, SIDE, SIDE, 5, FLOOR)
    scores = wanted["scores"].numpy()
    assert len(found) == (scores >= FLOOR).sum() > 0
    # The runtimes differ by more than decoding may: some thousandths of a pixel.
    best = slice(0, 5)
    np.testing.assert_allclose(found.scores[best], scores[best], rtol=0, atol=1e-3)
    np.testing.assert_allclose(found.boxes[best], wanted["boxes"].numpy()[best], rtol=0, atol=0.05)
    assert found.labels[best].tolist() == wanted["labels"][best].tolist()


def test_retinanet_cut_before_its_suppression() -> None:
    from torchvision.models.detection.image_list import ImageList

    network = _network("retinanet_resnet50_fpn")
    images = torch.from_numpy(np.random.default_rng(2).random((1, 3, 128, 96), dtype=np.float32))
    with torch.no_grad():
        features = list(network.backbone(images).values())
        heads = network.head(features)
        (anchors,) = network.anchor_generator(ImageList(images, [(128, 96)]), features)
        boxes = network.box_coder.decode_single(heads["bbox_regression"][0], anchors).numpy()
    scores = heads["cls_logits"][0].sigmoid().numpy()
    rows, labels = np.nonzero(scores > FLOOR)
    wanted = Detections(boxes[rows], scores[rows, labels], labels)
    best = np.argsort(-wanted.scores)[:300]
    floor = float(wanted.scores[best[-1]]) - 1e-6
    tensors = {name: tensor.numpy() for name, tensor in heads.items()}
    found = layouts.get("retinanet").decode(tensors, 128, 96, 5, floor)
    assert_same(inside(found, 128, 96, floor), inside(wanted.select(wanted.scores >= floor), 128, 96, floor))
