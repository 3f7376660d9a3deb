"""How much longer does an update take on heatmaps that are flat or quantised than on usual ones?

    python benchmarks/plateaus.py [--quick]

A flat heatmap is one plateau, of which one cell a class stays; a quantised one has many small ones. Networks that
are broken, or run in few bits, give such maps, and an update must not take seconds on them. For each shape the
usual update and those on flat maps take turns in one process: the paper's form, the adaptive one, and plain
decoding. All but decoding have 100 objects carried from usual frames. Figures are medians; the ratios are what
carries over to other machines. The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from heatprop.propagation import HeatmapPropagator, PropagationConfig, decode
from heatprop.types import Detections, HeadOutput
from propagation import Case, copied, make_frames

SHAPES = [(80, 128, 128), (30, 128, 128), (1000, 128, 128), (10_000, 16, 16), (1, 128, 128)]
WAYS: dict[str, PropagationConfig | None] = {
    "paper": PropagationConfig.paper(),
    "adaptive": PropagationConfig.adaptive(),
    "decode": None,
}


def flat_maps(shape: tuple[int, int, int], usual: np.ndarray) -> dict[str, np.ndarray]:
    """Return maps of plateaus, large and small, by name."""
    random = np.random.default_rng(0)
    _, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    noise = random.random(shape, np.float32)
    rules = {
        "constant 0.5": 0.5,
        "constant 0.05, the threshold": 0.05,
        "constant 1": 1.0,
        "rows": 0.3 + 0.4 * (y % 2),
        "columns": 0.3 + 0.4 * (x % 2),
        "checkerboard": 0.3 + 0.4 * ((x + y) % 2),
        "blocks of 8": 0.2 + 0.1 * ((x // 8 + y // 8) % 5),
        "noise in 8 bits": np.round(noise * 255) / 255,
        "noise in 4 bits": np.round(noise * 15) / 15,
        "usual in 8 bits": np.round(usual * 255) / 255,
    }
    return {name: np.broadcast_to(np.float32(rule), shape).copy() for name, rule in rules.items()}


def updates(config: PropagationConfig | None, frames: list[HeadOutput]) -> Callable[[HeadOutput], Detections]:
    """Return an update by a way, which carries the objects of the frames where it carries any."""
    if config is None:
        return decode
    propagator = HeatmapPropagator(config)
    for frame in frames:
        propagator.update(frame)
    memory = propagator.memory

    def update(output: HeadOutput) -> Detections:
        propagator.memory = memory
        return propagator.update(output, overwrite=True)

    return update


def measure(shape: tuple[int, int, int], rounds: int) -> dict[str, dict[str, float]]:
    """Return the median milliseconds of each way, "usual" and on each flat map, timed in turn."""
    frames = make_frames(Case("", shape[0], shape[1:], 100, 2), 4)
    maps = {"usual": frames[-1].heatmap, **flat_maps(shape, frames[-1].heatmap)}
    outputs = {name: HeadOutput(heatmap, frames[0].size, frames[0].offset) for name, heatmap in maps.items()}
    times: dict[str, dict[str, list[float]]] = {way: {name: [] for name in maps} for way in WAYS}
    place = np.empty(shape, np.float32)
    for way, config in WAYS.items():
        update = updates(config, frames[:-1])
        for turn in range(rounds + 1):
            for name, output in outputs.items():
                for _ in range(3 if name == "usual" else 1):
                    own = copied(output, place)
                    started = time.perf_counter()
                    update(own)
                    if turn:  # the first is the warm-up
                        times[way][name].append((time.perf_counter() - started) * 1e3)
    return {way: {name: float(np.median(each)) for name, each in by.items()} for way, by in times.items()}


def main() -> None:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the first shape only, few rounds")
    quick = parser.parse_args().quick
    table = Table("classes x grid", "way", "usual, ms", "slowest, ms", "times the usual", "on")
    results = {}
    for shape in SHAPES[:1] if quick else SHAPES:
        name = " x ".join(map(str, shape))
        results[name] = measure(shape, 3 if quick else 9)
        for way, by in results[name].items():
            slowest = max(by, key=by.__getitem__)
            ratio = by[slowest] / by["usual"]
            table.add_row(name, way, f"{by['usual']:.2f}", f"{by[slowest]:.2f}", f"{ratio:.1f}", slowest)
    Console(file=sys.stderr, width=110).print(table)
    rounded = {
        name: {way: {on: round(value, 4) for on, value in by.items()} for way, by in ways.items()}
        for name, ways in results.items()
    }
    print(json.dumps({"benchmark": "plateaus", "unit": "milliseconds, median", "shapes": rounded}))


if __name__ == "__main__":
    main()
