"""What a check of a dataset found: counts of what is there, and findings by kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.datasets.findings import Finding

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """All findings of a kind: how many, whether they are damage, and the first few as (place, text)."""

    kind: str
    count: int
    is_damage: bool
    examples: tuple[tuple[str, str], ...]


class FindingLog:
    """Collects findings: counts all, keeps the first few of each kind; what `report` arguments take."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, bool], int] = {}
        self._examples: dict[tuple[str, bool], list[tuple[str, str]]] = {}

    def __call__(self, finding: Finding) -> None:
        """Take in a finding."""
        key = (finding.kind, finding.is_damage)
        self._counts[key] = self._counts.get(key, 0) + 1
        examples = self._examples.setdefault(key, [])
        if len(examples) < EXAMPLES:
            examples.append((finding.place, finding.text))

    def groups(self) -> tuple[FindingGroup, ...]:
        """Return the findings by kind: damage first, in the order in which each kind was first seen."""
        found = [
            FindingGroup(kind, count, is_damage, tuple(self._examples[kind, is_damage]))
            for (kind, is_damage), count in self._counts.items()
        ]
        return tuple(sorted(found, key=lambda group: not group.is_damage))


@dataclass(frozen=True, slots=True)
class ClassCount:
    """A class: its official number, and how many videos, tracks and boxes show it."""

    name: str
    id: int
    videos: int
    tracks: int
    boxes: int


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """The result of `check_dataset`.

    Attributes:
        layout: "imagenet-vid", "imagenet-det", "coco-video" or "mot-challenge".
        root: folder of the dataset.
        split: the split that was checked; None where the layout has none.
        frames_from: what says which frames belong to it: a list file, the annotation file, or the folders.
        videos: how many.
        frames: how many.
        empty_frames: how many of them show no object.
        boxes: how many.
        tracks: how many objects have a track number.
        pictures: how images were checked: "decoded", "quick" or "not checked".
        classes: counts for each class.
        findings: what is wrong or worth knowing, by kind.
    """

    layout: str
    root: str
    split: str | None
    frames_from: str
    videos: int
    frames: int
    empty_frames: int
    boxes: int
    tracks: int
    pictures: str
    classes: tuple[ClassCount, ...]
    findings: tuple[FindingGroup, ...]

    @property
    def is_usable(self) -> bool:
        """Whether nothing is damaged or lost."""
        return not any(group.is_damage for group in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return the report as an object of JSON."""
        report = asdict(self)
        report["findings"] = [
            {
                "kind": group.kind,
                "count": group.count,
                "damage": group.is_damage,
                "examples": [{"place": place, "text": text} for place, text in group.examples],
            }
            for group in self.findings
        ]
        return {"usable": self.is_usable} | report


def count_classes(dataset: VideoDataset) -> tuple[ClassCount, ...]:
    """Return how many videos, tracks and boxes show each class."""
    truth = dataset.truth
    videos = dataset.video_of_rows()[truth.frames]
    tracked = truth.tracks >= 0
    count = len(dataset.classes)
    boxes = np.bincount(truth.labels, minlength=count)
    in_videos = _distinct(truth.labels, (videos,), count)
    tracks = _distinct(truth.labels[tracked], (videos[tracked], truth.tracks[tracked]), count)
    return tuple(
        ClassCount(name, number, int(in_videos[label]), int(tracks[label]), int(boxes[label]))
        for label, (name, number) in enumerate(zip(dataset.classes, dataset.class_ids, strict=True))
    )


def _distinct(labels: np.ndarray, columns: Sequence[np.ndarray], count: int) -> np.ndarray:
    """Return for each label how many different rows of `columns` it has."""
    rows = np.unique(np.stack([labels, *columns], axis=1), axis=0)
    return np.bincount(rows[:, 0], minlength=count)
