"""Boxes that can be read but hardly be meant: they spoil figures without a word, so a check names them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from heatprop.lab.datasets.annotations import Box, VideoDataset
from heatprop.lab.datasets.findings import Finding

_MIN_BOXES = 3
_MOSTLY = 0.9
_LARGEST_AREA = 1e12


def doubts(box: Box, width: int, height: int) -> Iterator[tuple[str, str]]:
    """Yield kind and text of what is doubtful in a box (x1, y1, x2, y2) in an image of this size in pixels.

    Example:
        >>> [kind for kind, _ in doubts((0.2, 0.3, 0.6, 0.7), 64, 48)]
        ['box in shares of the picture']
    """
    x1, y1, x2, y2 = box
    if x1 < 0 or y1 < 0 or x2 > width or y2 > height:
        yield "box outside the picture", f"box {_shown(box)} reaches beyond the image of {width}x{height}"
    if x2 - x1 >= 1 and y2 - y1 >= 1 and not (x2 <= 1 and y2 <= 1):
        return
    if x1 == x2 or y1 == y2:
        yield "box without area", f"box {_shown(box)} has no area; nothing can be found there"
    elif min(box) >= 0 and max(box) <= 1 and min(width, height) > 1:
        text = f"box {_shown(box)} lies within one pixel; if it is in shares of the image, write pixels"
        yield "box in shares of the picture", text
    else:
        yield "box smaller than a pixel", f"box {_shown(box)} is smaller than a pixel"


class SeenBoxes:
    """Tells boxes that stand there twice: the same class and place in the same image."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, str] = {}

    def finding(self, image: int, label: int, box: Box, place: str, name: str) -> Finding | None:
        """Take in a box, called `name` and written at `place`; return what is to say where it was there before."""
        first = self._seen.setdefault((image, label, *box), name)
        if first is name:
            return None
        return Finding("box twice", place, f"is the same box as {first}, of the same class", is_damage=False)


def corners_for_sides(dataset: VideoDataset) -> Finding | None:
    """Return what is to say where boxes seem to be written as corners (x1, y1, x2, y2), not as place and sides.

    So it is where many reach beyond their images, and nearly all would not if they were corners.
    """
    truth = dataset.truth
    boxes = truth.boxes[~truth.crowd]
    sizes = dataset.image_sizes[truth.frames[~truth.crowd]]
    written = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    beyond = (boxes[:, 2:] > sizes).any(axis=1)
    as_corners = (written[:, 2:] > written[:, :2]).all(axis=1) & (written[:, 2:] <= sizes).all(axis=1)
    if beyond.sum() < max(_MIN_BOXES, 0.2 * len(boxes)) or as_corners.mean() < _MOSTLY:
        return None
    outside, fitting = int(beyond.sum()), int(as_corners.sum())
    text = (
        f"{outside} of {len(boxes)} boxes reach beyond their images; as corners {fitting} would fit; "
        "bbox is x, y, width, height"
    )
    return Finding("boxes as corners", str(dataset.annotation_paths[0]), text, is_damage=False)


class AreasOfCorners:
    """Tells whether boxes that lie within their images are written as corners (x1, y1, x2, y2): by their areas.

    Areas of masks fit neither reading, so only those that fit one alone are counted.
    """

    def __init__(self) -> None:
        self._of_sides = self._of_corners = 0

    def add(self, bbox: Sequence[float], area: object) -> None:
        """Take in four numbers as written, and the area that stands beside them, which may be anything."""
        if isinstance(area, bool) or not isinstance(area, (int, float)) or not 0 < area < _LARGEST_AREA:
            return
        x, y, width, height = bbox
        sides, corners = _fits(area, width, height), _fits(area, width - x, height - y)
        self._of_sides += sides and not corners
        self._of_corners += corners and not sides

    def finding(self, place: str) -> Finding | None:
        """Return what is to say of the file at `place`."""
        told = self._of_sides + self._of_corners
        if self._of_corners < max(_MIN_BOXES, _MOSTLY * told):
            return None
        text = (
            f"{self._of_corners} of {told} areas are those of boxes from corner to corner; "
            "bbox is x, y, width, height"
        )
        return Finding("areas of corners", place, text, is_damage=False)


def _fits(area: float, width: float, height: float) -> bool:
    """Return whether an area is that of these sides, rounded perhaps, or counted in whole pixels."""
    if width <= 0 or height <= 0:
        return False
    slack = max(0.5, 0.005 * area)
    return abs(area - width * height) <= slack or abs(area - (width + 1) * (height + 1)) <= slack


def _shown(box: Box) -> str:
    return "({:g}, {:g}, {:g}, {:g})".format(*box)
