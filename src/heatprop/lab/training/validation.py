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
class LetterboxedFrame:
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
class Predictor:
    """How a network runs on the frames of a dataset.

    Attributes:
        network: in evaluation mode.
        input_format: what it takes.
        device: where it is.
        precision: of its convolutions.
        batch_size: frames in a batch.
        workers: threads that read images; 0: one for each processor.
    """

    network: CenterNet
    input_format: InputFormat
    device: torch.device
    precision: Precision = "f32"
    batch_size: int = 16
    workers: int = 0

    def predict(
        self, dataset: VideoDataset, rows: Sequence[int]
    ) -> Generator[list[tuple[LetterboxedFrame, HeadOutput]], None, None]:
        """Yield the network's outputs for frames, in order; those that cannot be read are skipped."""
        with closing(self._frames(dataset, rows)) as frames:
            for batch in _alike(frames, self.batch_size):
                images = torch.from_numpy(np.stack([frame.image for frame in batch])).to(self.device)
                with (
                    torch.inference_mode(),
                    torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"),
                ):
                    output = self.network(normalise(images, self.input_format))
                yield list(zip(batch, split_output(output), strict=True))

    def _frames(self, dataset: VideoDataset, rows: Sequence[int]) -> Generator[LetterboxedFrame, None, None]:
        reader = SequenceReader(dataset.image_paths)

        def read(row: int) -> LetterboxedFrame | None:
            image = reader.try_read(Path(dataset.image_paths[row]))
            if image is None:
                return None
            fitted = fit_letterbox(image.shape[1], image.shape[0], self.input_format)
            return LetterboxedFrame(row, letterbox(image, fitted), fitted)

        with closing(map_ahead(rows, read, self.workers or usable_processors())) as ahead:
            yield from (frame for _, frame in ahead if frame is not None)


def detections_of(frame: LetterboxedFrame, output: HeadOutput) -> Detections:
    """Return the detections in a frame, in its pixels: from the default score threshold on."""
    found = decode(output)
    return Detections(boxes_to_frame(found.boxes, frame.fitted, STRIDE), found.scores, found.labels)


def split_output(output: NetworkOutput) -> list[HeadOutput]:
    """Return the outputs of each image of a batch."""
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


def _alike(frames: Iterator[LetterboxedFrame], limit: int) -> Iterator[list[LetterboxedFrame]]:
    """Yield consecutive frames of one shape, at most so many in a list."""
    for _, same in groupby(frames, key=lambda frame: frame.image.shape):
        while some := list(islice(same, limit)):
            yield some
