"""Tracklets: what one frame hands to the next, and which sites of the next frame each of them claims."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from heatprop.propagation.evidence import Evidence
from heatprop.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Tracklets:
    """The detections of a frame as the next one is handed them, by falling balanced score.

    A rule that remembers more of an object has a subclass with further arrays of one row an object.

    Attributes:
        labels: class numbers, int64 ``(N,)``.
        centres: x and y ``(N, 2)`` of the sites that they were seen at; of a heatmap column and row, int64.
        scores: what is carried of their scores, float32 ``(N,)``.
        sizes: what is carried of their sizes, float32 ``(N, 2)`` or ``(N, 4)``.
        lengths: in how many frames they were seen up to this one, without a gap; int64 ``(N,)``, each at least 1.
        ids: by which a tracklet is known in its video, int64 ``(N,)``, each once.
    """

    labels: IntArray
    centres: NDArray[Any]
    scores: FloatArray
    sizes: FloatArray
    lengths: IntArray
    ids: IntArray

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, rows: NDArray[np.bool_] | IntArray) -> Self:
        """Return the chosen rows, as a mask or as indices."""
        return type(self)(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})

    @classmethod
    def none(cls, components: int) -> Self:
        """Return what a video's first frame is handed: no tracklets, with so many numbers in a size."""
        none, scores = np.empty(0, np.int64), np.empty(0, np.float32)
        return cls(none, np.empty((0, 2), np.int64), scores, np.empty((0, components), np.float32), none, none)


class Own(NamedTuple):
    """The network's own output at detections: scores ``(N,)``, and sizes ``(N, 2)`` or ``(N, 4)``; float32."""

    scores: FloatArray
    sizes: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Claims:
    """Which sites of a frame tracklets claim. At all others nothing is carried: score, length and size are 0.

    Attributes:
        sites: int64 ``(M,)``, each once; ascending when a rule returns them.
        sources: the row of the tracklet at each site, int64 ``(M,)``.
        distances: squared distance from each site to where that tracklet is expected, int64 or float ``(M,)``.
    """

    sites: IntArray
    sources: IntArray
    distances: NDArray[Any]

    @classmethod
    def none(cls) -> Self:
        """Return no claims."""
        none = np.empty(0, np.int64)
        return cls(none, none, none)

    def select(self, rows: NDArray[np.bool_] | IntArray) -> Self:
        """Return the chosen rows, as a mask or as indices, in their order."""
        return type(self)(self.sites[rows], self.sources[rows], self.distances[rows])

    def joined(self, others: Self) -> Self:
        """Return these and others."""
        if not len(self.sites):
            return others
        names = [item.name for item in fields(self)]
        return type(self)(*(np.concatenate([getattr(self, name), getattr(others, name)]) for name in names))

    def at(self, sites: IntArray) -> tuple[NDArray[np.bool_], IntArray]:
        """Look sites ``(N,)`` up: which of them are claimed, and for those the row ``(K,)`` here."""
        if not len(self.sites):
            return np.zeros(len(sites), np.bool_), np.empty(0, np.int64)
        place = np.minimum(np.searchsorted(self.sites, sites), len(self.sites) - 1)
        claimed = self.sites[place] == sites
        return claimed, place[claimed]

    def with_unseen(self, tracklets: Tracklets, expected: NDArray[Any], seen: Evidence) -> Self:
        """Return these, whose sites ascend, and those of the objects that have no site; see `Evidence.add_unseen`.

        Args:
            tracklets: all objects; one of score 0 carries nothing.
            expected: where they are expected, x and y ``(N, 2)``.
            seen: the frame.
        """
        is_unseen = tracklets.scores > 0
        is_unseen[self.sources] = False
        rows = is_unseen.nonzero()[0]
        if not len(rows):
            return self
        sites = seen.add_unseen(tracklets.labels[rows], expected[rows], tracklets.sizes[rows])
        has = sites >= 0
        distances = np.zeros(np.count_nonzero(has), self.distances.dtype)
        return self.joined(type(self)(sites[has], rows[has], distances))
