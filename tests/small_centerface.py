"""A small network that takes and gives what CenterFace's file does; what it sees are bright and dark spots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS = {"537": 1, "538": 2, "539": 2, "540": 10}
"""Heatmap, logarithms of height and width, offset in y and x, landmarks; as the original calls them."""
_SPREAD = {"537": 4.0, "538": 0.3, "539": 0.1, "540": 0.3}  # of what white gives; an offset stays in its cell
_BIAS = {"537": -2.0, "538": 2.0, "539": 0.0, "540": 0.5}


def write_small_centerface(path: Path) -> None:
    """Write the file as the original is written: fixed sides, weights among its inputs, some of them unused."""
    rng = np.random.default_rng(0)
    weights = {"unused": np.zeros(1, np.float32)}
    nodes = [helper.make_node("AveragePool", ["input.1"], ["cells"], kernel_shape=[4, 4], strides=[4, 4])]
    for output, channels in CHANNELS.items():
        kernel = rng.normal(0, _SPREAD[output] / 255, (channels, 3, 1, 1))
        weights[f"{output}.weight"] = kernel.astype(np.float32)
        weights[f"{output}.bias"] = np.full(channels, _BIAS[output], np.float32)
        result = "logits" if output == "537" else output
        nodes.append(helper.make_node("Conv", ["cells", f"{output}.weight", f"{output}.bias"], [result]))
    nodes.append(helper.make_node("Sigmoid", ["logits"], ["537"]))
    inputs = [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [10, 3, 32, 32])]
    inputs += [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, each.shape) for name, each in weights.items()
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [10, count, 8, 8])
        for name, count in CHANNELS.items()
    ]
    initializers = [numpy_helper.from_array(each, name) for name, each in weights.items()]
    graph = helper.make_graph(nodes, "centerface", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)])
    model.ir_version = 4
    onnx.save(model, path)
