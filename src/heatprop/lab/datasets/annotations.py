"""What every dataset is, whatever its files look like: videos, frames in rows, and objects in columns.

A *row* is the number of a frame in its dataset, counted from 0, video after video. Everything that compares
detections with ground truth speaks of rows; names and official numbers are for files and people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import HeatpropError, InvalidArrayError
from heatprop.types import IntArray


class DatasetError(HeatpropError, ValueError):
    """A dataset is missing, incomplete or damaged; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Video:
    """A run of frames that belong together.

    Attributes:
        name: as the dataset calls it, such as ``val/ILSVRC2015_val_00000000``.
        start: row of its first frame.
        length: how many frames it has.
        evaluated: the classes that are annotated in it, and so can be scored; None means all.
    """

    name: str
    start: int
    length: int
    evaluated: frozenset[int] | None = None

    @property
    def rows(self) -> range:
        """The rows of its frames."""
        return range(self.start, self.start + self.length)


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """The annotated objects of all frames, one row an object, sorted by frame.

    Attributes:
        frames: row of the frame each object is in, int64 ``(M,)``, ascending.
        boxes: float64 ``(M, 4)`` as (x1, y1, x2, y2) in pixels, as the dataset writes them.
        labels: int64 ``(M,)``, class numbers from 0.
        tracks: int64 ``(M,)``; the same number is the same object within a video, -1 where nothing is said.
        occluded: bool ``(M,)``, False where nothing is said.
        generated: bool ``(M,)``: interpolated by a machine, not drawn by a person; False where nothing is said.
        crowd: bool ``(M,)``: COCO's ``iscrowd``, a box around many.

    Raises:
        InvalidArrayError: the columns differ in length, or `frames` falls.
    """

    frames: IntArray
    boxes: NDArray[np.float64]
    labels: IntArray
    tracks: IntArray
    occluded: NDArray[np.bool_]
    generated: NDArray[np.bool_]
    crowd: NDArray[np.bool_]

    def __post_init__(self) -> None:
        count = len(self.frames)
        columns = (self.boxes, self.labels, self.tracks, self.occluded, self.generated, self.crowd)
        if self.boxes.shape != (count, 4) or any(len(column) != count for column in columns):
            lengths = [len(self.frames), *(len(column) for column in columns)]
            raise InvalidArrayError(f"the columns of the ground truth have {lengths} rows; each needs as many")
        if count and (np.diff(self.frames) < 0).any():
            raise InvalidArrayError("the frames of the ground truth are not ascending; sort the objects by frame")

    def __len__(self) -> int:
        return len(self.frames)

    def bounds(self, frame_count: int) -> IntArray:
        """Return where the objects of each frame begin and end: of frame `i` at ``bounds[i]:bounds[i + 1]``.

        Args:
            frame_count: of the dataset.

        Returns:
            int64 ``(frame_count + 1,)``.
        """
        return np.searchsorted(self.frames, np.arange(frame_count + 1))

    def select(self, index: NDArray[np.bool_] | IntArray) -> GroundTruth:
        """Return the objects that a mask or an ascending index array names."""
        return GroundTruth(
            self.frames[index], self.boxes[index], self.labels[index], self.tracks[index],
            self.occluded[index], self.generated[index], self.crowd[index],
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class VideoDataset:
    """Videos, where their pictures are, and what is in them.

    Attributes:
        layout: "imagenet-vid" or "coco-video": how the files are laid out.
        root: folder of the dataset.
        classes: a name for each class number.
        videos: in order; together they cover each row once.
        frame_names: name of each frame, as detection files use it, such as
            ``ILSVRC2015_val_00000000/000000`` or a CocoVID ``file_name``.
        frame_ids: official number of each frame, int64 ``(F,)``: from 1 in ImageNet VID, the image id in CocoVID.
        image_paths: path of each picture; it need not exist where only detections are scored.
        image_sizes: width and height of each picture in pixels, as the annotations say, int64 ``(F, 2)``.
        truth: the annotated objects.
        class_ids: official number of each class, as detection files use it: 1..30 in ImageNet VID, the category
            id in CocoVID.
        annotation_paths: the file that says what is in each frame.
    """

    layout: str
    root: Path
    classes: tuple[str, ...]
    class_ids: tuple[int, ...]
    videos: tuple[Video, ...]
    frame_names: Sequence[str]
    frame_ids: IntArray
    image_paths: Sequence[Path]
    image_sizes: IntArray
    truth: GroundTruth
    annotation_paths: Sequence[Path] = field(default=(), repr=False)

    @property
    def frame_count(self) -> int:
        """How many frames there are."""
        return len(self.frame_names)

    def video_of_rows(self) -> IntArray:
        """Return the number in `videos` of the video of each row, int64 ``(F,)``."""
        return np.repeat(np.arange(len(self.videos)), [video.length for video in self.videos])

    def is_evaluated(self) -> NDArray[np.bool_]:
        """Return for each video and class whether it is scored there, bool ``(videos, classes)``."""
        scored = np.ones((len(self.videos), len(self.classes)), np.bool_)
        for number, video in enumerate(self.videos):
            if video.evaluated is not None:
                scored[number] = [label in video.evaluated for label in range(len(self.classes))]
        return scored
