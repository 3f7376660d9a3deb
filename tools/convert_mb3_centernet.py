"""Build the embedded model `mb3-coco` from its public source.

The source is the MobileNetV3 CenterNet that the npm package @vladmandic/human carries as a TensorFlow.js graph
(NHWC, float16 weights). The result is an ONNX file (NCHW, the same float16 weights, computing in float32) with
the model card in its metadata. Equal sources give equal bytes.

    python tools/convert_mb3_centernet.py                      fetch the package with npm, write into the package
    python tools/convert_mb3_centernet.py --package FILE.tgz   use a package that is already there
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from tfjs_to_onnx import (
    ConversionError,
    GraphConverter,
    NpmSource,
    as_text,
    expect,
    read_graph,
    run_command_line,
    write_onnx,
)

from heatprop.layouts.class_names import COCO_80
from heatprop.letterbox import InputFormat
from heatprop.zoo.card import METADATA_KEY, ModelCard

NAME = "mb3-coco"
SOURCE = NpmSource(
    package="@vladmandic/human@3.3.6",
    graph_file="package/models/centernet.json",
    weights_file="package/models/centernet.bin",
    sha256={
        "package/models/centernet.json": "bfb942eaacc5becf738d536663bc4580a0ae9e560722306e6d4dd7fe4a09de05",
        "package/models/centernet.bin": "1b635a15009071f506f9f2b3519b31c072c534888989f30d269ffd44734ef7ef",
    },
)

# Nodes of the upstream graph: its input, its heatmap, its four distances in pixels of the input.
SOURCE_INPUT = "tower_0/images"
SOURCE_HEATMAP = "tower_0/keypoints"
SOURCE_DISTANCES = "tower_0/wh"
SOURCE_SIDE = 512
STRIDE = 4
INPUT = InputFormat()

_NOTHING: dict[str, Any] = {"list": {}}


class CenterNetConverter(GraphConverter):
    """Turns the upstream NHWC nodes into ONNX NCHW nodes, from the outputs back to the input."""

    def convert(self) -> None:
        """Convert every node that the heatmap and the distances need, and give the outputs their names."""
        self.add_float("six", np.float16(6).reshape(()))
        self.add_float("zero", np.float16(0).reshape(()))
        self.add_float("cells per pixel", np.float16(1 / STRIDE).reshape(()))
        for node in self.needed(SOURCE_HEATMAP, SOURCE_DISTANCES):
            self._convert_node(node)
        self.add("Identity", [SOURCE_HEATMAP], ["heatmap"])
        self.add("Mul", [SOURCE_DISTANCES, "cells per pixel"], ["size"])

    def _convert_node(self, node: dict[str, Any]) -> None:
        name, inputs = node["name"], node.get("input", [])
        match node["op"]:
            case "Placeholder":
                if name != SOURCE_INPUT:
                    raise ConversionError(f"the graph has an input {name}; expected {SOURCE_INPUT}")
            case "Const":
                self._convert_constant(name)
            case "Conv2D" | "_FusedConv2D":
                self._convert_convolution(node, depthwise=False)
            case "DepthwiseConv2dNative" | "FusedDepthwiseConv2dNative":
                self._convert_convolution(node, depthwise=True)
            case "Mul" | "Add" | "Relu" | "Sigmoid" | "Identity" as operator:
                self.add(operator, [self._renamed(each) for each in inputs], [name])
            case "Relu6":
                self.add("Clip", [inputs[0], "zero", "six"], [name])
            case "Mean":
                expect(name, self.weights[inputs[1]].tolist(), [1, 2])
                expect(name, node["attr"]["keep_dims"]["b"], True)
                self.add("GlobalAveragePool", inputs[:1], [name])
            case "ConcatV2":
                expect(name, self.weights[inputs[-1]].tolist(), 3)
                self.add("Concat", inputs[:-1], [name], axis=1)
            case "ResizeBilinear":
                self._convert_doubling(node)
            case operator:
                raise ConversionError(f"node {name}: there is no rule for the operator {operator}")

    def _convert_constant(self, name: str) -> None:
        """Keep scalars and per-channel factors; the rest is read by the nodes that use it."""
        values = self.weights[name]
        if values.dtype.kind == "f" and values.ndim <= 1:
            self.add_float(name, values.reshape(-1, 1, 1) if values.size > 1 else values.reshape(()))

    def _convert_convolution(self, node: dict[str, Any], *, depthwise: bool) -> None:
        name, (images, _, *bias) = node["name"], node["input"]
        fused = [as_text(value) for value in node["attr"].get("fused_ops", _NOTHING)["list"].get("s", [])]
        activation = [operator for operator in fused if operator != "BiasAdd"]
        if activation not in ([], ["Relu"]):
            raise ConversionError(f"node {name}: there is no rule for the fused operators {fused}")
        output = f"{name}/before activation" if activation else name
        self.add_convolution(
            node, self._renamed(images), output, bias=bias[0] if bias else None, depthwise=depthwise
        )
        if activation:
            self.add("Relu", [output], [name])

    def _convert_doubling(self, node: dict[str, Any]) -> None:
        """Upstream resizes to the sizes of a 512 x 512 input; that is twice the size, whatever the input."""
        name, (images, size_name) = node["name"], node["input"]
        attributes = node["attr"]
        expect(name, attributes["align_corners"]["b"], False)
        expect(name, attributes.get("half_pixel_centers", {"b": False})["b"], False)
        height, width = self.weights[size_name].tolist()
        if height != width or height not in (SOURCE_SIDE // 16, SOURCE_SIDE // 8, SOURCE_SIDE // 4):
            raise ConversionError(f"node {name} resizes to {height}x{width}; expected a doubling")
        self.add_constant("double", np.array([1, 1, 2, 2], np.float32))
        inputs = [images, "", "double"]
        self.add("Resize", inputs, [name], mode="linear", coordinate_transformation_mode="asymmetric")

    @staticmethod
    def _renamed(name: str) -> str:
        return "images" if name == SOURCE_INPUT else name


def make_card() -> ModelCard:
    """Return the card that goes into the file."""
    return ModelCard(
        name=NAME,
        title="MobileNetV3 CenterNet, 80 COCO classes, 2.0 M parameters",
        classes=COCO_80,
        stride=STRIDE,
        box_form="distances",
        has_offset=False,
        input=INPUT,
        licence="MIT",
        origin=f"npm {SOURCE.package}, which names github.com/610265158/mobilenetv3_centernet",
        sha256=SOURCE.sha256,
    )


def convert(graph: bytes, weights: bytes) -> bytes:
    """Return the ONNX file made from the upstream graph and its weights."""
    outputs = {"heatmap": (len(COCO_80), STRIDE), "size": (4, STRIDE)}
    converter = CenterNetConverter(*read_graph(graph, weights))
    return write_onnx(converter, NAME, outputs, {METADATA_KEY: make_card().to_json()})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run_command_line(NAME, SOURCE, convert, arguments)


if __name__ == "__main__":
    sys.exit(main())
