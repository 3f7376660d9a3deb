"""Detections from kept outputs: what `heatprop detect` does after the network, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from heatprop.app.kept_frames import KeptFrame, only_classes
from heatprop.app.run_folder import RunRecord
from heatprop.app.settings import Tuning
from heatprop.backends.reading import nms_iou_of
from heatprop.letterbox import InputFormat, fit_letterbox
from heatprop.propagation import PropagationConfig
from heatprop.runtime.kept_outputs import SparseOutput, restored
from heatprop.runtime.postprocessing import Postprocessing
from heatprop.runtime.preprocessing import PreparedFrame
from heatprop.runtime.wanted_classes import renumbered
from heatprop.types import Detections, IntArray
from heatprop.zoo import ModelCard

FLOOR = 0.01
"""Scores below it are not kept: a fifth of the least score that propagation carries."""


@dataclass(frozen=True, slots=True)
class OutputForm:
    """What the outputs of a run mean.

    Attributes:
        stride: pixels of the network's input for one unit of its boxes.
        nms_iou: see `Postprocessing`.
        input_format: of the network's input; None where boxes are in pixels of the frame.
        sample_aspect_ratio: width of a pixel of the frames over its height.
    """

    stride: int
    nms_iou: float | None
    input_format: InputFormat | None
    sample_aspect_ratio: float = 1.0

    @classmethod
    def of(cls, record: RunRecord) -> OutputForm:
        """Return what the outputs of a run mean."""
        if not record.card:
            return cls(1, None, None)
        card = ModelCard.from_json(record.card)
        ratio = float(Fraction(record.sample_aspect_ratio).limit_denominator(10_000))
        return cls(card.stride, nms_iou_of(card.layout), card.input, ratio)

    def input_for(self, width: int, height: int) -> tuple[InputFormat, float]:
        """Return format and pixels' shape of the input for frames of a size."""
        if self.input_format is not None:
            return self.input_format, self.sample_aspect_ratio
        return InputFormat(longest_side=max(width, height), multiple=1), 1.0


class Replay:
    """The detections of one tuning, in one frame after the other.

    Args:
        form: what the outputs mean.
        tuning: what to make of them.
        channels: the only classes that can be found, ascending; None for all. Without the others it is faster, and
            the same where their scores stay below what is carried on.
    """

    def __init__(self, form: OutputForm, tuning: Tuning, channels: IntArray | None = None) -> None:
        self._form, self._channels = form, channels
        self._postprocessing = Postprocessing(
            tuning.propagation, tuning.score_threshold, form.stride, nms_iou=form.nms_iou
        )
        self._state = self._postprocessing.begin()

    def step(self, frame: KeptFrame) -> Detections:
        """Return the detections in the next frame, boxes in its pixels."""
        fitted = fit_letterbox(frame.width, frame.height, *self._form.input_for(frame.width, frame.height))
        prepared = PreparedFrame(None, None, fitted, frame.starts_shot, 1.0, frame.shows_the_same)
        kept = frame.output
        is_part = self._channels is not None and isinstance(kept, SparseOutput)
        if is_part:
            kept = only_classes(kept, self._channels)  # type: ignore[arg-type]
        self._state, (found,) = self._postprocessing.step(self._state, prepared, restored(kept))
        return renumbered(found, self._channels) if is_part else found  # type: ignore[arg-type]


def findable(best: IntArray) -> IntArray | None:
    """Return the classes of which anything can be found, ascending; None where that leaves none out.

    What stays below the least score that is carried on is never found.

    Args:
        best: see `heatprop.app.kept_frames.best_of_classes`.
    """
    least = int(np.floor(PropagationConfig.score_threshold * 65535)) - 1
    channels = np.flatnonzero(best >= least)
    if len(channels) == len(best):
        return None
    return channels if len(channels) else np.zeros(1, np.int64)


def shown(detections: Detections, score_threshold: float) -> Detections:
    """Return the detections of at least a score."""
    return detections.select(detections.scores >= np.float32(score_threshold))


def without_ids(detections: Detections) -> Detections:
    """Return detections whose objects are not followed."""
    count = len(detections)
    return replace(detections, lengths=np.ones(count, np.int64), track_ids=np.full(count, -1))
