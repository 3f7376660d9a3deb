"""Identities: which of a frame's detections is which object of the frames before.

A tracklet goes on where the evidence is best, also where that is the neighbour who walks past; scores and boxes
lose nothing by it. An id must not change hands. So detections are matched with known objects by their overlap
with where each object is expected, the strong ones first, as trackers do. The tracklet that a detection came from
is one hint among others. Ids never change a score or a box.

Sources: strong before weak is ByteTrack's (Zhang et al., ECCV 2022); an object's motion is that of an alpha-beta
filter, the steady state of the Kalman filter of SORT (Bewley et al., ICIP 2016).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from heatprop.boxes import iou, pair_off, touching_pairs
from heatprop.propagation.config import IdentityConfig
from heatprop.types import FloatArray, IntArray

_FIRST_GAIN = 0.5  # of the velocity, where an object was seen once
_SMALLEST = 1e-6  # side of a box that shrinks


@dataclass(frozen=True, slots=True, eq=False)
class Identities:
    """The objects that are known: those of the last frame's detections, in their order, then those out of sight.

    Attributes:
        ids: int64 ``(N,)``, each once.
        labels: class numbers, int64 ``(N,)``.
        boxes: where each is expected in the next frame, float64 ``(N, 4)`` as centre x and y, width and height.
        velocities: change of `boxes` in a frame, float64 ``(N, 4)``.
        unseen: for how many frames the network has not seen each, int64 ``(N,)``.
        sightings: in how many frames each was strong, int64 ``(N,)``; 0 for one that may be nothing.
    """

    ids: IntArray
    labels: IntArray
    boxes: NDArray[np.float64]
    velocities: NDArray[np.float64]
    unseen: IntArray
    sightings: IntArray

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, rows: NDArray[np.bool_] | IntArray) -> Self:
        """Return the chosen rows, as a mask or as indices."""
        return type(self)(*(getattr(self, item.name)[rows] for item in fields(self)))

    def joined(self, others: Self) -> Self:
        """Return these and others."""
        names = [item.name for item in fields(self)]
        return type(self)(*(np.concatenate([getattr(self, name), getattr(others, name)]) for name in names))

    @classmethod
    def none(cls) -> Self:
        """Return no objects."""
        none, boxes = np.empty(0, np.int64), np.empty((0, 4))
        return cls(none, none, boxes, boxes, none, none)

    def moved(self, ids: IntArray, shifts: NDArray[Any], growth: NDArray[Any]) -> Self:
        """Return them with some moved, where something other than the network knows of motion.

        Args:
            ids: of those that move, int64 ``(M,)``; numbers that are not among these have no effect.
            shifts: by how much since the last frame, x and y ``(M, 2)``.
            growth: by which their sides are multiplied, ``(M,)``.
        """
        _, rows, given = np.intersect1d(self.ids, ids, assume_unique=True, return_indices=True)
        boxes = self.boxes.copy()
        last = boxes[rows] - self.velocities[rows]
        boxes[rows, :2] = last[:, :2] + shifts[given]
        boxes[rows, 2:] = last[:, 2:] * growth[given, None]
        return replace(self, boxes=boxes)


class Sightings(NamedTuple):
    """What identities are given of a frame's detections, N of them.

    Attributes:
        labels: class numbers, int64 ``(N,)``.
        boxes: float32 ``(N, 4)`` as (x1, y1, x2, y2).
        scores: balanced scores, float32 ``(N,)``.
        network: the network's own scores there, float32 ``(N,)``.
        came_from: id of the tracklet that each came from, -1 for none, int64 ``(N,)``.
    """

    labels: IntArray
    boxes: FloatArray
    scores: FloatArray
    network: FloatArray
    came_from: IntArray


def identify(known: Identities, found: Sightings, config: IdentityConfig, next_id: int) -> tuple[Identities, int]:
    """Match a frame's detections with the objects that are known.

    Pairs of an object and a detection of its class are taken greedily, each object and each detection once: first
    those of strong detections, then of weak ones, each by falling overlap with the expected box plus score. What
    is left, such as what the network does not see, is the object of its tracklet, or new.

    Args:
        known: the objects of the frames before.
        found: the detections.
        config: the settings.
        next_id: of the first that is new.

    Returns:
        The objects after the frame, of which the first N are the detections'; and the id of the next new one.

    Example:
        >>> def found(*boxes):
        ...     ones, count = np.ones(len(boxes), np.float32), len(boxes)
        ...     return Sightings(np.zeros(count, int), np.float32(boxes), ones, ones, np.full(count, -1))
        >>> one, two = [0, 0, 4, 8], [9, 0, 13, 8]
        >>> known, next_id = identify(Identities.none(), found(one, two), IdentityConfig(), 0)
        >>> known, next_id = identify(known, found(two, one, [20, 0, 24, 8]), IdentityConfig(), next_id)
        >>> known.ids.tolist(), next_id
        ([1, 0, 2], 3)
    """
    is_seen = found.network >= np.float32(config.seen)
    is_strong = found.scores >= np.float32(config.strong)
    rows, columns = _matched(known, found, is_seen, is_strong, config)

    count = len(found.labels)
    ids, is_new = np.empty(count, np.int64), np.ones(count, np.bool_)
    ids[columns], is_new[columns] = known.ids[rows], False
    born = int(np.count_nonzero(is_new))
    ids[is_new] = next_id + np.arange(born)

    corners = found.boxes.astype(np.float64)
    boxes = np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1)
    velocities, unseen, sightings = np.zeros((count, 4)), np.zeros(count, np.int64), is_strong.astype(np.int64)
    on_its_own = known.velocities * (config.velocity_kept, config.velocity_kept, 0.0, 0.0)
    expected = known.boxes[rows]
    off = boxes[columns] - expected
    gain = np.where(known.sightings[rows] <= 1, _FIRST_GAIN, config.velocity_gain) / (known.unseen[rows] + 1)
    was_seen = is_seen[columns, None]
    boxes[columns] = np.where(was_seen, expected + config.position_gain * off, expected)
    velocities[columns] = np.where(was_seen, known.velocities[rows] + gain[:, None] * off, on_its_own[rows])
    unseen[columns] = np.where(is_seen[columns], 0, known.unseen[rows] + 1)
    sightings[columns] += known.sightings[rows]
    boxes += velocities
    np.maximum(boxes[:, 2:], _SMALLEST, out=boxes[:, 2:])
    shown = Identities(ids, found.labels.copy(), boxes, velocities, unseen, sightings)

    is_lost = known.unseen < np.where(known.sightings > 0, config.memory, min(config.memory, 1))
    is_lost[rows] = False
    if not is_lost.any():
        return shown, next_id + born
    velocities, lost = on_its_own[is_lost], known.select(is_lost)
    lost = replace(lost, boxes=lost.boxes + velocities, velocities=velocities, unseen=lost.unseen + 1)
    return shown.joined(lost), next_id + born


def _matched(
    known: Identities,
    found: Sightings,
    is_seen: NDArray[np.bool_],
    is_strong: NDArray[np.bool_],
    config: IdentityConfig,
) -> tuple[IntArray, IntArray]:
    """Return the rows of objects, and of detections, that belong together."""
    half = known.boxes[:, 2:] / 2
    expected = np.concatenate([known.boxes[:, :2] - half, known.boxes[:, :2] + half], axis=1)
    rows, columns = touching_pairs(expected, known.labels, found.boxes, found.labels)
    overlaps = iou(expected[rows], found.boxes[columns])
    least = np.where(is_strong[columns], config.min_iou, config.weak_min_iou)
    may_be = (is_seen[columns] & (overlaps >= least)).nonzero()[0]
    rows, columns = rows[may_be], columns[may_be]
    is_same, was_strong = known.ids[rows] == found.came_from[columns], known.sightings[rows] > 0
    worth = overlaps[may_be] + found.scores[columns] + config.same_tracklet * is_same + config.doubt * was_strong
    # Of equal pairs the one farthest up and left: the order in which detections come tells nothing.
    places = (found.boxes[columns, 0], found.boxes[columns, 1], known.boxes[rows, 0], known.boxes[rows, 1])
    best_first = np.lexsort((*places, -worth, ~is_strong[columns]))

    by_tracklet = (known.ids[:, None] == found.came_from).nonzero()
    rows = np.concatenate([rows[best_first], by_tracklet[0]])
    columns = np.concatenate([columns[best_first], by_tracklet[1]])
    taken = pair_off(rows, columns)
    return rows[taken], columns[taken]
