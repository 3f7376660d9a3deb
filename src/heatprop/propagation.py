"""Heatmap propagation: equations 2 to 7 of the paper, touching only the cells around carried objects.

`propagate`, `balance` and `mix_sizes` are pure functions, one for each step of section 3.2; `HeatmapPropagator`
is the thin shell that remembers what the last frame showed. `docs/method.md` settles what the paper leaves open.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from heatprop.boxes import nms
from heatprop.decoding import DecodingConfig, boxes_at, sizes_at, strongest
from heatprop.errors import InvalidArrayError, check_count, check_range
from heatprop.heatmaps import check_probabilities, local_maxima, one_per_plateau, unravel
from heatprop.types import Detections, FloatArray, HeadOutput, IntArray


@dataclass(frozen=True, kw_only=True)
class PropagationConfig(DecodingConfig):
    """Settings of heatmap propagation; the defaults are the paper's.

    Attributes:
        radius: P, how many cells around a detection's centre its score is carried to; at least 0. Larger
            follows faster objects, and lifts more of what stands beside a carried one.
        alpha: share of the long-term heatmap in the balanced one (equation 6); in [0, 1]. 0 turns propagation
            off, 1 never trusts the moment.
        beta: how strongly tracklet length weighs the past (equation 5); at least 0, `math.inf` allowed.
        score_threshold: see `DecodingConfig`; also the least balanced score that is carried on.
        max_detections: see `DecodingConfig`.
        nms_iou: see `DecodingConfig`.

    Raises:
        InvalidConfigError: a value lies outside its range.

    Example:
        >>> PropagationConfig(radius=3).peak_window
        7
    """

    radius: int = 2
    alpha: float = 0.98
    beta: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("radius", self.radius, 0)
        check_range("alpha", self.alpha, 0, 1)
        check_range("beta", self.beta, 0, inf)

    @property
    def peak_window(self) -> int:
        """Side in cells of the window of a peak: ``2 P + 1`` as in section 4.1, and 3 for P = 0."""
        return max(2 * self.radius + 1, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """What one frame hands to the next: its detections as peaks on the grid, by falling score.

    Attributes:
        cells: flat indices of their peaks in the heatmap ``(C, H, W)``, int64 ``(N,)``.
        scores: their balanced scores, float32 ``(N,)``.
        sizes: their mixed sizes in cells, float32 ``(N, 2)`` or ``(N, 4)``.
        lengths: their tracklet lengths, int64 ``(N,)``, each at least 1.
    """

    cells: IntArray
    scores: FloatArray
    sizes: FloatArray
    lengths: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class PropagationHeatmap:
    """The propagation heatmap of equations 2 to 4, sparse: only cells with a carried object are listed.

    Elsewhere the carried score, length and size are 0.

    Attributes:
        cells: flat indices into ``(C, H, W)``, int64 ``(M,)``, ascending, each once.
        sources: for each cell the row in `carried` of the object that won it, int64 ``(M,)``.
        distances: for each cell the squared distance in cells to that object's peak, int64 ``(M,)``.
        carried: the objects.
    """

    cells: IntArray
    sources: IntArray
    distances: IntArray
    carried: Carried

    def at(self, cells: IntArray) -> tuple[NDArray[np.bool_], IntArray]:
        """Look cells up: whether each is covered, and at which row of this map (0 where it is not)."""
        if not len(self.cells):
            return np.zeros(len(cells), np.bool_), np.zeros(len(cells), np.int64)
        place = np.minimum(np.searchsorted(self.cells, cells), len(self.cells) - 1)
        covered = self.cells[place] == cells
        return covered, np.where(covered, place, 0)


def propagate(carried: Carried, shape: tuple[int, int, int], radius: int) -> PropagationHeatmap:
    """Dilate each carried peak to a square and overlay the squares (equations 2, 3 and 4).

    Where squares of a class overlap the highest score wins, and of equal scores the lower row; length and size
    come with it. The squares end at the border of the map.

    Args:
        carried: the last frame's detections.
        shape: ``(C, H, W)`` of the heatmap.
        radius: P; a square has the side ``2 P + 1``.
    """
    positive = np.flatnonzero(carried.scores > 0)  # a score of 0 carries nothing: h = 0 means l = 0 and s = 0
    order = positive[np.argsort(-carried.scores[positive], kind="stable")]
    labels, rows, columns = unravel(carried.cells[order], shape)
    dy, dx = (axis.reshape(-1) for axis in np.mgrid[-radius : radius + 1, -radius : radius + 1])
    y, x = rows[:, None] + dy, columns[:, None] + dx
    inside = (y >= 0) & (y < shape[1]) & (x >= 0) & (x < shape[2])
    cells = (((labels[:, None] * shape[1]) + y) * shape[2] + x)[inside]
    sources = np.broadcast_to(order[:, None], inside.shape)[inside]
    distances = np.broadcast_to(dy * dy + dx * dx, inside.shape)[inside]
    cells, first = np.unique(cells, return_index=True)  # the first of each cell is the winner's
    return PropagationHeatmap(cells, sources[first], distances[first], carried)


def balance(
    heatmap: FloatArray,
    propagated: PropagationHeatmap,
    alpha: float,
    beta: float,
    out: FloatArray | None = None,
) -> FloatArray:
    """Average the network's heatmap with what was carried, and return the balanced heatmap ``(C, H, W)``.

    Equations 5 and 6 in one step: both are weighted means of the network's value Y and the carried score h, so
    the result is ``Y + alpha * b / (1 + b) * (h - Y)`` with ``b = beta * length``. Where nothing is carried it
    is Y, to the bit. `heatmap` is not changed. The result is written to `out` where it is given.
    """
    balanced = np.empty_like(heatmap) if out is None else out
    np.copyto(balanced, heatmap)
    carried, values = propagated.carried, balanced.reshape(-1)
    gains = alpha * (1.0 - 1.0 / (1.0 + beta * carried.lengths))
    network = values[propagated.cells].astype(np.float64)
    scores = carried.scores.astype(np.float64)[propagated.sources]
    values[propagated.cells] = network + gains[propagated.sources] * (scores - network)
    return balanced


def mix_sizes(
    heatmap: FloatArray, sizes: FloatArray, cells: IntArray, propagated: PropagationHeatmap
) -> FloatArray:
    """Average the network's sizes with the carried ones, by score (equation 7), at the given cells only.

    Args:
        heatmap: the network's, float32 ``(C, H, W)``, before balancing.
        sizes: the network's at `cells`, float32 ``(N, 2)`` or ``(N, 4)``.
        cells: flat indices, int64 ``(N,)``.
        propagated: what was carried.

    Returns:
        Sizes like `sizes`; the network's own where nothing is carried.
    """
    covered, place = propagated.at(cells)
    mixed = sizes.copy()
    source = propagated.sources[place[covered]]
    network = heatmap.reshape(-1)[cells[covered], None].astype(np.float64)
    score = propagated.carried.scores[source, None].astype(np.float64)
    mixed[covered] = (network * sizes[covered] + score * propagated.carried.sizes[source]) / (network + score)
    return mixed


def inherit_lengths(cells: IntArray, propagated: PropagationHeatmap) -> IntArray:
    """Return the tracklet lengths ``(N,)`` of detections at cells: the carried length there plus 1."""
    covered, place = propagated.at(cells)
    lengths = np.ones(len(cells), np.int64)
    lengths[covered] += propagated.carried.lengths[propagated.sources[place[covered]]]
    return lengths


class HeatmapPropagator:
    """Online heatmap propagation over the frames of one video: the paper's section 3.2.

    Feed it the network's output of each frame in order; it remembers the detections of the last one. Call
    `reset` before another video. It is not thread-safe: give each video its own.

    Example:
        An object seen for three frames is almost lost by the network in the fourth, and is kept.

        >>> def seen(score):
        ...     heatmap = np.zeros((1, 9, 9))
        ...     heatmap[0, 4, 4] = score
        ...     return HeadOutput(heatmap, np.full((2, 9, 9), 3.0))
        >>> propagator = HeatmapPropagator(PropagationConfig())
        >>> for score in (0.9, 0.9, 0.9, 0.1):
        ...     found = propagator.update(seen(score))
        >>> found.scores.round(3), found.lengths
        (array([0.772], dtype=float32), array([4]))
    """

    def __init__(self, config: PropagationConfig | None = None) -> None:
        self.config = PropagationConfig() if config is None else config
        self._carried: Carried | None = None
        self._shape: tuple[int, ...] = ()
        self._balanced = np.empty((0, 0, 0), np.float32)  # kept, since new pages cost more than the update

    def reset(self) -> None:
        """Forget everything: the next frame is the first of a video."""
        self._carried = None

    def update(self, output: HeadOutput) -> Detections:
        """Detect in the next frame, with what the last one showed.

        Args:
            output: what the network says about the frame.

        Returns:
            Boxes in cells of the output grid, by falling balanced score, with tracklet lengths.

        Raises:
            InvalidArrayError: the heatmap leaves [0, 1] or holds NaN; a size or offset at a peak is not finite;
                or classes, grid or form of the sizes differ from the last frame's. The state stays as it was.
        """
        config, heatmap = self.config, output.heatmap
        check_probabilities(heatmap)
        shape = (*heatmap.shape, len(output.size))
        if self._carried is not None and shape != self._shape:
            raise InvalidArrayError(
                f"(classes, height, width, size components) changed from {self._shape} to {shape}; "
                "call reset() before another video"
            )
        carried = self._carried or _nothing(len(output.size))
        propagated = propagate(carried, heatmap.shape, config.radius)
        if self._balanced.shape != heatmap.shape:
            self._balanced = np.empty_like(heatmap)
        balanced = balance(heatmap, propagated, config.alpha, config.beta, out=self._balanced)
        peaks = local_maxima(balanced, config.peak_window, config.score_threshold)
        peaks = one_per_plateau(peaks, balanced, config.peak_window, _preference(peaks, heatmap, propagated))
        peaks = strongest(peaks, balanced, config.max_detections)
        labels, rows, columns = unravel(peaks, heatmap.shape)
        sizes = mix_sizes(heatmap, sizes_at(output, rows, columns), peaks, propagated)
        boxes = boxes_at(rows, columns, sizes, output.offset)
        kept = nms(boxes, labels, config.nms_iou)
        peaks = peaks[kept]
        scores, lengths = balanced.reshape(-1)[peaks], inherit_lengths(peaks, propagated)
        self._carried, self._shape = Carried(peaks, scores, sizes[kept], lengths), shape
        return Detections(boxes[kept], scores, labels[kept], lengths)


def _preference(
    peaks: IntArray, heatmap: FloatArray, propagated: PropagationHeatmap
) -> tuple[NDArray[np.floating], ...]:
    """Order equal cells: what the network says now, then nearness to the carried peak."""
    covered, place = propagated.at(peaks)
    distances = np.zeros(len(peaks))
    distances[covered] = propagated.distances[place[covered]]
    return -heatmap.reshape(-1)[peaks], distances


def _nothing(components: int) -> Carried:
    none = np.empty(0, np.int64)
    return Carried(none, np.empty(0, np.float32), np.empty((0, components), np.float32), none)
