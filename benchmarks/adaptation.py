"""What each part of adaptive propagation brings: all parts, each switched off, each alone.

    heatprop evaluate --dataset coco-video --root clips --method network -o alone --cache outputs
    python benchmarks/adaptation.py real --root clips --cache outputs

    python benchmarks/adaptation.py synthetic --root synthetic --cache test

Rows are variants, on the same network outputs: as in `temporal.py`. "No part" is what stays when every switch of
`AdaptationConfig` is off: each tracklet boosts one cell. On real clips figures are means over clips, each
counted once, then AP50 of each group of clips, by the first word of their names. On the synthetic benchmark they
are the official mAP, of all frames and of those in which a cause of difficulty is at work. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from temporal import open_cache

from heatprop.lab.datasets import VideoDataset, load_dataset
from heatprop.lab.evaluation.runs.comparison import ComparisonRow, ComparisonSettings, compare
from heatprop.lab.evaluation.runs.temporal import TemporalMethod
from heatprop.lab.synthesis.causes import read_causes
from heatprop.propagation import AdaptationConfig, PropagationConfig

OFF: dict[str, dict[str, Any]] = {
    "own velocity": {"velocity": 0.0},
    "search by prediction error": {"least_radius": PropagationConfig.radius},
    "nearness": {"nearness": 0.0},
    "overlap of boxes": {"min_iou": 0.0},
    "second chance": {"second_chance": 0.0},
    "support": {"support": 0.0, "decay": 1.0},
    "ceiling of length": {"max_length": inf},
    "faster when seen": {"rising_weight": 1.0},
    "drawn to the best": {"boost": 0.0},
    "leaving": {"leaving": 1.0},
    "trusted sizes": {"trust": 0.0},
    "held peaks": {"holds_peaks": False},
}


def variants() -> list[TemporalMethod]:
    """Return the network alone, the paper's form, and the adaptive one with more and fewer parts."""
    every = AdaptationConfig()
    none = replace(every, **{name: value for switches in OFF.values() for name, value in switches.items()})
    back = {part: {name: getattr(every, name) for name in switches} for part, switches in OFF.items()}
    chosen = {
        "all parts": every,
        **{f"without {part}": replace(every, **switches) for part, switches in OFF.items()},
        "no part": none,
        **{f"only {part}": replace(none, **switches) for part, switches in back.items()},
    }
    return [
        TemporalMethod(title="network alone", name="network"),
        TemporalMethod(title="the paper's", propagation=PropagationConfig.paper()),
        *(
            TemporalMethod(title=title, propagation=PropagationConfig(adaptation=adaptation))
            for title, adaptation in chosen.items()
        ),
    ]


def real_figures(row: ComparisonRow, dataset: VideoDataset) -> dict[str, float]:
    """Return means over clips, and AP50 of each group."""
    by_video = dict(zip(row.names, row.by_video.T, strict=True))
    groups = [video.name.replace("-", " ").split()[0] for video in dataset.videos]
    return {
        "AP50": 100 * by_video["AP50"].mean(),
        "AP75": 100 * by_video["AP75"].mean(),
        **{
            f"AP50 {group}": 100 * by_video["AP50"][np.array(groups) == group].mean()
            for group in dict.fromkeys(groups)
        },
        "changes": row.value("changes"),
        "false positives": row.value("false_positives"),
    }


def synthetic_figures(row: ComparisonRow) -> dict[str, float]:
    """Return mAP of all frames and by cause, and how much it flickers."""
    shares = {
        name.removeprefix("mAP ").replace("mAP", "all"): 100 * row.value(name)
        for name in row.names
        if "mAP" in name
    }
    return shares | {"changes": row.value("changes")}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("real", "synthetic"))
    parser.add_argument("--root", type=Path, required=True, help="folder of the dataset")
    parser.add_argument("--cache", type=Path, required=True, help="what evaluate --cache has kept of it")
    parser.add_argument("--split", default="test", help="of the synthetic dataset")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    arguments = parser.parse_args()
    is_real = arguments.data == "real"
    layout, split = ("coco-video", "val") if is_real else ("imagenet-vid", arguments.split)
    dataset = load_dataset(layout, arguments.root, split)
    cache = open_cache(arguments.cache, dataset, split)
    causes = {} if is_real else {name: at for name, at in read_causes(dataset, split).items() if at.any()}
    settings = ComparisonSettings(metric="coco" if is_real else "official", resamples=1)
    rows = compare(dataset, cache, variants(), settings, subsets=causes, jobs=arguments.jobs)
    figures = {row.method.title: real_figures(row, dataset) if is_real else synthetic_figures(row) for row in rows}
    names = list(next(iter(figures.values())))
    print(f"| | {' | '.join(names)} |")
    print("| --- |" + " --- |" * len(names))
    for title, values in figures.items():
        cells = [
            f"{value:.2f}" if name in ("changes", "false positives") else f"{value:.1f}"
            for name, value in values.items()
        ]
        print(f"| {title} | {' | '.join(cells)} |")
    print(json.dumps({"data": arguments.data, "model": cache.manifest.model, "variants": figures}))


if __name__ == "__main__":
    main()
