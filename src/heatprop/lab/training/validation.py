"""How well a network finds what is in a dataset: each frame for itself, nothing is propagated."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

import numpy as np
import torch

from heatprop.backends.base import usable_processors
from heatprop.io.sequence_reader import SequenceReader
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.coco import coco_result
from heatprop.lab.evaluation.metrics.matching import match
from heatprop.lab.evaluation.metrics.official import mean_of_known, official_result
from heatprop.lab.networks import CenterNet, NetworkOutput
from heatprop.lab.networks.centernet import STRIDE
from heatprop.lab.networks.normalisation import normalise
from heatprop.lab.training.config import Precision
from heatprop.letterbox import InputFormat, Letterbox, boxes_to_frame, fit_letterbox, letterbox
from heatprop.propagation import decode
from heatprop.runtime.pipeline import map_ahead
from heatprop.types import Detections, HeadOutput, ImageArray


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A frame as the network sees it.

    Attributes:
        row: of the frame in its dataset.
        image: uint8 ``(H, W, 3)`` RGB, scaled and padded.
        fitted: where the frame lies in it.
    """

    row: int
    image: ImageArray
    fitted: Letterbox


@dataclass(frozen=True, slots=True)
class Looker:
    """How a network looks at pictures.

    Attributes:
        network: in evaluation mode.
        input_format: what it takes.
        device: where it is.
        precision: of its convolutions.
        batch_size: pictures at once.
        workers: threads that read pictures; 0: one for each processor.
    """

    network: CenterNet
    input_format: InputFormat
    device: torch.device
    precision: Precision = "f32"
    batch_size: int = 16
    workers: int = 0

    def look(
        self, dataset: VideoDataset, rows: Sequence[int]
    ) -> Generator[list[tuple[Picture, HeadOutput]], None, None]:
        """Yield what the network says about frames, in order; those that cannot be read are left out."""
        with closing(self._pictures(dataset, rows)) as pictures:
            for batch in _alike(pictures, self.batch_size):
                images = torch.from_numpy(np.stack([picture.image for picture in batch])).to(self.device)
                with (
                    torch.inference_mode(),
                    torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"),
                ):
                    output = self.network(normalise(images, self.input_format))
                yield list(zip(batch, split_output(output), strict=True))

    def _pictures(self, dataset: VideoDataset, rows: Sequence[int]) -> Generator[Picture, None, None]:
        reader = SequenceReader(dataset.image_paths)

        def read(row: int) -> Picture | None:
            image = reader.try_read(Path(dataset.image_paths[row]))
            if image is None:
                return None
            fitted = fit_letterbox(image.shape[1], image.shape[0], self.input_format)
            return Picture(row, letterbox(image, fitted), fitted)

        with closing(map_ahead(rows, read, self.workers or usable_processors())) as ahead:
            yield from (picture for _, picture in ahead if picture is not None)


def detections_of(picture: Picture, output: HeadOutput) -> Detections:
    """Return the detections in a frame, in its pixels: of the default least score."""
    found = decode(output)
    return Detections(boxes_to_frame(found.boxes, picture.fitted, STRIDE), found.scores, found.labels)


def split_output(output: NetworkOutput) -> list[HeadOutput]:
    """Return what a network says about each picture of a batch."""
    heatmap = output.heatmap_logits.float().sigmoid().cpu().numpy()
    size = output.size.float().cpu().numpy()
    offset = None if output.offset is None else output.offset.float().cpu().numpy()
    return [HeadOutput(heatmap[i], size[i], None if offset is None else offset[i]) for i in range(len(heatmap))]


def metric_name(dataset: VideoDataset) -> str:
    """Return the name of the figure that `average_precision` gives for a dataset."""
    return "mAP, official ImageNet VID" if dataset.layout == "imagenet-vid" else "AP50, COCO"


def average_precision(dataset: VideoDataset, found: Sequence[tuple[int, Detections]]) -> float:
    """Score detections: of ImageNet VID by its official metric, of others by COCO's AP50; NaN: no objects.

    Args:
        dataset: that they were made in.
        found: row of the frame, and detections in its pixels.

    Raises:
        MissingPackageError: COCO's is asked for, and faster-coco-eval not installed.
    """
    table = DetectionTable.from_frames(sorted(found, key=lambda each: each[0]))
    if dataset.layout == "imagenet-vid":
        return official_result(match(dataset, table)).mean_average_precision
    return mean_of_known(coco_result(dataset, table).ap50)


def _alike(pictures: Iterator[Picture], most: int) -> Iterator[list[Picture]]:
    """Yield consecutive pictures of one shape, at most so many at once."""
    for _, same in groupby(pictures, key=lambda picture: picture.image.shape):
        while some := list(islice(same, most)):
            yield some
