"""Images of a dataset, augmented, as samples to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heatprop.io.sequence_reader import SequenceReader
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.networks.centernet import STRIDE
from heatprop.lab.training.augmentation import (
    Placement,
    draw_cut_out,
    draw_placement,
    place_boxes,
    place_image,
    recolour,
    visible_shares,
)
from heatprop.lab.training.batch import Sample, make_targets
from heatprop.lab.training.config import AugmentationConfig
from heatprop.types import ImageArray


class DatasetSamples:
    """The frames of a dataset as `TrainingData`; may be used by many threads.

    Crowds are no objects. What is drawn for a sample depends on (seed, epoch, number) alone.

    Args:
        dataset: its images must be there.
        augmentation: how they are changed.
        side: of the square input, in pixels.
        early_sides: sides of the first epochs, which are cut out around one object; see `ScheduleConfig`.
        seed: of the augmentation.
    """

    def __init__(
        self,
        dataset: VideoDataset,
        augmentation: AugmentationConfig,
        *,
        side: int,
        early_sides: Sequence[int] = (),
        seed: int,
    ) -> None:
        self._paths = dataset.image_paths
        self._reader = SequenceReader(dataset.image_paths)
        self._truth = dataset.truth.select(~dataset.truth.crowd)
        self._bounds = self._truth.bounds(dataset.frame_count)
        self._augmentation, self._seed = augmentation, seed
        self._side, self._early_sides = side, tuple(early_sides)
        self.classes = dataset.classes

    def __len__(self) -> int:
        return len(self._paths)

    def sample(self, number: int, epoch: int) -> Sample:
        """Read an image and change it; see `TrainingData.sample`."""
        image = self._reader.read(Path(self._paths[number]))
        random = np.random.default_rng((self._seed, epoch, number))
        objects = slice(self._bounds[number], self._bounds[number + 1])
        boxes, labels = self._truth.boxes[objects], self._truth.labels[objects]
        side = (*self._early_sides, self._side)[min(epoch, len(self._early_sides))]
        placement = self._place(image, boxes, side, is_early=epoch < len(self._early_sides), random=random)
        image = recolour(place_image(image, placement, side), self._augmentation, random)
        boxes = place_boxes(boxes, placement)
        there = visible_shares(boxes, side) >= self._augmentation.least_visible
        cells = side // STRIDE
        targets = make_targets(boxes[there] / STRIDE, labels[there], len(self.classes), (cells, cells))
        return Sample(image, targets, number)

    def _place(
        self,
        image: ImageArray,
        boxes: NDArray[np.float64],
        side: int,
        *,
        is_early: bool,
        random: np.random.Generator,
    ) -> Placement:
        height, width = image.shape[:2]
        if not is_early:
            return draw_placement(width, height, side, self._augmentation, random)
        whole = np.array([0.0, 0, width, height])
        box = boxes[random.integers(len(boxes))] if len(boxes) else whole
        return draw_cut_out(
            width,
            height,
            box,
            side=side,
            whole_side=self._side,
            config=self._augmentation,
            random=random,
        )

    def describe(self, number: int) -> str:
        """Return the path of a sample's image."""
        return str(self._paths[number])
