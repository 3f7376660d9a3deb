"""What a layout is: how outputs of one family of detectors are recognised, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop.boxes import nms
from heatprop.errors import InvalidArrayError, LayoutError
from heatprop.layouts.signature import Signature
from heatprop.letterbox import LARGEST_SIDE, InputFormat
from heatprop.types import Detections

Tensors: TypeAlias = Mapping[str, NDArray[Any]]
Confidence = Literal["certain", "likely", "possible"]
"""Certain: names or metadata say so. Likely: the shapes are usual. Possible: the shapes would allow it."""
SCORE_FLOOR = 0.01
"""Detections below it are not even candidates: propagation has no use for them."""
MOST_CANDIDATES = 1000
CANDIDATE_IOU = 0.65
"""Of boxes of a class that overlap by more, one is a candidate: propagation chooses better among several than one
frame does (docs/log.md)."""
_ROUNDING = 1e-3
_SURE = 0.25


class Match(NamedTuple):
    """That a signature can be of a family, how sure that is, and why.

    Attributes:
        confidence: see `Confidence`.
        reason: in words, one line.
        classes: how many there are; None where the outputs do not tell.
        input: of this file, where it differs from the family's.
    """

    confidence: Confidence
    reason: str
    classes: int | None
    input: InputFormat | None = None


def match_decoded(signature: Signature, sites: int, what: str) -> Match | None:
    """Recognise 4 + C numbers for each of the sites, in one table, which nothing says to be of the family.

    Args:
        signature: of the file.
        sites: how many the family has.
        what: they are, in words.
    """
    classes = signature.decoded(sites)
    if classes is None:
        return None
    return Match("possible", f"4 + {classes} numbers for each of {what}, in one table", classes)


class Sites(NamedTuple):
    """What the outputs say, by site: anchor, query or box.

    Attributes:
        boxes: ``(S, 4)`` as xyxy in pixels of the network's input; or a function that makes those of some rows,
            where that takes time.
        scores: ``(S, C)``, or ``(S,)`` where each site has one class.
        labels: ``(S,)``, the class of each site; None where `scores` has all classes.
    """

    boxes: NDArray[Any] | Callable[[NDArray[Any]], NDArray[Any]]
    scores: NDArray[Any]
    labels: NDArray[Any] | None = None

    def boxes_of(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return the boxes of some sites, by row."""
        different, places = np.unique(rows, return_inverse=True)  # a site may show several classes
        boxes = self.boxes(different) if callable(self.boxes) else self.boxes[different]
        return np.asarray(boxes[places])


@dataclass(frozen=True, slots=True)
class Layout:
    """What the output tensors of a family of detectors mean.

    Attributes:
        name: to ask for it by.
        title: the networks, for people.
        input: what the family's exporters feed; a file may fix another size.
        nms_iou: intersection over union from which on the family's own program suppresses a box; None where the
            file gives one box for an object.
        best_class_only: whether a site speaks for its best class alone, as the family's own program has it.
        match: says whether outputs can be of this family.
        read: makes sites of the tensors of one image; takes height and width of the input, and the number of
            classes.
    """

    name: str
    title: str
    input: InputFormat
    nms_iou: float | None
    best_class_only: bool
    match: Callable[[Signature], Match | None]
    read: Callable[[Tensors, int, int, int], Sites]

    def decode(
        self,
        tensors: Tensors,
        input_height: int,
        input_width: int,
        classes: int,
        floor: float = SCORE_FLOOR,
        *,
        most: int | None = None,
    ) -> Detections:
        """Return what the outputs for one image say, before any suppression that the file does not do itself.

        Args:
            tensors: the outputs by name, with or without a batch axis of 1.
            input_height: of the network's input, in pixels.
            input_width: likewise.
            classes: how many there are.
            floor: scores below it are left out.
            most: at most so many are returned, the best; None for all.

        Returns:
            Boxes in pixels of the network's input, by falling score; those without an area are left out.

        Raises:
            LayoutError: the tensors are not of this layout, scores are no probabilities, or nearly all boxes
                end before they begin.
            InvalidArrayError: a box or score is not finite.
        """
        sites = self.read(tensors, input_height, input_width, classes)
        scores, labels = sites.scores, sites.labels
        if not np.isfinite(scores).all():
            raise InvalidArrayError(f"the network's scores are not finite (layout {self.name!r})")
        if labels is None and scores.min(initial=0) < -_ROUNDING:
            raise self._no_probabilities(f"fall to {scores.min():.4g}")
        if labels is None and self.best_class_only and scores.shape[1]:
            labels = scores.argmax(axis=1)
            scores = scores.max(axis=1)
        if labels is None:
            cells = np.flatnonzero(scores >= floor)
            rows, labels = np.divmod(cells, scores.shape[1] or 1)
            scores = scores.reshape(-1)[cells]
        else:
            rows = np.flatnonzero(scores >= floor)
            scores, labels = scores[rows], labels[rows]
        if most is not None and len(scores) > most:
            best = np.sort(np.argpartition(-scores, most)[:most])
            rows, scores, labels = rows[best], scores[best], labels[best]
        boxes = np.asarray(sites.boxes_of(rows), np.float32)
        if not np.isfinite(boxes).all():
            raise InvalidArrayError(f"the network's boxes are not finite (layout {self.name!r})")
        boxes = np.clip(boxes, -LARGEST_SIDE, 2 * LARGEST_SIDE)  # no image is there, and no exponent too large
        if scores.size and scores.max() > 1 + _ROUNDING:
            raise self._no_probabilities(f"reach {scores.max():.4g}")
        if labels.size and not 0 <= labels.min() <= labels.max() < classes:
            raise LayoutError(
                f"layout {self.name!r} reads class {int(labels.max())} of {classes}; "
                "give all names with --class-names, or choose another --layout"
            )
        sure = boxes[scores >= _SURE]
        crossed = sure[(sure[:, 2:] < sure[:, :2]).any(axis=1)]
        if 10 * len(crossed) > 9 * len(sure):  # some come from networks that have learned little
            raise LayoutError(
                f"layout {self.name!r} reads boxes such as {crossed[0].round(1).tolist()}, whose right or lower "
                "side comes first; choose another --layout"
            )
        has_area = ~((boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1]))
        order = np.flatnonzero(has_area)[np.argsort(-scores[has_area], kind="stable")]
        return Detections(boxes[order], np.minimum(scores[order], 1), labels[order])

    def _no_probabilities(self, what: str) -> LayoutError:
        return LayoutError(f"scores {what}, where layout {self.name!r} has probabilities; choose another --layout")

    def candidates(self, tensors: Tensors, input_height: int, input_width: int, classes: int) -> Detections:
        """Return what the outputs for one image show: as `decode`, without boxes that are nearly the same.

        Of the `MOST_CANDIDATES` best boxes, those that no better one of their class overlaps by more than
        `CANDIDATE_IOU`. Who shows them suppresses once more, at `nms_iou`.

        Raises:
            LayoutError: see `decode`.
            InvalidArrayError: see `decode`.
        """
        found = self.decode(tensors, input_height, input_width, classes, most=MOST_CANDIDATES)
        if self.nms_iou is None:
            return found
        return found.select(nms(found.boxes, found.labels, max(self.nms_iou, CANDIDATE_IOU)))
