"""What every dataset is, whatever its files look like: videos, frames in rows, and objects in columns.

A *row* is the number of a frame in its dataset, counted from 0, video after video. Everything that compares
detections with ground truth uses rows; names and official numbers are for files and people.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import HeatpropError, InvalidArrayError
from heatprop.types import IntArray

Box = tuple[float, float, float, float]


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

    @classmethod
    def joined(cls, parts: Sequence[GroundTruth]) -> GroundTruth:
        """Return the objects of all parts, of which there is at least one, one after the other."""
        return cls(*(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(cls)))


@dataclass(frozen=True, slots=True, eq=False)
class Distractors:
    """All that is annotated, where a detection that matches a distractor is neither right nor wrong.

    Attributes:
        frames: row of the frame each box is in, int64 ``(A,)``, ascending.
        boxes: float64 ``(A, 4)`` as (x1, y1, x2, y2) in pixels; those of scored objects too, in the order of the
            annotations within a frame.
        distracts: bool ``(A,)``: whether a detection that matches it is taken away.
    """

    frames: IntArray
    boxes: NDArray[np.float64]
    distracts: NDArray[np.bool_]

    def select(self, index: NDArray[np.bool_]) -> Distractors:
        """Return the boxes that a mask names."""
        return Distractors(self.frames[index], self.boxes[index], self.distracts[index])

    @classmethod
    def joined(cls, parts: Sequence[Distractors]) -> Distractors:
        """Return the boxes of all parts, of which there is at least one, one after the other."""
        return cls(*(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(cls)))


@dataclass(frozen=True, slots=True, eq=False)
class VideoDataset:
    """Videos, where their images are, and what is in them.

    Attributes:
        layout: "imagenet-vid", "coco-video" or "mot-challenge": how the files are laid out.
        root: folder of the dataset.
        classes: a name for each class number.
        videos: in order; together they cover each row once.
        frame_names: name of each frame, as detection files use it, such as
            ``ILSVRC2015_val_00000000/000000`` or a CocoVID ``file_name``.
        frame_ids: official number of each frame, int64 ``(F,)``: from 1 in ImageNet VID, the image id in CocoVID.
        image_paths: path of each image; it need not exist where only detections are scored.
        image_sizes: width and height of each image in pixels, as the annotations say, int64 ``(F, 2)``.
        truth: the annotated objects.
        class_ids: official number of each class, as detection files use it: 1..30 in ImageNet VID, the category
            id in CocoVID.
        annotation_paths: the file that says what is in each frame.
        distractors: what detections are matched with before tracks are scored, in MOTChallenge's sequences; None
            where nothing distracts.
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
    distractors: Distractors | None = field(default=None, repr=False)

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


def leads_out(name: str) -> bool:
    r"""Return whether a name could be of a file outside the folder, on any system. Links in the folder may.

    Example:
        >>> [leads_out(name) for name in ("a..b/0.jpg", "../0.jpg", "a\\..\\..\\0.jpg", "/0.jpg", "C:0.jpg")]
        [False, True, True, True, True]
    """
    path = PureWindowsPath(name)
    return bool(path.drive or path.root or "\0" in name or ".." in re.split(r"[/\\]", name))


def select_videos(dataset: VideoDataset, numbers: Sequence[int]) -> VideoDataset:
    """Return the dataset of the videos with these numbers, in ascending order; each number stands there once."""
    videos: list[Video] = []
    rows: list[int] = []
    for number in numbers:
        video = dataset.videos[number]
        videos.append(replace(video, start=len(rows)))
        rows += list(video.rows)
    new_row = np.full(dataset.frame_count, -1)
    new_row[rows] = np.arange(len(rows))
    truth = dataset.truth.select(new_row[dataset.truth.frames] >= 0)
    distractors = dataset.distractors
    if distractors is not None:
        distractors = distractors.select(new_row[distractors.frames] >= 0)
        distractors = replace(distractors, frames=new_row[distractors.frames])
    return replace(
        dataset,
        videos=tuple(videos),
        frame_names=tuple(dataset.frame_names[row] for row in rows),
        frame_ids=dataset.frame_ids[rows],
        image_paths=tuple(dataset.image_paths[row] for row in rows),
        image_sizes=dataset.image_sizes[rows],
        truth=replace(truth, frames=new_row[truth.frames]),
        annotation_paths=tuple(dataset.annotation_paths[row] for row in rows),
        distractors=distractors,
    )


def join_datasets(datasets: Sequence[VideoDataset]) -> VideoDataset:
    """Return datasets of the same classes and layout as one, video after video; frames are numbered from 1.

    Raises:
        DatasetError: there is none, or their classes or layouts differ.
    """
    if len({(dataset.classes, dataset.class_ids, dataset.layout) for dataset in datasets}) != 1:
        raise DatasetError(f"{len(datasets)} datasets cannot be joined; give some of the same classes and layout")
    starts = np.cumsum([0, *(dataset.frame_count for dataset in datasets)]).tolist()
    placed = list(zip(datasets, starts, strict=False))
    truth = GroundTruth.joined([replace(one.truth, frames=one.truth.frames + start) for one, start in placed])
    distractors = [
        replace(one.distractors, frames=one.distractors.frames + start)
        for one, start in placed
        if one.distractors is not None
    ]
    return replace(
        datasets[0],
        videos=tuple(
            replace(video, start=video.start + start) for dataset, start in placed for video in dataset.videos
        ),
        frame_names=tuple(name for dataset in datasets for name in dataset.frame_names),
        frame_ids=np.arange(1, starts[-1] + 1),
        image_paths=tuple(path for dataset in datasets for path in dataset.image_paths),
        image_sizes=np.concatenate([dataset.image_sizes for dataset in datasets]),
        truth=truth,
        annotation_paths=tuple(path for dataset in datasets for path in dataset.annotation_paths),
        distractors=Distractors.joined(distractors) if distractors else None,
    )
