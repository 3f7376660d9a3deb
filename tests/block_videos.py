"""Videos of blocks that walk, and a CenterNet that sees them: red ones are people, blue ones are cars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from heatprop.letterbox import InputFormat
from heatprop.zoo.card import METADATA_KEY, ModelCard

WIDTH, HEIGHT = 160, 96
BLOCK = (16, 24)  # width and height in pixels
CLASSES = ("person", "car")
_COLOURS = {"person": (220, 30, 30), "car": (30, 30, 220)}

Path_ = Sequence[tuple[float, float] | None]
"""Where a block stands in each frame: the middle of its lower side; None where it is not there."""


def paint_blocks(walks: Mapping[str, Sequence[Path_]], index: int) -> np.ndarray:
    """Return a frame: grey, with the blocks of each class where they are."""
    image = np.full((HEIGHT, WIDTH, 3), 110, np.uint8)
    for name, paths in walks.items():
        for path in paths:
            place = path[index] if index < len(path) else None
            if place is not None:
                left, bottom = round(place[0] - BLOCK[0] / 2), round(place[1])
                image[max(bottom - BLOCK[1], 0) : max(bottom, 0), max(left, 0) : max(left + BLOCK[0], 0)] = (
                    _COLOURS[name]
                )
    return image


def write_blocks(path: Path, walks: Mapping[str, Sequence[Path_]], *, rate: int = 25) -> Path:
    """Write a video as long as the longest walk."""
    count = max(len(each) for paths in walks.values() for each in paths)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv444p"
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(paint_blocks(walks, index), format="rgb24").reformat(
                format="yuv444p"
            )
            frame.pts, frame.time_base = index, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_block_detector(path: Path) -> Path:
    """Write the network: how much redder, or bluer, than green an area of a block's size is, at a stride of 4."""
    colours = np.zeros((2, 3, 1, 1), np.float32)
    colours[0, :, 0, 0], colours[1, :, 0, 0] = (1, -1, 0), (0, -1, 1)
    sizes = np.zeros((2, 2, 1, 1), np.float32)
    width, height = BLOCK
    # A cell of 4 x 4 pixels, and half a block around it.
    kernel, pads = [height + 1, width + 1], [height // 2, width // 2, height // 2, width // 2]
    nodes = [
        helper.make_node("Conv", ["images", "colours"], ["redness"]),
        helper.make_node("Mul", ["redness", "scale"], ["scaled"]),
        helper.make_node(
            "AveragePool",
            ["scaled"],
            ["means"],
            kernel_shape=kernel,
            strides=[4, 4],
            pads=pads,
            count_include_pad=1,
        ),
        helper.make_node("Clip", ["means", "least", "most"], ["heatmap"]),
        helper.make_node("Conv", ["means", "no weights", "block"], ["size"]),
    ]
    weights = {
        "colours": colours,
        "scale": np.float32(1 / 180),
        "least": np.float32(0),
        "most": np.float32(1),
        "no weights": sizes,
        "block": np.float32([width / 4, height / 4]),
    }
    sides = {"heatmap": 2, "size": 2}
    graph = helper.make_graph(
        nodes,
        "blocks",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, "height", "width"])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, "rows", "columns"])
            for name, channels in sides.items()
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    card = ModelCard(
        "blocks",
        "Red and blue blocks",
        CLASSES,
        4,
        "size",
        False,
        InputFormat(longest_side=WIDTH),
        "MIT",
        "tests",
        {},
    )
    helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    onnx.save(model, path)
    return path
