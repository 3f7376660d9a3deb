"""Damaged and altered models through `heatprop detect`: each runs, or is refused in a line."""

from __future__ import annotations

import json
import math
import random
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from campaigns.outcomes import Ended, Tally, run_heatprop
from campaigns.videos import make_video

_MODEL = "mb3-coco.onnx"
_FRAMES = 2
# An altered network may ask for any amount of it; without a limit the system would kill what it likes.
_MEMORY = 12 << 30


def run(runs: int, seed: int, folder: Path) -> Tally:
    """Detect with `runs` damaged models, by both runtimes in turn."""
    draw = random.Random(seed)
    tally = Tally("models")
    video = make_video(folder / "video.mp4", "libx264", None)
    whole = Path(str(resources.files("heatprop.zoo") / _MODEL))
    for number in range(runs):
        name, change = draw.choice(list(_CHANGES.items()))
        place = folder / f"{number}-{name}"
        place.mkdir()
        model = change(whole, place, draw)
        backend = ("auto", "onnx", "openvino")[number % 3]
        options = ["--backend", backend, "--max-frames", str(_FRAMES), "--input-size", "64"]
        ended = run_heatprop(["detect", video, "--model", model, "--json", "-", *options], place, memory=_MEMORY)
        fault = ended.fault() or _nonsense(ended)
        outcome = {0: "done", 1: "failed", 2: "refused"}.get(-1 if ended.code is None else ended.code, "other")
        tally.count(outcome, fault, f"{place.name}, {backend}: {ended.stderr.strip()[-300:]}")
        if fault is None:
            shutil.rmtree(place)
    return tally


def _nonsense(ended: Ended) -> str | None:
    """Return what is no detection in what was written, None if nothing is."""
    for line in ended.stdout.splitlines():
        try:
            frame: dict[str, Any] = json.loads(line)
        except ValueError:
            return "standard output is no JSON Lines"
        boxes = np.array(frame.get("boxes", []), float).reshape(-1, 4)
        scores = frame.get("scores", [])
        if not np.isfinite(boxes).all() or not all(math.isfinite(score) and 0 <= score <= 1 for score in scores):
            return "boxes or scores that are none"
    return None


def _cut(whole: Path, place: Path, draw: random.Random) -> Path:
    data = whole.read_bytes()
    return _written(place, data[: draw.randrange(len(data))])


def _bits(whole: Path, place: Path, draw: random.Random) -> Path:
    data = bytearray(whole.read_bytes())
    for _ in range(draw.choice((1, 30, 1_000))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return _written(place, bytes(data))


def _ends(whole: Path, place: Path, draw: random.Random) -> Path:
    data = bytearray(whole.read_bytes())
    ends = draw.choice((range(2_000), range(len(data) - 4_000, len(data))))
    for _ in range(draw.choice((1, 5, 50))):
        data[draw.choice(ends)] = draw.randrange(256)
    return _written(place, bytes(data))


def _card(whole: Path, place: Path, draw: random.Random) -> Path:
    """Change one value of the metadata, which holds the card."""
    model = onnx.load(whole)
    entry = draw.choice(list(model.metadata_props))
    odd = ["", "null", "[]", "{}", "-1", "1e999", "0", "nan", "x" * 5_000, "[" * 3_000, "\u0000", entry.value[:-1]]
    try:
        value = json.loads(entry.value)
    except ValueError:
        value = None
    if isinstance(value, dict) and value and draw.random() < 0.8:
        value[draw.choice(sorted(value))] = draw.choice(
            [None, -1, 0, 10**30, "", [], {}, [[]], True, 0.5, [1] * 500]
        )
        entry.value = json.dumps(value)
    else:
        entry.value = draw.choice(odd)
    return _saved(model, place)


def _attribute(whole: Path, place: Path, draw: random.Random) -> Path:
    """Change an attribute of a node."""
    model = onnx.load(whole)
    node = draw.choice([node for node in model.graph.node if node.attribute])
    attribute = draw.choice(list(node.attribute))
    number = draw.choice((-1, 0, 3, 10**6))
    if attribute.ints:
        attribute.ints[draw.randrange(len(attribute.ints))] = number
    elif attribute.type == onnx.AttributeProto.INT:
        attribute.i = number
    elif attribute.type == onnx.AttributeProto.FLOAT:
        attribute.f = draw.choice((math.nan, math.inf, 0.0))
    else:
        node.attribute.remove(attribute)
    return _saved(model, place)


def _wiring(whole: Path, place: Path, draw: random.Random) -> Path:
    """Take a node out, or give it another input, or rename an output of the network."""
    model = onnx.load(whole)
    nodes = model.graph.node
    what = draw.randrange(3)
    if what == 0:
        nodes.remove(draw.choice(list(nodes)))
    elif what == 1:
        node, other = draw.choice([node for node in nodes if node.input]), draw.choice(list(nodes))
        node.input[0] = other.output[0]
    else:
        model.graph.output[draw.randrange(len(model.graph.output))].name = "something"
    return _saved(model, place)


def _weights(whole: Path, place: Path, draw: random.Random) -> Path:
    """Fill a weight with what no network should give."""
    model = onnx.load(whole)
    weight = draw.choice([each for each in model.graph.initializer if each.data_type in {1, 10}])
    values = numpy_helper.to_array(weight)
    filled = np.full_like(values, draw.choice((math.nan, math.inf, -math.inf, 6e4, 0)))
    weight.CopyFrom(numpy_helper.from_array(filled, weight.name))
    return _saved(model, place)


def _input(whole: Path, place: Path, draw: random.Random) -> Path:
    """Ask for another shape or type of image."""
    model = onnx.load(whole)
    kind = model.graph.input[0].type.tensor_type
    if draw.random() < 0.3:
        kind.elem_type = draw.choice((2, 7, 8, 10, 11))
    else:
        dimension = kind.shape.dim[draw.randrange(len(kind.shape.dim))]
        dimension.dim_value = draw.choice((1, 2, 3, 5, 4_096))
    return _saved(model, place)


def _other_file(_: Path, place: Path, draw: random.Random) -> Path:
    """Write what is no model under the name of one."""
    path = place / draw.choice(("model.onnx", "model.xml", "model.pth"))
    path.write_bytes(
        draw.choice((b"", b"<", b"PK\x03\x04", b"<?xml version='1.0'?><net/>", draw.randbytes(5_000)))
    )
    return path


def _written(place: Path, data: bytes) -> Path:
    path = place / "model.onnx"
    path.write_bytes(data)
    return path


def _saved(model: onnx.ModelProto, place: Path) -> Path:
    return _written(place, model.SerializeToString())


_CHANGES: dict[str, Callable[[Path, Path, random.Random], Path]] = {
    "cut": _cut,
    "bits": _bits,
    "ends": _ends,
    "card": _card,
    "attribute": _attribute,
    "wiring": _wiring,
    "weights": _weights,
    "input": _input,
    "other-file": _other_file,
}
