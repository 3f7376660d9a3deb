"""Build the embedded model `mb3-coco` from its public source.

The source is the MobileNetV3 CenterNet that the npm package @vladmandic/human carries as a TensorFlow.js graph
(NHWC, float16 weights). The result is an ONNX file (NCHW, the same float16 weights, computing in float32) with
the model card in its metadata. Equal sources give equal bytes.

    python tools/convert_mb3_centernet.py                      fetch the package with npm, write into the package
    python tools/convert_mb3_centernet.py --package FILE.tgz   use a package that is already there
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import math
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from heatprop.errors import HeatpropError
from heatprop.io.outputs import OutputFile
from heatprop.letterbox import InputFormat
from heatprop.zoo.card import METADATA_KEY, ModelCard

PACKAGE = "@vladmandic/human@3.3.6"
GRAPH_FILE = "package/models/centernet.json"
WEIGHTS_FILE = "package/models/centernet.bin"
SHA256 = {
    GRAPH_FILE: "bfb942eaacc5becf738d536663bc4580a0ae9e560722306e6d4dd7fe4a09de05",
    WEIGHTS_FILE: "1b635a15009071f506f9f2b3519b31c072c534888989f30d269ffd44734ef7ef",
}
DEFAULT_OUTPUT = Path(__file__).resolve().parents[1] / "src/heatprop/zoo/mb3-coco.onnx"

# Nodes of the upstream graph: its input, its heatmap, its four distances in pixels of the input.
SOURCE_INPUT = "tower_0/images"
SOURCE_HEATMAP = "tower_0/keypoints"
SOURCE_DISTANCES = "tower_0/wh"
SOURCE_SIDE = 512
STRIDE = 4

_CLASS_LIST = (
    "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, "
    "stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, "
    "backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball "
    "bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork, knife, "
    "spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, "
    "couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard, cell phone, "
    "microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear, hair drier, "
    "toothbrush"
)
COCO_CLASSES = tuple(_CLASS_LIST.split(", "))


class ConversionError(Exception):
    """The source is not what this converter was written for; one line says how."""


def fetch_package(folder: Path) -> Path:
    """Download the npm package into `folder` and return the path of the archive."""
    command = ["npm", "pack", PACKAGE, "--silent", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise ConversionError("npm is not installed; install Node.js, or pass --package FILE.tgz") from None
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ConversionError(f"npm could not fetch {PACKAGE}: {reason}; or pass --package FILE.tgz") from None
    archives = sorted(folder.glob("*.tgz"))
    if len(archives) != 1:
        raise ConversionError(f"npm pack left {len(archives)} archives instead of one; pass --package FILE.tgz")
    return archives[0]


def read_sources(archive: Path) -> dict[str, bytes]:
    """Return graph and weights from the package, after checking their hashes."""
    sources = {}
    try:
        with tarfile.open(archive, "r:gz") as package:
            for name in SHA256:
                member = package.extractfile(name)
                if member is None:
                    raise KeyError(name)
                sources[name] = member.read()
    except KeyError:
        raise ConversionError(f"{archive} lacks {name}; it must be the npm package {PACKAGE}") from None
    except (OSError, EOFError, tarfile.TarError) as error:
        raise ConversionError(f"{archive} cannot be read ({error}); it must be an npm package") from None
    for name, content in sources.items():
        digest = hashlib.sha256(content).hexdigest()
        if digest != SHA256[name]:
            raise ConversionError(f"{archive}: sha256 of {name} is {digest}; it must be {SHA256[name]}")
    return sources


def read_weights(manifest: list[dict[str, Any]], content: bytes) -> dict[str, np.ndarray]:
    """Return the weights as stored: float16 where upstream quantised them, by their upstream names."""
    stored_types = {"float16": "<f2", "float32": "<f4", "int32": "<i4"}
    weights = {}
    start = 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        stored = entry.get("quantization", entry)["dtype"]
        if stored not in stored_types:
            raise ConversionError(f"weight {entry['name']} is stored as {stored}; expected {set(stored_types)}")
        kind = np.dtype(stored_types[stored])
        count = math.prod(entry["shape"])
        weights[entry["name"]] = np.frombuffer(content, kind, count, start).reshape(entry["shape"])
        start += count * kind.itemsize
    if start != len(content):
        raise ConversionError(f"the weights take {start} bytes but the file has {len(content)}")
    return weights


class GraphConverter:
    """Turns the upstream NHWC nodes into ONNX NCHW nodes, from the outputs back to the input."""

    def __init__(self, nodes: Sequence[dict[str, Any]], weights: dict[str, np.ndarray]) -> None:
        self._source = {node["name"]: node for node in nodes}
        self._weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def convert(self) -> None:
        """Convert every node that the heatmap and the distances need, and give the outputs their names."""
        self._add_float("six", np.float16(6).reshape(()))
        self._add_float("zero", np.float16(0).reshape(()))
        self._add_float("cells per pixel", np.float16(1 / STRIDE).reshape(()))
        for node in self._needed(SOURCE_HEATMAP, SOURCE_DISTANCES):
            self._convert_node(node)
        self._add("Identity", [SOURCE_HEATMAP], "heatmap")
        self._add("Mul", [SOURCE_DISTANCES, "cells per pixel"], "size")

    def _needed(self, *outputs: str) -> list[dict[str, Any]]:
        """Return the nodes that `outputs` depend on, each after its inputs, in a fixed order."""
        order: dict[str, None] = {}
        stack: list[tuple[str, Iterator[str]]] = []
        for output in outputs:
            stack.append((output, iter(self._source[output].get("input", []))))
            while stack:
                name, inputs = stack[-1]
                following = next((other for other in inputs if other not in order), None)
                if following is None:
                    order[name] = None
                    stack.pop()
                else:
                    stack.append((following, iter(self._source[following].get("input", []))))
        return [self._source[name] for name in order]

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
                self._add(operator, [self._renamed(each) for each in inputs], name)
            case "Relu6":
                self._add("Clip", [inputs[0], "zero", "six"], name)
            case "Mean":
                self._expect(name, self._weights[inputs[1]].tolist(), [1, 2])
                self._expect(name, node["attr"]["keep_dims"]["b"], True)
                self._add("GlobalAveragePool", inputs[:1], name)
            case "ConcatV2":
                self._expect(name, self._weights[inputs[-1]].tolist(), 3)
                self._add("Concat", inputs[:-1], name, axis=1)
            case "ResizeBilinear":
                self._convert_doubling(node)
            case operator:
                raise ConversionError(f"node {name}: there is no rule for the operator {operator}")

    def _convert_constant(self, name: str) -> None:
        """Keep scalars and per-channel factors; the rest is read by the nodes that use it."""
        values = self._weights[name]
        if values.dtype.kind == "f" and values.ndim <= 1:
            self._add_float(name, values.reshape(-1, 1, 1) if values.size > 1 else values.reshape(()))

    def _convert_convolution(self, node: dict[str, Any], *, depthwise: bool) -> None:
        name, (source, kernel_name, *bias) = node["name"], node["input"]
        attributes = node["attr"]
        kernel = self._weights[kernel_name]  # (height, width, in, out), depthwise (height, width, channel, 1)
        side, channels = kernel.shape[0], kernel.shape[2]
        self._expect(name, kernel.shape[1], side)
        if depthwise:
            self._expect(name, kernel.shape[3], 1)
        self._expect(name, [int(step) for step in attributes.get("dilations", _ONES)["list"]["i"]], [1] * 4)
        _, stride, stride_x, _ = (int(step) for step in attributes["strides"]["list"]["i"])
        self._expect(name, stride_x, stride)
        self._add_float(f"{name}/kernel", kernel.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1)))
        inputs = [self._renamed(source), f"{name}/kernel"]
        if bias:
            self._add_float(f"{name}/bias", self._weights[bias[0]])
            inputs.append(f"{name}/bias")
        fused = [_text(value) for value in attributes.get("fused_ops", _NOTHING)["list"].get("s", [])]
        activation = [operator for operator in fused if operator != "BiasAdd"]
        if activation not in ([], ["Relu"]):
            raise ConversionError(f"node {name}: there is no rule for the fused operators {fused}")
        result = f"{name}/before activation" if activation else name
        self._add(
            "Conv",
            inputs,
            result,
            group=channels if depthwise else 1,
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=_same_padding(side, stride) if _text(attributes["padding"]["s"]) == "SAME" else [0] * 4,
        )
        if activation:
            self._add("Relu", [result], name)

    def _convert_doubling(self, node: dict[str, Any]) -> None:
        """Upstream resizes to the sizes of a 512 x 512 input; that is twice the size, whatever the input."""
        name, (source, size_name) = node["name"], node["input"]
        attributes = node["attr"]
        self._expect(name, attributes["align_corners"]["b"], False)
        self._expect(name, attributes.get("half_pixel_centers", {"b": False})["b"], False)
        height, width = self._weights[size_name].tolist()
        if height != width or height not in (SOURCE_SIDE // 16, SOURCE_SIDE // 8, SOURCE_SIDE // 4):
            raise ConversionError(f"node {name} resizes to {height}x{width}; expected a doubling")
        self.initializers["double"] = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "double")
        self._add(
            "Resize", [source, "", "double"], name, mode="linear", coordinate_transformation_mode="asymmetric"
        )

    def _add_float(self, name: str, values: np.ndarray) -> None:
        """Store a constant as it is, and cast it to float32 in the graph if it is float16."""
        half = values.dtype == np.float16
        stored = f"{name}/float16" if half else name
        self.initializers[stored] = numpy_helper.from_array(np.ascontiguousarray(values), stored)
        if half:
            self._add("Cast", [stored], name, to=TensorProto.FLOAT)

    def _add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))

    @staticmethod
    def _renamed(name: str) -> str:
        return "images" if name == SOURCE_INPUT else name

    @staticmethod
    def _expect(name: str, value: object, wanted: object) -> None:
        if value != wanted:
            raise ConversionError(f"node {name} has {value!r} where {wanted!r} was expected")


_ONES = {"list": {"i": ["1"] * 4}}
_NOTHING: dict[str, Any] = {"list": {}}


def _text(value: str) -> str:
    return base64.b64decode(value).decode()


def _same_padding(side: int, stride: int) -> list[int]:
    """Return TensorFlow's SAME padding (top, left, bottom, right), for inputs that `stride` divides."""
    total = max(side - stride, 0)
    before = total // 2
    return [before, before, total - before, total - before]


def make_card() -> ModelCard:
    """Return the card that goes into the file."""
    return ModelCard(
        name="mb3-coco",
        title="MobileNetV3 CenterNet, 80 COCO classes, 2.0 M parameters",
        classes=COCO_CLASSES,
        stride=STRIDE,
        box_form="distances",
        has_offset=False,
        input=InputFormat(),
        licence="MIT",
        origin=f"npm {PACKAGE}, which names github.com/610265158/mobilenetv3_centernet",
        sha256=SHA256,
    )


def convert(graph: bytes, weights: bytes) -> bytes:
    """Return the ONNX file made from the upstream graph and its weights."""
    source = json.loads(graph)
    converter = GraphConverter(source["modelTopology"]["node"], read_weights(source["weightsManifest"], weights))
    converter.convert()
    used = {name for node in converter.nodes for name in node.input}
    grid = ["images", f"height/{STRIDE}", f"width/{STRIDE}"]
    model = helper.make_model(
        helper.make_graph(
            converter.nodes,
            "mb3-coco",
            [_tensor("images", ["images", 3, "height", "width"])],
            [_tensor("heatmap", [grid[0], 80, *grid[1:]]), _tensor("size", [grid[0], 4, *grid[1:]])],
            [tensor for name, tensor in sorted(converter.initializers.items()) if name in used],
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
        producer_name="heatprop",
    )
    helper.set_model_props(model, {METADATA_KEY: make_card().to_json()})
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _tensor(name: str, shape: list[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Build the embedded model mb3-coco from its public source.")
    parser.add_argument("--package", type=Path, help=f"archive of {PACKAGE}; fetched with npm by default")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="the ONNX file to write")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            sources = read_sources(options.package or fetch_package(Path(folder)))
        content = convert(sources[GRAPH_FILE], sources[WEIGHTS_FILE])
        output = OutputFile(options.output, overwrite=True)
        output.partial.write_bytes(content)
        output.commit()
    except (ConversionError, HeatpropError) as error:
        print(f"convert_mb3_centernet: {error}", file=sys.stderr)
        return 1
    print(f"{options.output}: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
