"""Objects gathered one by one, handed out as the columns of a `GroundTruth`."""

from __future__ import annotations

from array import array

import numpy as np

from heatprop.lab.datasets.annotations import GroundTruth

Box = tuple[float, float, float, float]


class TruthColumns:
    """Collects annotated objects in any order of frames."""

    def __init__(self) -> None:
        self._boxes = array("d")
        self._numbers = array("q")
        self._flags = array("b")

    def add(
        self,
        frame: int,
        box: Box,
        label: int,
        *,
        track: int = -1,
        occluded: bool = False,
        generated: bool = False,
        crowd: bool = False,
    ) -> None:
        """Add an object; the arguments are what `GroundTruth` holds of it."""
        self._boxes.extend(box)
        self._numbers.extend((frame, label, track))
        self._flags.extend((occluded, generated, crowd))

    def build(self) -> GroundTruth:
        """Return what was added, sorted by frame; within a frame in the order of adding."""
        numbers = np.array(self._numbers, np.int64).reshape(-1, 3)
        order = np.argsort(numbers[:, 0], kind="stable")
        frames, labels, tracks = numbers[order].T.copy()
        occluded, generated, crowd = np.array(self._flags, np.bool_).reshape(-1, 3)[order].T.copy()
        boxes = np.array(self._boxes, np.float64).reshape(-1, 4)[order]
        return GroundTruth(frames, boxes, labels, tracks, occluded, generated, crowd)
