"""Small files of detectors as exporters write them; what they give is the same for every image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 64
Shape = Sequence[int | str | None]


def save_constant(
    path: Path,
    outputs: Mapping[str, np.ndarray[Any, Any]],
    *,
    images: Shape = (1, 3, SIDE, SIDE),
    name: str = "images",
    element: int = TensorProto.FLOAT,
    others: Mapping[str, tuple[int, Shape]] = {},
    metadata: Mapping[str, str] = {},
) -> Path:
    """Write a network that gives the same outputs for every image to `path`."""
    nodes = [helper.make_node("ReduceMax", [name], ["brightest"], keepdims=0)]
    nodes += [
        helper.make_node("Sub", ["brightest", "brightest"], ["nothing"]),
        helper.make_node("Cast", ["nothing"], ["zero"], to=TensorProto.FLOAT),
    ]
    entries = []
    for output, array in outputs.items():
        constant = numpy_helper.from_array(array, f"{output} constant")
        nodes.append(helper.make_node("Constant", [], [f"{output} raw"], value=constant))
        if array.dtype == np.float32:
            nodes.append(helper.make_node("Add", [f"{output} raw", "zero"], [output]))
        else:
            nodes.append(helper.make_node("Identity", [f"{output} raw"], [output]))
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        entries.append(helper.make_tensor_value_info(output, kind, list(array.shape)))
    inputs = [helper.make_tensor_value_info(name, element, list(images))]
    inputs += [helper.make_tensor_value_info(each, kind, list(shape)) for each, (kind, shape) in others.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "constant", inputs, entries), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    helper.set_model_props(model, dict(metadata))
    onnx.save(model, path)
    return path


def yolov8_table(boxes: Sequence[tuple[float, float, float, float, int, float]], classes: int = 2) -> Any:
    """Return the output of a YOLOv8 for an input of `SIDE`: boxes as x1, y1, x2, y2, class and score."""
    table = np.zeros((1, 4 + classes, 84), np.float32)  # 8 * 8 + 4 * 4 + 2 * 2 cells
    for cell, (x1, y1, x2, y2, label, score) in enumerate(boxes):
        table[0, :4, cell] = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
        table[0, 4 + label, cell] = score
    return table


def save_yolox(path: Path) -> Path:
    """Write a YOLOX of two classes, as its exporter leaves it, that finds nothing."""
    return save_constant(path, {"output": np.zeros((1, 84, 7), np.float32)}, metadata={"names": "['a', 'b']"})


def save_torchvision(path: Path) -> Path:
    """Write what torchvision's exporter leaves: one box in a bright image, and by way of If none in a dark one."""
    empty = helper.make_node(
        "Constant", [], ["empty"], value=numpy_helper.from_array(np.zeros(0, np.int64), "no row")
    )
    first = helper.make_node(
        "Constant", [], ["first"], value=numpy_helper.from_array(np.zeros(1, np.int64), "row")
    )
    branches = {
        "then_branch": helper.make_graph(
            [first], "some", [], [helper.make_tensor_value_info("first", TensorProto.INT64, [1])]
        ),
        "else_branch": helper.make_graph(
            [empty], "none", [], [helper.make_tensor_value_info("empty", TensorProto.INT64, [0])]
        ),
    }
    rows = {
        "boxes": np.array([[8, 4, 24, 40]], np.float32),
        "labels": np.array([1], np.int64),
        "scores": np.array([0.9], np.float32),
    }
    constants = {"half": np.array(0.5, np.float32)} | {f"all {name}": array for name, array in rows.items()}
    nodes = [
        helper.make_node("ReduceMax", ["image"], ["brightest"], keepdims=0),
        helper.make_node("Greater", ["brightest", "half"], ["is bright"]),
        helper.make_node("If", ["is bright"], ["kept"], **branches),
        *(helper.make_node("Gather", [f"all {name}", "kept"], [name], axis=0) for name in rows),
    ]
    outputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), ["n", *array.shape[1:]])
        for name, array in rows.items()
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [3, SIDE, SIDE])
    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "detector", [image], outputs, weights),
        opset_imports=[helper.make_opsetid("", 17)],
    )
    model.ir_version = 8
    helper.set_model_props(model, {"names": "['background', 'cat']"})
    onnx.save(model, path)
    return path
