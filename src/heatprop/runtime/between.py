"""What lies between key frames: the boxes of the last one follow their objects, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from heatprop.offline.filling import fill_between
from heatprop.runtime.motion import GREY_SCALE, follow_boxes
from heatprop.runtime.preprocessing import PreparedFrame
from heatprop.types import Detections, FloatArray

_NO_BOXES: FloatArray = np.empty((0, 4), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Between:
    """The frames since the last key frame; boxes are in cells of the output grid.

    Attributes:
        stride: pixels of the network's input for one cell.
        detections: the detections of the last key frame.
        boxes: where their boxes are in the last frame, float32 ``(N, 4)``.
        last: the last frame; None at the beginning of a shot.
        paths: their boxes in each frame since, the last in `boxes`.
        waiting: frames whose detections wait for the next key frame.
    """

    stride: int
    detections: Detections = field(default_factory=Detections.empty)
    boxes: FloatArray = field(default_factory=lambda: _NO_BOXES)
    last: PreparedFrame | None = None
    paths: tuple[FloatArray, ...] = ()
    waiting: tuple[PreparedFrame, ...] = ()

    def followed(self, frame: PreparedFrame) -> Between:
        """Let the boxes go on to the next frame."""
        if self.last is None or self.last.grey is None or frame.grey is None:
            return self
        boxes = self._follow(self.last, frame, self.boxes)
        return replace(self, boxes=boxes, paths=(*self.paths, boxes))

    def motion(self) -> tuple[FloatArray, FloatArray] | None:
        """Return how far each detection went since the key frame, and its growth; None where none was followed.

        Float32 ``(N, 2)`` in cells, and ``(N,)``.
        """
        if not self.paths or not len(self.detections):
            return None
        before, now = self.detections.boxes, self.boxes
        shifts = (now[:, :2] + now[:, 2:] - before[:, :2] - before[:, 2:]) / np.float32(2)
        width, was = now[:, 2] - now[:, 0], before[:, 2] - before[:, 0]
        growth = np.divide(width, was, out=np.ones(len(now), np.float32), where=was > 0)
        return shifts, growth

    def filled(self, detections: Detections, frame: PreparedFrame, *, min_score: float) -> list[Detections]:
        """Return the detections of the waiting frames, from the last key frame and the one that has come.

        Args:
            detections: of the key frame that has come.
            frame: that one.
            min_score: see `fill_between`.
        """

        def follow_back(boxes: FloatArray) -> Sequence[FloatArray]:
            places, after = [], frame
            for before in reversed(self.waiting):
                boxes = self._follow(after, before, boxes)
                places.append(boxes)
                after = before
            return places

        return fill_between(self.detections, self.paths, detections, follow_back, min_score=min_score)

    def filled_from_past(self) -> list[Detections]:
        """Return the detections of the waiting frames from the last key frame alone."""
        paths = self.paths[len(self.paths) - len(self.waiting) :]
        return [replace(self.detections, boxes=boxes) for boxes in paths]

    def _follow(self, before: PreparedFrame, after: PreparedFrame, boxes: FloatArray) -> FloatArray:
        if before.grey is None or after.grey is None:
            return boxes
        scale = np.float32(self.stride * GREY_SCALE)
        return follow_boxes(before.grey, after.grey, boxes * scale) / scale
