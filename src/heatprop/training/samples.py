"""Pictures of a dataset, augmented, as samples to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from heatprop.datasets.annotations import VideoDataset
from heatprop.errors import SourceError
from heatprop.io.images import read_image
from heatprop.networks.centernet import STRIDE
from heatprop.training.augmentation import draw_placement, place_boxes, place_picture, recolour
from heatprop.training.batch import Sample
from heatprop.training.config import AugmentationConfig
from heatprop.training.targets import make_targets


class DatasetSamples:
    """The frames of a dataset as `TrainingData`; may be used by many threads.

    Crowds are no objects. What is drawn for a sample depends on (seed, epoch, number) alone.

    Args:
        dataset: its pictures must be there.
        augmentation: how they are changed.
        sides: side of the square input in each epoch, in pixels; the last holds for all that follow.
        seed: of the augmentation.
    """

    def __init__(
        self, dataset: VideoDataset, augmentation: AugmentationConfig, *, sides: Sequence[int], seed: int
    ) -> None:
        self._paths = dataset.image_paths
        self._truth = dataset.truth.select(~dataset.truth.crowd)
        self._bounds = self._truth.bounds(dataset.frame_count)
        self._augmentation, self._sides, self._seed = augmentation, tuple(sides), seed
        self.classes = dataset.classes

    def __len__(self) -> int:
        return len(self._paths)

    def sample(self, number: int, epoch: int) -> Sample:
        """Read a picture and change it; see `TrainingData.sample`."""
        image = read_image(Path(self._paths[number]))
        if image is None:
            raise SourceError(f"{self._paths[number]}: this picture is damaged; replace it")
        random = np.random.default_rng((self._seed, epoch, number))
        side = self._sides[min(epoch, len(self._sides) - 1)]
        height, width = image.shape[:2]
        placement = draw_placement(width, height, side, self._augmentation, random)
        image = recolour(place_picture(image, placement, side), self._augmentation, random)
        objects = slice(self._bounds[number], self._bounds[number + 1])
        boxes = place_boxes(self._truth.boxes[objects], placement)
        cells = side // STRIDE
        labels = self._truth.labels[objects]
        targets = make_targets(boxes / STRIDE, labels, len(self.classes), (cells, cells))
        return Sample(image, targets, number)

    def describe(self, number: int) -> str:
        """Return the path of a sample's picture."""
        return str(self._paths[number])
