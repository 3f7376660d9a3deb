"""What a detector says of one frame, by sites: all that propagation knows of a network.

A site is where a detector can see an object of a class: a cell of a heatmap, or a box of a list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop.heatmaps import Known
from heatprop.types import FloatArray, IntArray

ImageArea: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom of the image in the units of the sites' centres; the rest is padding."""
SITES_AT_ONCE = 1 << 18
"""So many sites near tracklets a rule looks at together; of more, some tracklets after the others."""


class Form(NamedTuple):
    """What must be the same in all frames of a video: classes, extent of the centres, numbers in a size.

    Where any number is a class there are 0 of them.
    """

    classes: int
    height: int
    width: int
    components: int


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """The sites near N places, at most K each.

    Attributes:
        sites: int64 ``(N, K)``; any site where `within` is False.
        within: whether it is one: of the class, and near enough; bool ``(N, K)``.
        distances: their squared distances, ``(N, K)``. The nearest come first, of which rules take the first where
            all else is equal.
    """

    sites: IntArray
    within: NDArray[np.bool_]
    distances: NDArray[Any]


class Evidence(Protocol):
    """What a detector says of one frame.

    Attributes:
        scores: by site, float32 ``(S,)``; the propagator changes them, so they are a copy, or given away.
        form: see `Form`.
    """

    scores: FloatArray
    form: Form

    def read(self, sites: IntArray) -> FloatArray:
        """Return the scores at sites, a copy, float32 ``(N,)``.

        Raises:
            InvalidArrayError: one is not within [0, 1].
        """

    def places(self, sites: IntArray) -> tuple[IntArray, NDArray[Any]]:
        """Return the class ``(N,)`` and the centre, x and y ``(N, 2)``, of sites."""

    def near(self, labels: IntArray, centres: NDArray[Any], radii: int | IntArray, sizes: FloatArray, /) -> Near:
        """Return the sites where an object may be seen.

        Args:
            labels: its class, ``(N,)``.
            centres: where it is expected, x and y ``(N, 2)``; maybe outside.
            radii: how far from there, in x and in y, it may be; one for all, or ``(N,)``.
            sizes: its size, like those of `sizes`; where sites are as dense as cells, that is of no account.
        """

    def beside(self, sites: IntArray) -> Near:
        """Return, for each of some sites, those that may see the same: itself, and what stands beside it."""

    def add_unseen(self, labels: IntArray, centres: NDArray[Any], sizes: FloatArray) -> IntArray:
        """Give each object that is expected somewhere and seen nowhere a site of score 0, behind all others.

        Where sites are dense none is added: the site of where it is expected is there already, or another's.

        Args:
            labels: its class, ``(N,)``.
            centres: where it is expected, x and y ``(N, 2)``; maybe outside.
            sizes: its size, like those of `sizes`.

        Returns:
            The sites, ascending, -1 for an object that gets none; int64 ``(N,)``.
        """

    def sizes(self, sites: IntArray) -> FloatArray:
        """Return the sizes at sites, ``(N, 2)`` as width and height, or ``(N, 4)`` as distances to the sides.

        Raises:
            InvalidArrayError: one is not finite.
        """

    def boxes(self, sites: IntArray, centres: NDArray[Any], sizes: FloatArray) -> FloatArray:
        """Return boxes of such sizes at sites with such centres, float32 ``(N, 4)`` (equation 1).

        Raises:
            InvalidArrayError: an offset is not finite.
        """

    def peaks(self, threshold: float, window: int, known: Known | None) -> IntArray:
        """Return the sites of at least `threshold` that are not below any around them.

        In an order in which equal ones win: they are ascending where nothing is known of them.

        Args:
            threshold: smallest score to take.
            window: side of the square around a site that is compared, in its own units.
            known: of which sites more is known than their score; see `heatprop.heatmaps.Known`.

        Raises:
            InvalidArrayError: a score is not within [0, 1].
        """
