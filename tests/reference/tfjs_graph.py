"""A TensorFlow.js graph, run node by node as TensorFlow documents its operators, in double precision."""

from __future__ import annotations

import base64
import json
from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def read_weights(graph, content):
    """All constants by name; float16 is widened."""
    arrays, start = {}, 0
    for group in graph["weightsManifest"]:
        for entry in group["weights"]:
            kind = np.dtype(entry.get("quantization", entry)["dtype"])
            count = prod(entry["shape"])
            array = np.frombuffer(content, kind, count, start).reshape(entry["shape"])
            arrays[entry["name"]] = array.astype(np.float64) if kind.kind == "f" else array
            start += count * kind.itemsize
    assert start == len(content)
    return arrays


def run(graph_text, content, images, outputs, source_side):
    """What the nodes `outputs` give for `images`; sizes to resize to are scaled from those of `source_side`."""
    graph = json.loads(graph_text)
    nodes = {node["name"]: node for node in graph["modelTopology"]["node"]}
    values = read_weights(graph, content)
    scale = [side / source_side for side in images.shape[2:]]

    def value(reference):
        name, _, index = reference.partition(":")
        if name not in values:
            inputs = [value(each) for each in nodes[name].get("input", [])]
            values[name] = images.astype(np.float64) if not inputs else compute(nodes[name], inputs, scale)
        return values[name][int(index or 0)] if nodes[name]["op"] == "SplitV" else values[name]

    return [value(output) for output in outputs]


def compute(node, inputs, scale):  # noqa: PLR0911 - one for each operator
    attributes = node.get("attr", {})
    match node["op"]:
        case "Transpose":
            return inputs[0].transpose(inputs[1])
        case "Pad":
            return np.pad(inputs[0], inputs[1])
        case "PadV2":
            return np.pad(inputs[0], inputs[1], constant_values=inputs[2])
        case "Add" | "AddV2":
            return inputs[0] + inputs[1]
        case "LeakyRelu":
            return np.where(inputs[0] > 0, inputs[0], inputs[0] * np.float32(attributes["alpha"]["f"]))
        case "Sigmoid":
            return 1 / (1 + np.exp(-inputs[0]))
        case "ConcatV2":
            return np.concatenate(inputs[:-1], axis=int(inputs[-1]))
        case "SplitV":
            return np.split(inputs[0], np.cumsum(inputs[1])[:-1], axis=int(inputs[2]))
        case "Conv2D":
            assert base64.b64decode(attributes["padding"]["s"]) == b"VALID"
            windows = windows_of(inputs[0], inputs[1].shape[:2], attributes["strides"])
            return np.einsum("nyxchw,hwco->nyxo", windows, inputs[1], optimize=True)
        case "MaxPool":
            assert base64.b64decode(attributes["padding"]["s"]) == b"VALID"
            sides = [int(side) for side in attributes["ksize"]["list"]["i"][1:3]]
            return windows_of(inputs[0], sides, attributes["strides"]).max(axis=(4, 5))
        case "ResizeBilinear":
            assert attributes["half_pixel_centers"]["b"]
            height, width = (round(side * factor) for side, factor in zip(inputs[1], scale, strict=True))
            rows = interpolation(inputs[0].shape[1], height)
            columns = interpolation(inputs[0].shape[2], width)
            return np.einsum("ny,mx,byxc->bnmc", rows, columns, inputs[0], optimize=True)
    raise NotImplementedError(node["op"])


def windows_of(images, sides, strides):
    """Each window (n, y, x, channel, row, column) of NHWC images."""
    _, down, right, _ = (int(step) for step in strides["list"]["i"])
    return sliding_window_view(images, sides, axis=(1, 2))[:, ::down, ::right]


def interpolation(old, new):
    """The weight of each old cell in each new one, where both are areas: ``(new, old)``."""
    weights = np.zeros((new, old))
    for cell in range(new):
        place = (cell + 0.5) * old / new - 0.5
        low = int(np.floor(place))
        for neighbour, share in ((low, 1 - (place - low)), (low + 1, place - low)):
            weights[cell, min(max(neighbour, 0), old - 1)] += share
    return weights
