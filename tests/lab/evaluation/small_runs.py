"""A dataset of tiny images and a network that is a few lines of arithmetic, for runs of hundreds of frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.runs.cache import OutputCache
from heatprop.lab.evaluation.runs.cache_manifest import CacheManifest, hash_of_frames
from heatprop.lab.evaluation.runs.class_matching import match_classes
from heatprop.lab.evaluation.runs.running import ImageNetwork
from heatprop.letterbox import InputFormat
from heatprop.types import HeadOutput, ImageArray
from heatprop.zoo import ModelCard
from lab.evaluation.small_datasets import make_dataset

CLASSES = ("class-1", "class-0", "nothing of the dataset")
CARD = ModelCard("tiny", "Tiny", CLASSES, 4, "size", True, InputFormat(64, 32), "MIT", "here", {})
LENGTHS = (70, 1, 64)


class TinyBackend:
    """Two channels of the image, squared, as the heatmap; brightness as the size."""

    name = "tiny"
    description = "tiny"
    concurrency = 2

    def __init__(self) -> None:
        self.runs = 0

    def infer(self, images: ImageArray) -> list[HeadOutput]:
        self.runs += len(images)
        outputs = []
        for image in images:
            small = image.reshape(image.shape[0] // 4, 4, image.shape[1] // 4, 4, 3).mean(axis=(1, 3)) / 255
            planes = np.moveaxis(small, 2, 0)
            outputs.append(HeadOutput(planes**2, 1 + 6 * planes[:2], planes[1:] - 0.3))
        return outputs


def write_dataset(root: Path, lengths: Sequence[int] = LENGTHS) -> VideoDataset:
    """Return videos of drifting noise, each image 48 x 36, with an object in each frame."""
    random = np.random.default_rng(3)
    dataset = make_dataset(
        [(row, row % 2, 0, (8.0, 8.0, 24.0, 24.0)) for row in range(sum(lengths))], lengths, size=(48, 36)
    )
    paths = []
    for video in dataset.videos:
        still = random.random((12, 16, 3))
        for row in video.rows:
            still = np.clip(still + random.normal(0, 0.08, still.shape), 0, 1)
            path = root / f"{row:06d}.png"
            image = cv2.resize((255 * still**2).astype(np.uint8), (48, 36), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(path), image)
            paths.append(path)
    return VideoDataset(
        **{name: getattr(dataset, name) for name in VideoDataset.__slots__ if name != "image_paths"},
        image_paths=paths,
    )


def tiny_network(dataset: VideoDataset) -> tuple[ImageNetwork, TinyBackend]:
    """Return the network on a dataset, and what counts its runs."""
    backend = TinyBackend()
    return ImageNetwork(backend, CARD, match_classes(CARD.classes, dataset.classes)), backend


def tiny_cache(folder: Path, dataset: VideoDataset, floor: float = 0.01) -> OutputCache:
    """Return a cache of the network's outputs."""
    manifest = CacheManifest(
        model="tiny",
        model_sha256="0" * 64,
        backend="tiny",
        layout=dataset.layout,
        split="val",
        frames=dataset.frame_count,
        frames_sha256=hash_of_frames(dataset),
        classes=("class-0", "class-1"),
        stride=CARD.stride,
        longest_side=CARD.input.longest_side,
        multiple=CARD.input.multiple,
        floor=floor,
    )
    return OutputCache(folder, manifest)
