"""How well a network finds what is in a dataset: each frame for itself, nothing is propagated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import groupby, islice
from pathlib import Path

import numpy as np
import torch

from heatprop.datasets.annotations import VideoDataset
from heatprop.decoding import DecodingConfig, decode
from heatprop.errors import SourceError
from heatprop.evaluation.detections import DetectionTable
from heatprop.evaluation.metrics.coco import coco_result
from heatprop.evaluation.metrics.matching import match
from heatprop.evaluation.metrics.official import mean_of_known, official_result
from heatprop.io.images import read_image
from heatprop.letterbox import InputFormat, Letterbox, boxes_to_frame, fit_letterbox, letterbox
from heatprop.networks import CenterNet, NetworkOutput
from heatprop.networks.centernet import STRIDE
from heatprop.networks.normalisation import normalise
from heatprop.pipeline import map_ahead, usable_processors
from heatprop.types import Detections, HeadOutput, ImageArray

_Picture = tuple[int, ImageArray, Letterbox]


def metric_name(dataset: VideoDataset) -> str:
    """Return the figure that `average_precision` gives for a dataset."""
    return "mAP, official ImageNet VID" if dataset.layout == "imagenet-vid" else "AP50, COCO"


def average_precision(dataset: VideoDataset, found: list[tuple[int, Detections]]) -> float:
    """Score detections: of ImageNet VID by its official metric, of others by COCO's AP50; NaN: no objects."""
    table = DetectionTable.from_frames(found)
    if dataset.layout == "imagenet-vid":
        return official_result(match(dataset, table)).mean_average_precision
    return mean_of_known(coco_result(dataset, table).ap50)


@torch.inference_mode()
def detect_frames(
    network: CenterNet,
    dataset: VideoDataset,
    input_format: InputFormat,
    *,
    batch_size: int,
    device: torch.device,
    precision: torch.dtype | None = None,
    workers: int = 0,
    advance: Callable[[int], None] = lambda _: None,
) -> list[tuple[int, Detections]]:
    """Return the detections of all frames as (row, boxes in pixels); a frame that cannot be read has none.

    Args:
        network: in evaluation mode.
        dataset: its pictures must be there.
        input_format: what the network takes.
        batch_size: pictures at once.
        device: where the network is.
        precision: of convolutions, where it is not float32.
        workers: threads that read; 0: one for each processor.
        advance: called with the number of frames after each batch.
    """
    found: list[tuple[int, Detections]] = []
    for pictures in _alike(_pictures(dataset, input_format, workers), batch_size):
        images = torch.from_numpy(np.stack([image for _, image, _ in pictures])).to(device)
        with torch.autocast(device.type, precision, enabled=precision is not None):
            output = network(normalise(images, input_format))
        for (row, _, fitted), head in zip(pictures, split_output(output), strict=True):
            boxes = decode(head, score_threshold=DecodingConfig.score_threshold)
            in_frame = boxes_to_frame(boxes.boxes, fitted, STRIDE)
            found.append((row, Detections(in_frame, boxes.scores, boxes.labels)))
        advance(len(pictures))
    return found


def split_output(output: NetworkOutput) -> list[HeadOutput]:
    """Return what a network says about each picture of a batch."""
    heatmap = output.heatmap_logits.float().sigmoid().cpu().numpy()
    size = output.size.float().cpu().numpy()
    offset = None if output.offset is None else output.offset.float().cpu().numpy()
    return [HeadOutput(heatmap[i], size[i], None if offset is None else offset[i]) for i in range(len(heatmap))]


def _pictures(dataset: VideoDataset, input_format: InputFormat, workers: int) -> Iterator[_Picture]:
    def read(row: int) -> _Picture | None:
        try:
            image = read_image(Path(dataset.image_paths[row]))
        except SourceError:
            return None
        if image is None:
            return None
        fitted = fit_letterbox(image.shape[1], image.shape[0], input_format)
        return row, letterbox(image, fitted), fitted

    rows = range(dataset.frame_count)
    with closing(map_ahead(rows, read, workers or usable_processors())) as ahead:
        yield from (picture for _, picture, _ in ahead if picture is not None)


def _alike(pictures: Iterator[_Picture], most: int) -> Iterator[list[_Picture]]:
    """Yield consecutive pictures of one shape, at most so many at once."""
    for _, same in groupby(pictures, key=lambda picture: picture[1].shape):
        while some := list(islice(same, most)):
            yield some
