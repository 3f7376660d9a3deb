"""What the network learns from: what it should output for an image, one sample, and a batch of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from heatprop.lab.training.gaussians import gaussian_radius, splat
from heatprop.types import FloatArray, ImageArray, IntArray

MAX_OBJECTS = 128
"""Objects of an image that are learned from; further ones are skipped, as in the published code."""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What the network should output for one image, on a grid of ``h x w`` cells and ``C`` classes.

    Attributes:
        heatmap: float32 ``(C, h, w)``: 1 at each centre, a Gaussian around it.
        cells: flat index ``y * w + x`` of each object's centre, int64 ``(M,)``.
        size: width and height in cells, float32 ``(M, 2)``.
        offset: from the cell to the centre, in cells, float32 ``(M, 2)`` in [0, 1).
        labels: int64 ``(M,)``.
    """

    heatmap: FloatArray
    cells: IntArray
    size: FloatArray
    offset: FloatArray
    labels: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One image as the network sees it, and what it should output.

    Attributes:
        image: uint8 ``(H, W, 3)`` RGB; the engine orders the channels and normalises.
        targets: on the grid of ``H / stride x W / stride`` cells.
        number: of the sample in its `TrainingData`, so that a bad one can be found.
    """

    image: ImageArray
    targets: Targets
    number: int


class TrainingData(Protocol):
    """Samples by number. The same number and epoch give the same sample, whoever asks and when."""

    @property
    def classes(self) -> tuple[str, ...]:
        """A name for each class number."""

    def __len__(self) -> int:
        """How many samples an epoch has."""

    def sample(self, number: int, epoch: int) -> Sample:
        """Read and augment a sample; augmentation depends on number, epoch and the seed, on nothing else.

        Raises:
            SourceError: its image is missing or damaged.
        """

    def describe(self, number: int) -> str:
        """Say in a few words where a sample comes from, for messages: the path of its image."""


@dataclass(slots=True, eq=False)
class Batch:
    """Samples side by side, with as many places for objects as the fullest has.

    Attributes:
        images: uint8 ``(N, H, W, 3)`` RGB.
        heatmap: float32 ``(N, C, h, w)``.
        cells: int64 ``(N, M)``, 0 where there is no object.
        mask: bool ``(N, M)``: where there is one.
        size: float32 ``(N, M, 2)``.
        offset: float32 ``(N, M, 2)``.
        labels: int64 ``(N, M)``, classes.
        numbers: int64 ``(N,)``, of the samples.
    """

    images: Tensor
    heatmap: Tensor
    cells: Tensor
    mask: Tensor
    size: Tensor
    offset: Tensor
    labels: Tensor
    numbers: Tensor

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Self:
        """Put samples of one size together."""
        counts = [min(len(sample.targets.cells), MAX_OBJECTS) for sample in samples]
        places = max(1, *counts)

        def padded(arrays: list[NDArray[np.generic]]) -> Tensor:
            out = np.zeros((len(arrays), places, *arrays[0].shape[1:]), arrays[0].dtype)
            for row, (array, count) in enumerate(zip(arrays, counts, strict=True)):
                out[row, :count] = array[:count]
            return torch.from_numpy(out)

        return cls(
            images=torch.from_numpy(np.stack([sample.image for sample in samples])),
            heatmap=torch.from_numpy(np.stack([sample.targets.heatmap for sample in samples])),
            cells=padded([sample.targets.cells for sample in samples]),
            mask=torch.from_numpy(np.arange(places)[None] < np.array(counts)[:, None]),
            size=padded([sample.targets.size for sample in samples]),
            offset=padded([sample.targets.offset for sample in samples]),
            labels=padded([sample.targets.labels for sample in samples]),
            numbers=torch.tensor([sample.number for sample in samples]),
        )

    def to(self, device: torch.device | str) -> Self:
        """Return the batch on a device."""
        moved = {name: getattr(self, name).to(device, non_blocking=True) for name in self.__slots__}
        return type(self)(**moved)


def make_targets(
    boxes: NDArray[np.floating], labels: IntArray, class_count: int, grid: tuple[int, int]
) -> Targets:
    """Return what the network should output for an image.

    Boxes are clipped to the centres of the outermost cells, ``[0, W - 1]`` and ``[0, H - 1]``; those without
    area left are no objects. Of two objects of a class in one cell each keeps its size and offset, and a network
    learns their middle, for it can say one thing there. Objects after the first 128 are skipped.
    Source: xingyizhou/CenterNet, where networks and checkpoints are trained so.

    Args:
        boxes: ``(N, 4)`` as (x1, y1, x2, y2) in cells of the grid.
        labels: class numbers, int64 ``(N,)``.
        class_count: how many classes there are.
        grid: height and width of the grid in cells.
    """
    height, width = grid
    clipped = np.clip(boxes.reshape(-1, 4), 0, np.array([width - 1, height - 1] * 2)).astype(np.float32)
    sides = clipped[:, 2:] - clipped[:, :2]
    there = np.flatnonzero((sides > 0).all(axis=1))[:MAX_OBJECTS]
    clipped, sides, labels = clipped[there], sides[there], labels[there]
    centers = (clipped[:, :2] + clipped[:, 2:]) / 2
    cells = centers.astype(np.int64)
    offset = (centers - cells).astype(np.float32)
    heatmap = np.zeros((class_count, height, width), np.float32)
    for label, (x, y), (w, h) in zip(labels.tolist(), cells.tolist(), sides.tolist(), strict=True):
        splat(heatmap[label], x, y, max(0, int(gaussian_radius(ceil(h), ceil(w)))))
    return Targets(heatmap, cells[:, 1] * width + cells[:, 0], sides, offset, labels)
