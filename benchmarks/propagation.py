"""How fast is one propagation update, against a dense one and against reading the heatmap once?

    python benchmarks/propagation.py [--quick]

An update is propagation, balance, peaks, suppression and boxes: what a frame costs after the network. The sparse
update is heatprop's; the dense ones do the same in the usual way, with max pooling over the whole map, in NumPy
with OpenCV's dilation and, where it is installed, in PyTorch. All see the same maps and carry the same objects,
and before anything is timed their scores are compared. "In place" is the sparse update on a heatmap that it may
change, as in the detector; the ratios are its own. "Adaptive" is `PropagationConfig.adaptive()`, in place too. The
ways take turns, in blocks of a few updates each, in one process; figures are medians. The ratios are what carries
over to other machines. The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import cycle
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from heatprop.boxes import nms
from heatprop.propagation import AdaptationConfig, HeatmapPropagator, PropagationConfig
from heatprop.types import HeadOutput

MAIN = "30 classes, 128 x 128, 100 carried, P = 2"


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    classes: int
    grid: tuple[int, int]
    objects: int
    radius: int


CASES = [
    Case(MAIN, 30, (128, 128), 100, 2),
    *(Case(f"P = {radius}", 30, (128, 128), 100, radius) for radius in (0, 1, 3, 5)),
    *(Case(f"{classes} classes", classes, (128, 128), 100, 2) for classes in (1, 80)),
    *(Case(f"{objects} carried", 30, (128, 128), objects, 2) for objects in (1, 10)),
    Case("80 classes, 56 x 128, 10 carried (the demo)", 80, (56, 128), 10, 2),
    Case("30 classes, 72 x 128 (16:9)", 30, (72, 128), 100, 2),
    Case("30 classes, 64 x 64", 30, (64, 64), 100, 2),
    Case("30 classes, 192 x 192", 30, (192, 192), 100, 2),
]


def make_frames(case: Case, count: int = 8) -> list[HeadOutput]:
    """Make frames like a network's: low background, objects that wander a cell at a time, one bump each."""
    random = np.random.default_rng(0)
    height, width = case.grid
    spots = np.stack([random.integers(3, height - 3, case.objects), random.integers(3, width - 3, case.objects)])
    labels = random.integers(0, case.classes, case.objects)
    frames = []
    for _ in range(count):
        heatmap = random.random((case.classes, height, width), np.float32) * 0.03
        spots = np.clip(spots + random.integers(-1, 2, spots.shape), 3, np.array([[height], [width]]) - 4)
        for label, y, x in zip(labels, *spots, strict=True):
            heatmap[label, y - 1 : y + 2, x - 1 : x + 2] = random.uniform(0.1, 0.3, (3, 3))
            heatmap[label, y, x] = random.uniform(0.35, 0.95)
        size = random.uniform(3, 6, (2, height, width)).astype(np.float32)
        frames.append(HeadOutput(heatmap, size, random.random((2, height, width), np.float32)))
    return frames


class DenseNumPy:
    """The dense update in NumPy: whole maps for score, length and size, dilation and peaks by OpenCV."""

    def __init__(self, config: PropagationConfig) -> None:
        self.config = config
        self.carried: tuple[Any, ...] | None = None

    def update(self, output: HeadOutput) -> np.ndarray:
        """Return the scores of the next frame's detections."""
        config, network = self.config, output.heatmap
        score, length = np.zeros_like(network), np.zeros_like(network)
        sizes = np.zeros((2, *network.shape), np.float32)
        if self.carried is not None:
            labels, rows, columns, scores, carried_sizes, lengths = self.carried
            for i in np.argsort(scores, kind="stable"):
                square = (
                    labels[i],
                    slice(max(rows[i] - config.radius, 0), rows[i] + config.radius + 1),
                    slice(max(columns[i] - config.radius, 0), columns[i] + config.radius + 1),
                )
                score[square], length[square] = scores[i], lengths[i]
                sizes[0][square], sizes[1][square] = carried_sizes[i]
        long_term = (network + config.beta * score * length) / (1 + config.beta * length)
        balanced = (1 - config.alpha) * network + config.alpha * long_term
        weight = network + score
        mixed = (network * output.size[:, None] + score * sizes) / np.maximum(weight, 1e-12)
        kernel = np.ones((config.peak_window, config.peak_window), np.uint8)
        largest = np.stack([cv2.dilate(plane, kernel) for plane in balanced])
        peaks = np.where(largest == balanced, balanced, 0).reshape(-1)
        best = np.argpartition(-peaks, min(config.max_detections, peaks.size - 1))[: config.max_detections]
        best = best[np.argsort(-peaks[best], kind="stable")]
        best = best[peaks[best] >= config.score_threshold]
        labels, rows, columns = np.unravel_index(best, network.shape)
        picked = mixed[:, labels, rows, columns].T
        centers = np.stack([columns, rows], 1) + output.offset[:, rows, columns].T
        boxes = np.concatenate([centers - picked / 2, centers + picked / 2], 1).astype(np.float32)
        kept = nms(boxes, labels, config.nms_iou)
        best, labels, rows, columns = best[kept], labels[kept], rows[kept], columns[kept]
        scores = balanced.reshape(-1)[best]
        self.carried = (labels, rows, columns, scores, picked[kept], length.reshape(-1)[best] + 1)
        return scores


class DenseTorch:
    """The dense update in PyTorch, as a detector on a GPU would do it: max pooling with indices."""

    def __init__(self, config: PropagationConfig) -> None:
        self.config = config
        self.carried: tuple[Any, ...] | None = None

    def update(self, output: HeadOutput) -> np.ndarray:
        """Return the scores of the next frame's detections."""
        import torch  # noqa: PLC0415 - not a dependency: this row is skipped where it is missing
        from torch.nn.functional import max_pool2d  # noqa: PLC0415

        config = self.config
        network = torch.from_numpy(output.heatmap)[None]
        size, offset = torch.from_numpy(output.size), torch.from_numpy(output.offset)
        points = torch.zeros_like(network)
        lengths = torch.zeros_like(network)
        sizes = torch.zeros((2, *network.shape[1:]))
        if self.carried is not None:
            label, row, column, scores, carried_sizes, carried_lengths = self.carried
            points[0, label, row, column] = scores
            lengths[0, label, row, column] = carried_lengths
            sizes[:, label, row, column] = carried_sizes
        side = 2 * config.radius + 1
        score, index = max_pool2d(points, side, 1, config.radius, return_indices=True)
        flat = index.flatten(2)
        length = lengths.flatten(2).gather(2, flat).view_as(network) * (score > 0)
        carried_size = sizes.flatten(2).gather(2, flat.expand(2, -1, -1)).view(2, *network.shape[1:])
        long_term = (network + config.beta * score * length) / (1 + config.beta * length)
        balanced = (1 - config.alpha) * network + config.alpha * long_term
        mixed = (network * size[:, None] + score * carried_size) / (network + score).clamp_min(1e-12)
        window = config.peak_window
        peaks = balanced * (max_pool2d(balanced, window, 1, window // 2) == balanced)
        best_scores, best = peaks.flatten().topk(config.max_detections)
        best = best[best_scores >= config.score_threshold]
        label, row, column = torch.unravel_index(best, network.shape[1:])
        picked = mixed[:, label, row, column]
        center = torch.stack([column, row]) + offset[:, row, column]
        boxes = torch.cat([center - picked / 2, center + picked / 2]).T
        kept = torch.from_numpy(nms(boxes.numpy(), label.numpy(), config.nms_iou))
        best, label, row, column = best[kept], label[kept], row[kept], column[kept]
        scores = balanced.flatten()[best]
        self.carried = (label, row, column, scores, picked[:, kept], length.flatten()[best] + 1)
        return scores.numpy()


def measure(case: Case, rounds: int) -> dict[str, float]:
    """Return the median milliseconds of each way, timed in turn on the same frames."""
    config = PropagationConfig(radius=case.radius)
    frames = make_frames(case)
    sparse, in_place = HeatmapPropagator(config), HeatmapPropagator(config)
    ways: dict[str, Callable[[HeadOutput], Any]] = {
        "sparse": lambda output: sparse.update(output).scores,
        "in place": lambda output: in_place.update(output, overwrite=True).scores,
        "dense NumPy": DenseNumPy(config).update,
    }
    if find_spec("torch"):
        ways["dense PyTorch"] = DenseTorch(config).update
    for output in frames[:4]:  # also the warm-up: objects are carried from here on
        scores = {name: np.sort(way(copied(output))) for name, way in ways.items()}
        for name, found in scores.items():
            np.testing.assert_allclose(found, scores["sparse"], atol=1e-5, err_msg=f"{case.name}: {name}")
    adaptive = HeatmapPropagator(replace(config, adaptation=AdaptationConfig()))
    ways["adaptive"] = lambda output: adaptive.update(output, overwrite=True).scores
    for output in frames[:4]:
        ways["adaptive"](copied(output))
    ways["floor"] = lambda output: output.heatmap >= np.float32(2)
    times: dict[str, list[float]] = {name: [] for name in ways}
    order = cycle_from(frames, 4)
    spare = [np.empty_like(frame.heatmap) for frame in frames]
    for _ in range(rounds):
        block = [next(order) for _ in frames]
        for name, way in ways.items():
            outputs = block
            if name in {"in place", "adaptive"}:  # as the detector does, whose heatmaps nobody else wants
                outputs = [copied(output, place) for output, place in zip(block, spare, strict=True)]
            for output in outputs:
                started = time.perf_counter()
                way(output)
                times[name].append((time.perf_counter() - started) * 1e3)
    return {name: float(np.median(values)) for name, values in times.items()}


def copied(output: HeadOutput, place: np.ndarray | None = None) -> HeadOutput:
    """Return a head output whose heatmap may be changed, in a place that is kept or in a new one."""
    heatmap = np.empty_like(output.heatmap) if place is None else place
    np.copyto(heatmap, output.heatmap)
    return HeadOutput(heatmap, output.size, output.offset)


def cycle_from(frames: list[HeadOutput], first: int) -> Iterator[HeadOutput]:
    """Go round the frames for ever, beginning with the one after those used to warm up."""
    return cycle(frames[first:] + frames[:first])


def main() -> None:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the main row only, few rounds")
    quick = parser.parse_args().quick
    cases, rounds = (CASES[:1], 5) if quick else (CASES, 25)
    ways = ("sparse", "in place", "adaptive", "dense NumPy", "dense PyTorch")
    table = Table("one update, median ms", *ways, "one read", "times faster", "times the read")
    results = {}
    for case in cases:
        result = measure(case, rounds)
        ratios = {name: value / result["in place"] for name, value in result.items() if name.startswith("dense")}
        result |= {f"times_faster_than_{name.replace(' ', '_')}": ratio for name, ratio in ratios.items()}
        result["adaptive_times_the_paper"] = result["adaptive"] / result["in place"]
        result["times_the_floor"] = result["in place"] / result["floor"]
        results[case.name] = {name: round(value, 4) for name, value in result.items()}
        cells = [f"{result[name]:.2f}" if name in result else "-" for name in ways]
        table.add_row(
            case.name,
            *cells,
            f"{result['floor']:.3f}",
            " / ".join(f"{ratio:.0f}" for ratio in ratios.values()),
            f"{result['times_the_floor']:.1f}",
        )
    Console(file=sys.stderr, width=110).print(table)
    print(json.dumps({"benchmark": "propagation", "unit": "milliseconds, median", "cases": results}))


if __name__ == "__main__":
    main()
