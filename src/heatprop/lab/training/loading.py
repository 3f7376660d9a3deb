"""Samples in the order of an epoch, in batches, read some steps ahead of who learns from them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

import cv2
import numpy as np

from heatprop.backends.base import usable_processors
from heatprop.errors import SourceError
from heatprop.lab.training.batch import Batch, Sample, TrainingData
from heatprop.runtime.pipeline import map_ahead
from heatprop.types import IntArray

_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Loaded:
    """A batch, and which of its samples had to be replaced: number and what was wrong."""

    batch: Batch
    unreadable: dict[int, str]


def epoch_order(count: int, epoch: int, seed: int) -> IntArray:
    """Return the numbers of all samples in the order of an epoch, int64 ``(count,)``."""
    return np.random.default_rng((seed, epoch)).permutation(count)


def batches(
    data: TrainingData,
    epoch: int,
    *,
    seed: int,
    batch_size: int,
    first: int = 0,
    rank: int = 0,
    ranks: int = 1,
    workers: int = 0,
) -> Generator[Loaded, None, None]:
    """Yield the batches of an epoch; samples that do not fill the last one are skipped.

    The order depends on the seed and the epoch, not on workers, and each of several processes gets its part of
    the very batches that one process would get.

    Args:
        data: the samples.
        epoch: counted from 0.
        seed: of the order.
        batch_size: samples of a step, over all processes.
        first: batches to skip at the beginning: they are learned from already.
        rank: number of this process.
        ranks: how many processes there are; they must divide the batch size.
        workers: threads that read; 0: one for each processor.

    Raises:
        SourceError: many samples in a row cannot be read.
    """
    cv2.setNumThreads(1)  # images are read side by side
    order = epoch_order(len(data), epoch, seed)
    share = batch_size // ranks
    rows = order[: len(order) // batch_size * batch_size].reshape(-1, ranks, share)[first:, rank]

    def load(numbers: IntArray) -> Loaded:
        read = [read_or_replace(data, number, epoch, seed) for number in numbers.tolist()]
        unreadable = {number: problem for _, problems in read for number, problem in problems.items()}
        return Loaded(Batch.of([sample for sample, _ in read]), unreadable)

    with closing(map_ahead(rows, load, workers or usable_processors())) as ahead:
        for _, loaded in ahead:
            yield loaded


def read_or_replace(data: TrainingData, number: int, epoch: int, seed: int) -> tuple[Sample, dict[int, str]]:
    """Return a sample, or another one in its place where it cannot be read, always the same; and what was wrong.

    Raises:
        SourceError: the sample and all that were tried instead cannot be read.
    """
    problems: dict[int, str] = {}
    instead = np.random.default_rng((seed, epoch, number, 1)).integers(len(data), size=_ATTEMPTS)
    for candidate in (number, *instead.tolist()):
        try:
            return data.sample(candidate, epoch), problems
        except SourceError as error:
            problems[candidate] = str(error)
    raise SourceError(f"{len(problems)} images in a row cannot be read, the first: {problems[number]}")
