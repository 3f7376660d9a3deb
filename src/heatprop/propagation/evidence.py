"""What a detector says of one frame, by sites, and the detections that it says.

A site is where a detector can see an object of a class: a cell of a heatmap, an anchor, a query, or a box of a
list. Propagation knows no more of a network than `Evidence`; `GridEvidence` is a heatmap's. `best_sites` and
`detect` take detections from any, with a past or without one; `decode` is the latter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop.boxes import boxes_around, nms
from heatprop.errors import InvalidArrayError
from heatprop.heatmaps import check_probabilities, hold_probabilities, square, unravel
from heatprop.peaks import Known, find_peaks
from heatprop.propagation.config import DecodingConfig
from heatprop.propagation.tracklets import Claims, Tracklets
from heatprop.types import Detections, FloatArray, HeadOutput, IntArray

ImageArea: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom of the image in the units of the sites' centres; the rest is padding."""
_LARGE = 16  # cells from which on a square may be larger than the map


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
        distances: their squared distances, ``(K,)`` if they are the same for all places, else ``(N, K)``. The
            nearest come first, of which rules take the first where all else is equal.
    """

    sites: IntArray
    within: NDArray[np.bool_]
    distances: NDArray[Any]

    def distances_at(self, rows: IntArray, columns: IntArray) -> NDArray[Any]:
        """Return the squared distances of some of the sites, by their place in `sites`."""
        return self.distances[columns] if self.distances.ndim == 1 else self.distances[rows, columns]


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

    def vacant(self, labels: IntArray, centres: NDArray[Any], sizes: FloatArray) -> IntArray:
        """Return a site of score 0 for each object that is expected somewhere and seen nowhere; -1 for none.

        Where sites are dense there is none: the site of where it is expected is there already, or another's.
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
            known: of which sites more is known than their score; see `heatprop.peaks.Known`.

        Raises:
            InvalidArrayError: a score is not within [0, 1].
        """


class GridEvidence:
    """A heatmap with sizes and offsets: each cell of each class is a site, by its flat index in ``(C, H, W)``.

    Args:
        output: the network's; sizes and offsets are checked where they are read.
        scores: where the heatmap is copied to, so that it stays as it is: float32 of its shape; None takes the
            heatmap itself.
    """

    def __init__(self, output: HeadOutput, scores: FloatArray | None = None) -> None:
        if scores is not None:
            np.copyto(scores, output.heatmap)
        self._heatmap = output.heatmap if scores is None else scores
        self._size, self._offset = output.size, output.offset
        self.scores = self._heatmap.reshape(-1)
        classes, height, width = self._heatmap.shape
        self.form = Form(classes, height, width, len(output.size))

    def read(self, sites: IntArray) -> FloatArray:
        """See `Evidence.read`."""
        scores = self.scores[sites]
        if not hold_probabilities(scores):
            check_probabilities(self._heatmap)
        return scores

    def places(self, sites: IntArray) -> tuple[IntArray, IntArray]:
        """Return class ``(N,)``, and column and row ``(N, 2)``, of cells."""
        labels, rows, columns = unravel(sites, self._heatmap.shape)
        return labels, np.stack([columns, rows], axis=1)

    def near(
        self, labels: IntArray, centres: NDArray[Any], radii: int | IntArray, _sizes: FloatArray | None = None, /
    ) -> Near:
        """See `Evidence.near`; the cells of a square, nearest first, equally near ones by row and column."""
        _, height, width, _ = self.form
        columns, rows = centres[:, 0], centres[:, 1]
        most = int(radii.max(initial=0)) if isinstance(radii, np.ndarray) else radii
        if most > _LARGE:
            most = min(most, _farthest(rows, columns, height, width))
        dy, dx, distances, reach = _nearest_first(most)
        sites = ((labels * height + rows) * width + columns)[:, None] + (dy * width + dx)
        within = reach <= radii[:, None] if isinstance(radii, np.ndarray) else np.ones(sites.shape, np.bool_)
        # Read as unsigned, what is below 0 lies above all: one comparison for both borders.
        inner = (rows - most).view(np.uint64) < max(height - 2 * most, 0)
        inner &= (columns - most).view(np.uint64) < max(width - 2 * most, 0)
        cut = (~inner).nonzero()[0]
        if len(cut):
            y, x = rows[cut, None] + dy, columns[cut, None] + dx
            inside = (y.view(np.uint64) < height) & (x.view(np.uint64) < width)
            within[cut] &= inside
            sites[cut] *= inside
        return Near(sites, within, distances)

    def beside(self, sites: IntArray) -> Near:
        """See `Evidence.beside`: 3 x 3 cells."""
        return self.near(*self.places(sites), 1)

    def vacant(self, labels: IntArray, _: NDArray[Any], __: FloatArray) -> IntArray:
        """See `Evidence.vacant`."""
        return np.full(len(labels), -1)

    def sizes(self, sites: IntArray) -> FloatArray:
        """See `Evidence.sizes`; in cells."""
        return self._gather(self._size, "size", sites)

    def boxes(self, sites: IntArray, centres: NDArray[Any], sizes: FloatArray) -> FloatArray:
        """See `Evidence.boxes`; as (x1, y1, x2, y2) in cells."""
        places = centres.astype(np.float32)
        if self._offset is not None:
            places += self._gather(self._offset, "offset", sites)
        return boxes_around(places, sizes)

    def peaks(self, threshold: float, window: int, known: Known | None) -> IntArray:
        """See `Evidence.peaks`, and `find_peaks`."""
        return find_peaks(self._heatmap, threshold, window, known)

    def _gather(self, head: FloatArray, name: str, sites: IntArray) -> FloatArray:
        """Read a head ``(K, H, W)`` at cells, as ``(N, K)``; only these values are checked."""
        plane = sites % (self.form.height * self.form.width)
        values = np.ascontiguousarray(head.reshape(len(head), -1)[:, plane].T)
        if not np.isfinite(values).all():
            row, column = divmod(int(plane[np.argmin(np.isfinite(values).all(axis=1))]), self.form.width)
            raise InvalidArrayError(
                f"{name} is not finite at (row, column) ({row}, {column}): the network's output is broken"
            )
        return values


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The detections of a frame, by falling score.

    Attributes:
        rows: which of the sites that were given they are of, int64 ``(N,)``.
        labels: int64 ``(N,)``.
        centres: of the sites, ``(N, 2)``.
        scores: float32 ``(N,)``.
        sizes: float32 ``(N, 2)`` or ``(N, 4)``.
        boxes: float32 ``(N, 4)``.
    """

    rows: IntArray
    labels: IntArray
    centres: NDArray[Any]
    scores: FloatArray
    sizes: FloatArray
    boxes: FloatArray


def best_sites(seen: Evidence, config: DecodingConfig, window: int = 3, known: Known | None = None) -> IntArray:
    """Return the sites of the strongest peaks, best first, int64 ``(N,)``; equal ones in the order of sites.

    Args:
        seen: the frame, as it is, or balanced with the past.
        config: thresholds.
        window: see `Evidence.peaks`.
        known: see `Evidence.peaks`.

    Raises:
        InvalidArrayError: a score is not within [0, 1].
    """
    return strongest(seen.peaks(config.score_threshold, window, known), seen.scores, config.max_detections)


def detect(seen: Evidence, sites: IntArray, sizes: FloatArray, nms_iou: float) -> Found:
    """Make boxes of sites, and suppress the weaker of those that overlap.

    Args:
        seen: the frame.
        sites: best first, int64 ``(N,)``.
        sizes: of the boxes, float32 ``(N, 2)`` or ``(N, 4)``; the network's, or mixed by equation 7.
        nms_iou: see `DecodingConfig`.

    Raises:
        InvalidArrayError: an offset is not finite.
    """
    labels, centres = seen.places(sites)
    boxes = seen.boxes(sites, centres, sizes)
    kept = nms(boxes, labels, nms_iou)
    return Found(kept, labels[kept], centres[kept], seen.scores[sites[kept]], sizes[kept], boxes[kept])


def claims_of_unseen(claims: Claims, tracklets: Tracklets, expected: NDArray[Any], seen: Evidence) -> Claims:
    """Add to claims, sites ascending, the vacant sites of the objects that have none; see `Evidence.vacant`.

    Args:
        claims: of the objects that have a site.
        tracklets: all objects; one of score 0 carries nothing.
        expected: where they are expected, x and y ``(N, 2)``.
        seen: the frame.
    """
    is_unseen = tracklets.scores > 0
    is_unseen[claims.sources] = False
    rows = is_unseen.nonzero()[0]
    if not len(rows):
        return claims
    sites = seen.vacant(tracklets.labels[rows], expected[rows], tracklets.sizes[rows])
    has = sites >= 0
    return claims.joined(Claims(sites[has], rows[has], np.zeros(np.count_nonzero(has), claims.distances.dtype)))


def decode(
    output: HeadOutput,
    *,
    score_threshold: float = DecodingConfig.score_threshold,
    max_detections: int = DecodingConfig.max_detections,
    nms_iou: float = DecodingConfig.nms_iou,
) -> Detections:
    """Turn the network's output for one frame into detections, without other frames.

    Peaks are cells not below their 8 neighbours of the same class; the best `max_detections` of at least
    `score_threshold` become boxes by equation 1, and the weaker of two boxes of a class that overlap by more
    than `nms_iou` goes. Equal scores: the lower flat index ``(class, row, column)`` comes first.

    Args:
        output: heatmap, sizes and offsets of one frame.
        score_threshold: see `DecodingConfig`.
        max_detections: see `DecodingConfig`.
        nms_iou: see `DecodingConfig`.

    Returns:
        Boxes in cells of the output grid, by falling score; every length is 1.

    Raises:
        InvalidArrayError: the heatmap leaves [0, 1] or holds NaN, or a size or offset at a peak is not finite.
        InvalidConfigError: a setting lies outside its range.

    Example:
        >>> heatmap, size = np.zeros((3, 8, 8)), np.full((2, 8, 8), 4.0)
        >>> heatmap[2, 5, 3] = 0.9
        >>> found = decode(HeadOutput(heatmap, size))
        >>> found.boxes.tolist(), found.labels.tolist()
        ([[1.0, 3.0, 5.0, 7.0]], [2])

    Source: equation 1 and section 4.1 of the paper; CenterNet's ``ctdet_decode``.
    """
    config = DecodingConfig(score_threshold=score_threshold, max_detections=max_detections, nms_iou=nms_iou)
    seen = GridEvidence(output)
    sites = best_sites(seen, config)
    found = detect(seen, sites, seen.sizes(sites), config.nms_iou)
    return Detections(found.boxes, found.scores, found.labels)


def strongest(sites: IntArray, scores: FloatArray, count: int) -> IntArray:
    """Return the at most `count` sites of the highest scores, best first; equal ones keep their order.

    >>> strongest(np.arange(4), np.array([0.1, 0.5, 0.9, 0.5], np.float32), 2).tolist()
    [2, 1]
    """
    values = scores[sites]
    if len(sites) > 4 * count:  # only what is as strong as the last of them needs to be put in order
        least = np.partition(values, len(values) - count)[len(values) - count]
        stronger = np.flatnonzero(values > least)
        as_strong = np.flatnonzero(values == least)[: count - len(stronger)]
        chosen = np.sort(np.concatenate([stronger, as_strong]))
        sites, values = sites[chosen], values[chosen]
    order = np.argsort(-values, kind="stable")
    return sites[order[:count]]


def _farthest(rows: IntArray, columns: IntArray, height: int, width: int) -> int:
    """Return how far, in rows or columns, a cell of the map can be from places, some of them outside.

    >>> _farthest(np.array([1]), np.array([-2]), 2, 3)
    4
    """
    sides = [(places, length - 1 - places) for places, length in ((rows, height), (columns, width))]
    return max(int(side.max(initial=0)) for pair in sides for side in pair)


@cache
def _nearest_first(radius: int) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return the cells of a square by distance from its centre: of equal cells the nearest is found first.

    As rows and columns from the centre, squared distances, and the larger of rows and columns; each ``(K,)``.
    """
    steps = square(radius)
    dy, dx = steps[:, np.argsort((steps * steps).sum(axis=0), kind="stable")]
    return dy, dx, dy * dy + dx * dx, np.maximum(np.abs(dy), np.abs(dx))
