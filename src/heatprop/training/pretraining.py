"""Teach a backbone to tell the classes of single objects, before it learns where they are in pictures.

A backbone that starts at random learns slowly from whole pictures: an object is a few cells of many thousand.
Objects cut out of the same pictures are small and quick to learn from. Weights of ImageNet do the same, where they
can be had.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from heatprop.datasets.annotations import VideoDataset
from heatprop.errors import SourceError
from heatprop.io.images import try_read_image
from heatprop.letterbox import InputFormat
from heatprop.networks.normalisation import normalise
from heatprop.pipeline import map_ahead, usable_processors
from heatprop.training.augmentation import recolour
from heatprop.training.config import AugmentationConfig, PretrainingConfig
from heatprop.training.loading import epoch_order
from heatprop.training.reports import Watcher
from heatprop.types import ImageArray, IntArray

_CONTEXT = (1.0, 2.2)  # side of what is cut out, of the longer side of the object
_SHIFT = 0.1  # of the object's longer side
_WARM_UP = 100  # steps
_SMOOTHING = 0.05
_REPORTS = 10


class Classifier(nn.Module):
    """A backbone, the mean of its deepest map, and a linear layer: ``(N, 3, H, W)`` to logits ``(N, C)``."""

    def __init__(self, backbone: nn.Module, channels: int, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.output = nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the classes."""
        return self.output(self.backbone(images)[-1].mean(dim=(2, 3)))  # type: ignore[no-any-return]


class ObjectCrops:
    """Single objects cut out of the pictures of a dataset, one of each picture; may be used by many threads.

    Args:
        dataset: whose; pictures without objects are left out, and crowds are no objects.
        augmentation: how often they are mirrored, and how they are recoloured.
        side: of the square that is cut out, in pixels.
        seed: of what is drawn.
    """

    def __init__(self, dataset: VideoDataset, augmentation: AugmentationConfig, side: int, seed: int) -> None:
        self._paths, self._truth = dataset.image_paths, dataset.truth.select(~dataset.truth.crowd)
        self._bounds = self._truth.bounds(dataset.frame_count)
        self._augmentation, self._side, self._seed = augmentation, side, seed
        self.rows: IntArray = np.unique(self._truth.frames)

    def crop(self, row: int, epoch: int) -> tuple[ImageArray, int] | None:
        """Return an object of a picture, uint8 ``(side, side, 3)`` RGB, and its label; None: it cannot be read."""
        image = try_read_image(Path(self._paths[row]))
        if image is None:
            return None
        random = np.random.default_rng((self._seed, epoch, row, 2))
        number = int(random.integers(self._bounds[row], self._bounds[row + 1]))
        cut = cut_out(image, self._truth.boxes[number], self._side, self._augmentation.flip, random)
        return recolour(cut, self._augmentation, random), int(self._truth.labels[number])


def cut_out(
    image: ImageArray, box: NDArray[np.float64], side: int, flip: float, random: np.random.Generator
) -> ImageArray:
    """Return the square around a box (x1, y1, x2, y2) and some of what is beside it, uint8 ``(side, side, 3)``."""
    longer = max(box[2] - box[0], box[3] - box[1]) + 1
    x, y = (box[:2] + box[2:]) / 2 + longer * random.uniform(-_SHIFT, _SHIFT, 2)
    scale = side / (longer * random.uniform(*_CONTEXT))
    across = -scale if random.uniform() < flip else scale
    matrix = np.array([[across, 0, (side - 1) / 2 - across * x], [0, scale, (side - 1) / 2 - scale * y]])
    if scale < 0.5:  # smooth what is made much smaller
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.35 / scale), np.uint8)
    return np.asarray(cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR), np.uint8)


def pretrain(
    backbone: nn.Module,
    channels: int,
    crops: ObjectCrops,
    classes: int,
    config: PretrainingConfig,
    *,
    seed: int,
    input_format: InputFormat,
    device: torch.device,
    workers: int,
    watcher: Watcher,
) -> None:
    """Train a backbone in place, with AdamW and a cosine; the same seed, crops and threads give the same weights.

    Args:
        backbone: gives feature maps, the deepest last.
        channels: of that map.
        crops: what it learns from.
        classes: how many there are.
        config: how long and in which portions.
        seed: of weights and order.
        input_format: how pictures are normalised.
        device: where it is done.
        workers: threads that read; 0: one for each processor.
        watcher: is told how it goes.

    Raises:
        SourceError: no picture of a batch can be read.
    """
    torch.manual_seed(seed)
    network = Classifier(backbone, channels, classes).to(device).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=0.02)
    batches = [
        rows for epoch in range(config.epochs) for rows in _rows(crops.rows, config.batch_size, epoch, seed)
    ]
    steps_an_epoch = len(batches) // config.epochs

    def load(numbered: tuple[int, IntArray]) -> tuple[Tensor, Tensor]:
        number, rows = numbered
        read = [crops.crop(row, number // steps_an_epoch) for row in rows.tolist()]
        there = [each for each in read if each is not None]
        if not there:
            raise SourceError(f"{len(read)} pictures in a row cannot be read; heatprop dataset check names them")
        images = torch.from_numpy(np.stack([image for image, _ in there]))
        return images, torch.tensor([label for _, label in there])

    hits = seen = 0
    with closing(map_ahead(enumerate(batches), load, workers or usable_processors())) as ahead:
        for step, (_, (images, read), _) in enumerate(ahead):
            for group in optimiser.param_groups:
                fall = (1 + np.cos(np.pi * step / len(batches))) / 2
                group["lr"] = config.learning_rate * min(1.0, (step + 1) / _WARM_UP) * fall
            labels = read.to(device)
            logits = network(normalise(images.to(device), input_format))
            loss = nn.functional.cross_entropy(logits, labels, label_smoothing=_SMOOTHING)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            hits, seen = hits + int((logits.argmax(dim=1) == labels).sum()), seen + len(labels)
            if (step + 1) * _REPORTS // len(batches) > step * _REPORTS // len(batches):
                share = f"{100 * hits / seen:.1f} % of the last {seen:,} objects told apart"
                watcher.note(f"pretraining, step {step + 1:,} of {len(batches):,}: {share}")
                hits = seen = 0


def _rows(rows: IntArray, batch_size: int, epoch: int, seed: int) -> list[IntArray]:
    """Return the rows of each batch of an epoch; what does not fill the last one is left out."""
    order = rows[epoch_order(len(rows), epoch, seed)]
    size = min(batch_size, len(order))
    return list(order[: len(order) // size * size].reshape(-1, size))
