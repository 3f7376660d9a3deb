"""Scalars and images of a run for TensorBoard."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from heatprop.drawing import draw
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.networks.centernet import STRIDE
from heatprop.lab.training.learning import Step
from heatprop.lab.training.validation import LetterboxedFrame, Predictor
from heatprop.letterbox import boxes_to_cells
from heatprop.propagation import decode
from heatprop.types import Detections, FloatArray, HeadOutput, ImageArray

_IMAGES = 4
_SHOWN_SCORE = 0.3
_STEPS_BETWEEN = 10


class Board:
    """Writes what TensorBoard shows.

    Args:
        path: folder of its files.
        step: that the run begins with; what an earlier process wrote of later steps is hidden.

    Raises:
        ImportError: tensorboard is not installed.
    """

    def __init__(self, path: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - optional, and slow to import

        self._writer = SummaryWriter(str(path), purge_step=step + 1)

    def step(self, number: int, step: Step) -> None:
        """Show a step, counted from 1; most are passed over."""
        if number % _STEPS_BETWEEN and number != 1:
            return
        for name, value in step.losses.items():
            self._scalar(f"loss/{name}", value, number)
        self._scalar("optimiser/gradient norm", step.gradient_norm, number)
        self._scalar("optimiser/learning rate", step.rate, number)

    def precision(self, number: int, name: str, value: float) -> None:
        """Show the average precision after a step."""
        self._scalar(f"validation/{name}", value, number)
        self._writer.flush()

    def images(self, number: int, dataset: VideoDataset, predictor: Predictor) -> None:
        """Show some frames: true boxes, detections, and the heatmap."""
        count = min(_IMAGES, dataset.frame_count)
        rows = [(2 * part + 1) * dataset.frame_count // (2 * count) for part in range(count)]
        for batch in predictor.predict(dataset, rows):
            for frame, output in batch:
                shown = show_frame(frame, output, dataset)
                name = f"frames/{dataset.frame_names[frame.row]}"
                self._writer.add_image(name, shown, number, dataformats="HWC")

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()

    def _scalar(self, name: str, value: float, number: int) -> None:
        self._writer.add_scalar(name, value, number)


def show_frame(frame: LetterboxedFrame, output: HeadOutput, dataset: VideoDataset) -> ImageArray:
    """Return three views of what the network sees, side by side: true boxes, detections, heatmap over image."""
    here = dataset.truth.select(dataset.truth.frames == frame.row)
    boxes = boxes_to_cells(here.boxes.astype(np.float32), frame.fitted, STRIDE)
    truth = Detections(boxes * STRIDE, np.ones(len(here), np.float32), here.labels)
    found = decode(output, score_threshold=_SHOWN_SCORE)
    found = Detections(found.boxes * STRIDE, found.scores, found.labels)
    views = (
        draw(frame.image, truth, dataset.classes),
        draw(frame.image, found, dataset.classes),
        lay_over(output.heatmap, frame.image),
    )
    return np.concatenate(views, axis=1)


def lay_over(heatmap: FloatArray, image: ImageArray) -> ImageArray:
    """Return the highest class of each cell of ``(C, h, w)``, in colour over ``(H, W, 3)``; 0 is clear."""
    height, width = image.shape[:2]
    heat = cv2.resize(heatmap.max(axis=0), (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    bytes_of_heat = (np.clip(heat, 0, 1) * 255).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(bytes_of_heat, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    share = 0.8 * np.sqrt(np.clip(heat, 0, 1))
    return np.asarray(image * (1 - share) + colours * share, np.uint8)
