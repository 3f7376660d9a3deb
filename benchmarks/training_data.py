"""What reading and augmenting images costs training: by threads, by processes, and not at all.

    heatprop synthesize synthetic --split val --videos 90 --frames 60
    python benchmarks/training_data.py --root synthetic --side 128

Each step learns from one batch that is there already, from one that threads read meanwhile, as `heatprop train`
does, or from one of PyTorch's DataLoader with two processes; in turn, so that a busy machine troubles all three.
The last line is JSON: medians of seconds a step, and the processor's time for one sample.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from statistics import median

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from heatprop.lab.datasets import load_dataset
from heatprop.lab.training.batch import Batch, Sample
from heatprop.lab.training.config import AugmentationConfig, ModelConfig, OptimiserConfig, TrainingConfig
from heatprop.lab.training.learning import train_step
from heatprop.lab.training.loading import batches
from heatprop.lab.training.ranks import Ranks
from heatprop.lab.training.run_opening import build_learner
from heatprop.lab.training.samples import DatasetSamples

BATCH = 16
STEPS_A_TURN = 6


class Numbered(Dataset[Sample]):
    """Samples as PyTorch's DataLoader wants them."""

    def __init__(self, samples: DatasetSamples) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, number: int) -> Sample:
        return self._samples.sample(number, 0)


def seconds_a_sample(samples: DatasetSamples) -> float:
    """Return the processor's time for reading and augmenting one sample."""
    started = time.process_time()
    count = min(200, len(samples))
    for number in range(count):
        samples.sample(number, 0)
    return (time.process_time() - started) / count


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--turns", type=int, default=10)
    options = parser.parse_args()
    dataset = load_dataset("imagenet-vid", options.root, options.split)
    samples = DatasetSamples(dataset, AugmentationConfig(), side=options.side, seed=0)
    model = ModelConfig(backbone="resnet18", width=0.5, deformable=False, head_width=32, input_side=options.side)
    config = TrainingConfig(model=model, optimiser=OptimiserConfig(kind="adamw"))
    learner, _ = build_learner(config, dataset.classes, Ranks())
    threads = (
        loaded.batch for epoch in itertools.count() for loaded in batches(samples, epoch, seed=0, batch_size=BATCH)
    )
    loader = DataLoader(
        Numbered(samples),
        batch_size=BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=2,
        collate_fn=Batch.of,
        worker_init_fn=lambda _: cv2.setNumThreads(0),
    )
    feeds: dict[str, Iterator[Batch]] = {
        "nothing": itertools.repeat(next(threads)),
        "threads": threads,
        "processes": (batch for _ in itertools.count() for batch in loader),
    }
    for feed in feeds.values():
        train_step(learner, next(feed), 0, 1e-5)
    spent: dict[str, list[float]] = {name: [] for name in feeds}
    for _ in range(options.turns):
        for name, feed in feeds.items():
            for _ in range(STEPS_A_TURN):
                started = time.perf_counter()
                train_step(learner, next(feed), 0, 1e-5)
                spent[name].append(time.perf_counter() - started)
    result = {name: round(median(seconds), 4) for name, seconds in spent.items()}
    for name, seconds in result.items():
        print(f"{name:10} {seconds:.3f} s a step of {BATCH}")
    print(json.dumps({"side": options.side, "torch_threads": torch.get_num_threads(), "seconds_a_step": result,
                      "cpu_seconds_a_sample": round(seconds_a_sample(samples), 5)}))  # fmt: skip


if __name__ == "__main__":
    main()
