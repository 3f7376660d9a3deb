"""Put the trained model synthvid into the package, and draw the curve of its training.

    heatprop train --config experiments/synthvid.toml -o runs/synthvid
    python tools/embed_synthvid.py runs/synthvid

Writes src/heatprop/zoo/synthvid.onnx (weights in half precision) and docs/images/synthvid-curve.svg, and prints
what the model's page quotes: hashes, and the curve as a table.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from heatprop.lab.networks import load_checkpoint
from heatprop.lab.networks.export import export_checkpoint

EXPERIMENT = Path("experiments/synthvid.toml")
MODEL = Path("src/heatprop/zoo/synthvid.onnx")
CURVE = Path("docs/images/synthvid-curve.svg")
ROWS = 12
WINDOW = 100  # steps that a loss is averaged over


def main(run: Path) -> None:
    """Write the model and its curve."""
    checkpoint = load_checkpoint(run / "last.pt")
    checkpoint.card = replace(
        checkpoint.card,
        name="synthvid",
        title="CenterNet, ResNet-18 of half the width, 30 classes of ImageNet VID, drawn ones",
        licence="Apache-2.0",
        origin="trained on the videos of `heatprop synthesize` by experiments/synthvid.toml of heatprop",
        sha256={EXPERIMENT.name: sha256(EXPERIMENT), "last.pt": sha256(run / "last.pt")},
    )
    exported = export_checkpoint(checkpoint, MODEL, half=True, overwrite=True)
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    steps = [entry for entry in entries if "total" in entry]
    precisions = [entry for entry in entries if "precision" in entry]
    draw_curve(steps, precisions)
    print(f"{MODEL}: {MODEL.stat().st_size:,} bytes; heatmap within {exported.difference:.1e} of PyTorch's\n")
    for path in (EXPERIMENT, run / "last.pt", MODEL):
        print(f"| `{path.name}` | {sha256(path)} |")
    print("\n| step | learning rate | loss | heatmap | size | offset | mAP, val |\n" + "| --- " * 7 + "|")
    for number in np.linspace(len(steps) / ROWS, len(steps), ROWS).astype(int).tolist():
        part = steps[max(0, number - WINDOW) : number]
        means = " | ".join(
            f"{np.mean([each[key] for each in part]):.2f}" for key in ("total", "heatmap", "size", "offset")
        )
        validated = [f"{100 * each['precision']:.1f} %" for each in precisions if each["step"] == part[-1]["step"]]
        print(f"| {part[-1]['step']:,} | {part[-1]['rate']:.1e} | {means} | {' '.join(validated)} |")


def draw_curve(steps: list[dict[str, Any]], precisions: list[dict[str, Any]]) -> None:
    """Draw loss, averaged over `WINDOW` steps, and mAP over the steps."""
    mpl.rcParams["svg.hashsalt"] = "heatprop"  # the same names in the file each time
    figure = Figure((7, 3))
    left = figure.subplots()
    losses = np.convolve([step["total"] for step in steps], np.full(WINDOW, 1 / WINDOW), "valid")
    left.plot(np.arange(WINDOW, len(steps) + 1), losses, color="tab:blue")
    left.set_xlabel("step")
    left.set_ylabel(f"loss, mean of {WINDOW} steps", color="tab:blue")
    left.set_ylim(0, 6)
    right = left.twinx()
    right.plot(
        [each["step"] for each in precisions],
        [100 * each["precision"] for each in precisions],
        "o-",
        color="tab:red",
    )
    right.set_ylabel("mAP on val, %", color="tab:red")
    right.set_ylim(0, 100)
    figure.tight_layout()
    figure.savefig(CURVE, metadata={"Date": None})


def sha256(path: Path) -> str:
    """Return the hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
