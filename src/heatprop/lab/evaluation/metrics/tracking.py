"""How well objects keep their identities: HOTA, IDF1, MOTA and what belongs to them, by TrackEval.

HOTA: Luiten et al., International Journal of Computer Vision 129, 2021. IDF1: Ristani et al., 2016. MOTA:
Bernardin and Stiefelhagen, 2008. All figures, and how videos and classes are combined, are those of the package
``trackeval``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group

from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.flicker import SHOWN_FROM
from heatprop.lab.evaluation.metrics.matching import scored_only
from heatprop.lab.evaluation.metrics.track_sequences import (
    import_trackeval,
    sequences,
    shown_tracks,
    true_tracks,
)
from heatprop.lab.evaluation.tables import json_number, new_table, number_text, percent_text, titled
from heatprop.types import IntArray

TRACKING_FIGURES = ("HOTA", "DetA", "AssA", "LocA", "IDF1", "IDP", "IDR", "MOTA", "IDSW")
"""Names of the figures. IDSW, the identity switches, is a count; the others are shares of 1."""

_MOST_VIDEOS = 50
"""More are not listed in a table."""

Result = Mapping[str, Any]
"""What one of TrackEval's metrics returns, by its names of fields."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackingResult:
    """What tracks score. Every figure is NaN where no object is annotated.

    Attributes:
        videos: names, in the order of the dataset.
        classes: a name for each class number.
        class_ids: official number of each class.
        shown_from: detections of at least this score count.
        detections: how many count; those of classes that are not scored in their video do not.
        left_out: how many more would, had they a higher score.
        sequences: by video and class number, where either has something, by name of TrackEval's metric.
        objects: of each video and class, int64 ``(videos, classes)``.
    """

    videos: tuple[str, ...]
    classes: tuple[str, ...]
    class_ids: tuple[int, ...]
    shown_from: float
    detections: int
    left_out: int
    sequences: Mapping[tuple[int, int], Mapping[str, Result]]
    objects: IntArray

    def figures(self, counts: NDArray[Any] | None = None) -> dict[str, float]:
        """Return the figures of all videos and classes together, averaged over detections.

        Each video is combined with the others of its class, then class with class, by their counts of boxes.

        Args:
            counts: how many times each video is there, whole numbers ``(videos,)``; None for once.

        Returns:
            By the names of `TRACKING_FIGURES`.
        """
        times = self._times(counts)
        if not (times @ self.objects).any():
            return dict.fromkeys(TRACKING_FIGURES, nan)
        return _combined("combine_classes_det_averaged", self._by_class(times))

    def class_averaged(self, counts: NDArray[Any] | None = None) -> dict[str, float]:
        """Return the mean of the figures over the classes that have objects; of IDSW the sum.

        Args:
            counts: as of `figures`.
        """
        times = self._times(counts)
        objects = times @ self.objects
        if not objects.any():
            return dict.fromkeys(TRACKING_FIGURES, nan)
        known = {label: each for label, each in self._by_class(times).items() if objects[label]}
        return _combined("combine_classes_class_averaged", known)

    def of_class(self, label: int) -> dict[str, float]:
        """Return the figures of all videos, of a class alone."""
        if not self.objects[:, label].any():
            return dict.fromkeys(TRACKING_FIGURES, nan)
        return _figures(self._by_class(self._times(None))[label])

    def of_video(self, number: int) -> dict[str, float]:
        """Return the figures of a video alone, all classes together."""
        return self.figures(np.eye(len(self.videos), dtype=np.int64)[number])

    def table(self) -> Group:
        """Return a table of videos, unless they are many, of classes, and of all together, for `rich`."""
        table = new_table(("", *TRACKING_FIGURES))

        def add(name: str, figures: Mapping[str, float], style: str | None = None) -> None:
            shares = (percent_text(figures[each]) for each in TRACKING_FIGURES[:-1])
            table.add_row(name, *shares, number_text(figures["IDSW"], 0), style=style)

        scored = np.flatnonzero(self.objects.any(axis=1)).tolist()
        for number in scored if len(scored) <= _MOST_VIDEOS else ():
            add(self.videos[number], self.of_video(number))
        table.add_section()
        known = np.flatnonzero(self.objects.any(axis=0)).tolist()
        if len(known) > 1:
            for label in known:
                add(f"class {self.classes[label]}", self.of_class(label))
            table.add_section()
            add("mean of classes", self.class_averaged())
        add("all together", self.figures(), "bold")
        note = f"Of {self.detections} boxes with a score from {self.shown_from:g} on"
        note += f"; {self.left_out} with a lower one are left out." if self.left_out else "."
        return titled("Identities, by TrackEval (%; IDSW: how many switches)", table, note)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON; classes that have objects are keyed by their official number."""
        return {
            **_json(self.figures()),
            "shown_from": self.shown_from,
            "boxes": self.detections,
            "class_averaged": _json(self.class_averaged()),
            "classes": {
                str(self.class_ids[label]): _json(self.of_class(label))
                for label in np.flatnonzero(self.objects.any(axis=0)).tolist()
            },
            "videos": {
                name: _json(self.of_video(number))
                for number, name in enumerate(self.videos)
                if self.objects[number].any()
            },
        }

    def _times(self, counts: NDArray[Any] | None) -> IntArray:
        return np.ones(len(self.videos), np.int64) if counts is None else np.asarray(counts).astype(np.int64)

    def _by_class(self, times: IntArray) -> dict[int, dict[str, Result]]:
        """Return what the metrics say of each class that is there, its videos combined."""
        found: dict[int, dict[tuple[int, int], Mapping[str, Result]]] = {}
        repeated = times.tolist()
        for (number, label), each in self.sequences.items():
            for again in range(repeated[number]):
                found.setdefault(label, {})[number, again] = each
        return {
            label: {
                name: metric.combine_sequences({key: each[name] for key, each in mine.items()})
                for name, metric in _metrics().items()
            }
            for label, mine in found.items()
        }


def tracking_result(
    dataset: VideoDataset, detections: DetectionTable, shown_from: float = SHOWN_FROM
) -> TrackingResult:
    """Score the identities of detections.

    Classes are scored one by one: a track whose class changes counts as a track of each. Classes that are not
    scored in a video are skipped there. A detection that matches a distractor, or that matches no object and lies
    mostly in a crowd of its class, is left out.

    Args:
        dataset: with a track for each object.
        detections: with `track_ids`, the same number in a video being the same object.
        shown_from: detections of at least this score count.

    Raises:
        DatasetError: nothing is annotated, an object has no track, or a track is in a frame twice.
        InvalidArrayError: a detection lies in a frame, or has a class, that the dataset does not have; one that
            counts has no track id, or that of another of its frame.
        MissingPackageError: TrackEval is not installed.
    """
    metrics = _metrics()
    truth, (_, scored) = true_tracks(dataset), scored_only(dataset, detections)
    shown = shown_tracks(dataset, scored, shown_from)
    objects = np.zeros((len(dataset.videos), len(dataset.classes)), np.int64)
    np.add.at(objects, (dataset.video_of_rows()[truth.frames], truth.labels), 1)
    return TrackingResult(
        videos=tuple(video.name for video in dataset.videos),
        classes=dataset.classes,
        class_ids=dataset.class_ids,
        shown_from=shown_from,
        detections=len(shown),
        left_out=int((scored.scores < shown_from).sum()),
        sequences={
            (number, label): {name: metric.eval_sequence(data) for name, metric in metrics.items()}
            for number, label, data in sequences(dataset, truth, shown)
        },
        objects=objects,
    )


def _metrics() -> dict[str, Any]:
    metrics = import_trackeval().metrics
    quiet = {"PRINT_CONFIG": False}
    return {"HOTA": metrics.HOTA(), "Identity": metrics.Identity(dict(quiet)), "CLEAR": metrics.CLEAR(dict(quiet))}


def _combined(how: str, by_class: Mapping[int, Mapping[str, Result]]) -> dict[str, float]:
    """Return the figures of classes, combined by that method of the metrics."""
    return _figures(
        {
            name: getattr(metric, how)({label: each[name] for label, each in by_class.items()})
            for name, metric in _metrics().items()
        }
    )


def _figures(results: Mapping[str, Result]) -> dict[str, float]:
    """Pick the figures out of what the metrics say; HOTA's are means over the overlaps .05, .10, ... .95."""
    fields = {name: value for each in results.values() for name, value in each.items()}
    return {name: float(np.mean(fields[name])) for name in TRACKING_FIGURES}


def _json(figures: Mapping[str, float]) -> dict[str, float | int | None]:
    known: dict[str, float | int | None] = {name: json_number(value) for name, value in figures.items()}
    switches = known["IDSW"]
    return known | {"IDSW": None if switches is None else round(switches)}
