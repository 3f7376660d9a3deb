"""The best sighting of each object: where it was seen whole, with the highest score, and largest."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from heatprop.counting.recent_ids import RecentIds
from heatprop.types import Detections, Frame, ImageArray

GONE_AFTER = 90
"""Frames out of sight after which an object counts as gone; propagation gives ids back for 30."""
MOST_BYTES = 1 << 27
"""Pixels that wait at most."""
_SCORE_DECIMALS = 2
_BORDER = 1.0

Quality: TypeAlias = tuple[bool, float, float]
"""Whether the box is clear of the frame's border; its score, to two decimals; its area in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A detection of an object with its pixels.

    Attributes:
        track_id: of the object.
        label: number of its class.
        score: 0 to 1.
        box: (x1, y1, x2, y2) in pixels of the frame.
        index: number of the frame.
        time: of the frame, in seconds.
        image: uint8 ``(h, w, 3)`` RGB, the box rounded outward.
        quality: by which it was the best.
    """

    track_id: int
    label: int
    score: float
    box: tuple[float, float, float, float]
    index: int
    time: float
    image: ImageArray
    quality: Quality


class BestSightings:
    """Keeps the best sighting of each object in view, and gives it up when the object is gone.

    An object is gone after `gone_after` frames. Memory does not grow with the video: where the pixels that wait
    would be more than `most_bytes`, the object unseen for longest is given up earlier. One that comes back is
    given up once more, if it was seen better.

    Args:
        gone_after: frames.
        most_bytes: of pixels.
    """

    def __init__(self, gone_after: int = GONE_AFTER, most_bytes: int = MOST_BYTES) -> None:
        self._gone_after, self._most_bytes = gone_after, most_bytes
        # The one unseen for longest is first: the frame in which each was seen last, and its best sighting.
        self._waiting: OrderedDict[int, tuple[int, Sighting]] = OrderedDict()
        self._bytes = self._frames = 0
        self._given: RecentIds[Quality] = RecentIds()

    def update(self, frame: Frame, detections: Detections) -> Iterator[Sighting]:
        """Look at the next frame.

        Args:
            frame: of the video.
            detections: in it, with boxes in its pixels, and ids.

        Returns:
            The sightings of objects that are gone; to be consumed before the next update.
        """
        self._frames += 1
        for place in range(len(detections)):
            if detections.track_ids[place] >= 0:
                self._see(place, frame, detections)
        while self._waiting:
            track_id, (last, _) = next(iter(self._waiting.items()))
            if self._frames - last <= self._gone_after and self._bytes <= self._most_bytes:
                return
            yield self._give(track_id)

    def rest(self) -> Iterator[Sighting]:
        """Return those of the objects that are still in view, by rising ids; none of them waits any more."""
        for track_id in sorted(self._waiting):
            yield self._give(track_id)

    def _see(self, place: int, frame: Frame, detections: Detections) -> None:
        box, score = detections.boxes[place].tolist(), float(detections.scores[place])
        track_id, label = int(detections.track_ids[place]), int(detections.labels[place])
        quality = _quality(box, score, frame.image)
        if track_id in self._waiting:
            best = self._waiting[track_id][1]
            self._waiting[track_id] = self._frames, best
            self._waiting.move_to_end(track_id)
            before: Quality | None = best.quality
        else:
            before = self._given.get(track_id)
            if before is not None:
                self._given.put(track_id, before)
        pixels = _cut_out(frame.image, box)
        if (before is not None and quality <= before) or not pixels.size:
            return
        if track_id in self._waiting:
            self._bytes -= self._waiting[track_id][1].image.nbytes
        best = Sighting(track_id, label, score, tuple(box), frame.index, frame.time, pixels.copy(), quality)
        self._waiting[track_id] = self._frames, best
        self._bytes += best.image.nbytes

    def _give(self, track_id: int) -> Sighting:
        _, best = self._waiting.pop(track_id)
        self._bytes -= best.image.nbytes
        self._given.put(track_id, best.quality)
        return best


def _quality(box: list[float], score: float, image: ImageArray) -> Quality:
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box
    is_whole = min(x1, y1) > _BORDER and x2 < width - _BORDER and y2 < height - _BORDER
    return is_whole, round(score, _SCORE_DECIMALS), (x2 - x1) * (y2 - y1)


def _cut_out(image: ImageArray, box: list[float]) -> ImageArray:
    """Return the pixels of a box; none where it lies outside."""
    left, top = (max(0, math.floor(value)) for value in box[:2])
    right, bottom = (max(0, math.ceil(value)) for value in box[2:])
    return image[top:bottom, left:right]
