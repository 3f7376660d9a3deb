"""Heatmap propagation: equations 2 to 7 of the paper, touching only the cells around carried objects.

`propagate` (in `propagation_heatmap`), `balance` and `mix_sizes` are pure functions, one for each step of section
3.2; `adaptation` has those of the form that adapts to each object. `HeatmapPropagator` is the thin shell that
remembers what the last frame showed. `docs/method.md` settles what the paper leaves open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import Literal, Self, TypeAlias, get_args

import numpy as np

from heatprop.adaptation import (
    AdaptationConfig,
    Followed,
    PictureArea,
    follow,
    hold_peaks,
    lift_cells,
    mix_trusted_sizes,
    nothing_followed,
    surprise_of_unknown,
)
from heatprop.boxes import nms
from heatprop.decoding import DecodingConfig, boxes_at, sizes_at, strongest
from heatprop.errors import InvalidArrayError, InvalidConfigError, check_count, check_range
from heatprop.heatmaps import check_probabilities, hold_probabilities, unravel
from heatprop.peaks import Known, find_peaks
from heatprop.placing import place_objects
from heatprop.propagation_heatmap import MOST_RADIUS, Carried, PropagationHeatmap, propagate
from heatprop.types import Detections, FloatArray, HeadOutput, IntArray

Carries: TypeAlias = Literal["balanced", "network"]


@dataclass(frozen=True, kw_only=True)
class PropagationConfig(DecodingConfig):
    """Settings of heatmap propagation; the defaults are the paper's.

    Attributes:
        radius: P, how many cells around a detection's centre its score is carried to; from 0 to 128, the side of
            the paper's grid. Larger follows faster objects, and lifts more of what stands beside a carried one.
        alpha: share of the long-term heatmap in the balanced one (equation 6); in [0, 1]. 0 turns propagation
            off, 1 never trusts the moment.
        beta: how strongly tracklet length weighs the past (equation 5); at least 0, `math.inf` allowed.
        carries: what a detection hands to the next frame: its "balanced" score and mixed size, as the paper's
            examples have it, or the "network"'s own score and size there, as its interpolation (equation 11).
        adaptation: how objects are followed and forgotten, one by one; None for the paper's squares. `radius` is
            then how far an object is looked for at most, and `carries` is "balanced".
        score_threshold: see `DecodingConfig`; also the least balanced score that is carried on.
        max_detections: see `DecodingConfig`.
        nms_iou: see `DecodingConfig`.

    Raises:
        InvalidConfigError: a value lies outside its range, or two do not go together.

    Example:
        >>> PropagationConfig(radius=3).peak_window
        7
    """

    radius: int = 2
    alpha: float = 0.98
    beta: float = 2.0
    carries: Carries = "balanced"
    adaptation: AdaptationConfig | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("radius", self.radius, 0, MOST_RADIUS)
        check_range("alpha", self.alpha, 0, 1)
        check_range("beta", self.beta, 0, inf)
        if self.carries not in get_args(Carries):
            raise InvalidConfigError(f"carries is {self.carries!r}; it must be 'balanced' or 'network'")
        if self.adaptation is not None and not isinstance(self.adaptation, AdaptationConfig):
            raise InvalidConfigError(
                f"adaptation is {self.adaptation!r}; it must be an AdaptationConfig, or None for the paper's form"
            )
        if self.adaptation is not None and self.carries != "balanced":
            raise InvalidConfigError("adaptation goes with carries 'balanced' only")

    @classmethod
    def paper(cls) -> Self:
        """Return the paper's setting, from sections 4.1 and 5.3; the defaults are the same."""
        return cls(
            radius=2,
            alpha=0.98,
            beta=2.0,
            carries="balanced",
            score_threshold=0.05,
            max_detections=100,
            nms_iou=0.3,
        )

    @classmethod
    def adaptive(cls) -> Self:
        """Return the setting that adapts to each object: steadier in crowds, with fast objects and after cuts."""
        return cls(adaptation=AdaptationConfig())

    @classmethod
    def interpolation(cls) -> Self:
        """Return the baseline of section 5.1: a detected cell is averaged half and half with its last frame.

        That is equation 11 where frame t has a detection. Elsewhere nothing is carried, and equations 5 and 6
        leave the network alone; `HeatmapInterpolator` averages there, too.
        """
        return cls(radius=0, alpha=0.5, beta=inf, carries="network")

    @property
    def peak_window(self) -> int:
        """Side in cells of the window of a peak: ``2 P + 1`` as in section 4.1; 3 for P = 0 or adapting."""
        return 3 if self.adaptation is not None else max(2 * self.radius + 1, 3)


def require_propagation(config: PropagationConfig) -> PropagationConfig:
    """Return settings of propagation as they are.

    Raises:
        InvalidConfigError: they are something else.
    """
    if not isinstance(config, PropagationConfig):
        raise InvalidConfigError(
            f"propagation is {config!r}; give a PropagationConfig, such as PropagationConfig.adaptive()"
        )
    return config


def balance(network: FloatArray, propagated: PropagationHeatmap, alpha: float, beta: float) -> FloatArray:
    """Average the network's heatmap with what was carried, where something was (equations 5 and 6).

    Both equations are weighted means of the network's value Y and the carried score h, so one step does both:
    ``Y + alpha * b / (1 + b) * (h - Y)`` with ``b = beta * length``. Elsewhere the balanced heatmap is Y.

    Args:
        network: the network's heatmap at `propagated.cells`, float32 ``(M,)``.
        propagated: what was carried.
        alpha: see `PropagationConfig`.
        beta: see `PropagationConfig`.

    Returns:
        The balanced heatmap at the same cells, float32 ``(M,)``.
    """
    carried = propagated.carried
    with np.errstate(over="ignore"):  # beyond all floats it is what it is for infinity
        gains = alpha * (1.0 - 1.0 / (1.0 + beta * carried.lengths))
    values = network.astype(np.float64)
    values += gains[propagated.sources] * (carried.scores[propagated.sources] - values)
    return values.astype(np.float32)


def mix_sizes(network: FloatArray, sizes: FloatArray, sources: IntArray, carried: Carried) -> FloatArray:
    """Average the network's sizes with the carried ones, by score (equation 7), at some covered cells.

    Args:
        network: the network's heatmap there, before balancing, float32 ``(N,)``.
        sizes: the network's sizes there, float32 ``(N, 2)`` or ``(N, 4)``.
        sources: which carried object covers each cell, int64 ``(N,)``.
        carried: the objects.

    Returns:
        float32, like `sizes`.
    """
    weight = network[:, None].astype(np.float64)
    score = carried.scores[sources, None].astype(np.float64)
    mixed = (weight * sizes + score * carried.sizes[sources]) / (weight + score)
    return mixed.astype(np.float32)


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
        self.config = require_propagation(PropagationConfig() if config is None else config)
        self._carried: Carried | None = None
        self._shape: tuple[int, ...] = ()
        self._scratch = np.empty((0, 0, 0), np.float32)

    def reset(self) -> None:
        """Forget everything: the next frame is the first of a video."""
        self._carried = None

    @property
    def memory(self) -> tuple[Carried, tuple[int, ...]] | None:
        """What the last frame hands to the next, and the (classes, height, width, size components) of both.

        None before the first frame. Given to another propagator of the same settings, that one goes on where
        this one is, as a run that was stopped needs.
        """
        return None if self._carried is None else (self._carried, self._shape)

    @memory.setter
    def memory(self, memory: tuple[Carried, tuple[int, ...]] | None) -> None:
        if memory is not None and isinstance(memory[0], Followed) != (self.config.adaptation is not None):
            raise InvalidArrayError(
                "memory is that of another form of propagation; give it to a propagator of the same settings"
            )
        self._carried, self._shape = (None, ()) if memory is None else memory

    def update(
        self, output: HeadOutput, *, overwrite: bool = False, picture: PictureArea | None = None
    ) -> Detections:
        """Detect in the next frame, with what the last one showed.

        Args:
            output: what the network says about the frame.
            overwrite: whether `output.heatmap` may be changed, which spares copying it; one that is read-only is
                copied.
            picture: left, top, right and bottom of the picture on the output grid, in cells, where the network's
                input was padded; None for all of it. Adaptive propagation sees there who leaves.

        Returns:
            Boxes in cells of the output grid, by falling balanced score, with tracklet lengths.

        Raises:
            InvalidArrayError: the heatmap leaves [0, 1] or holds NaN; a size or offset at a peak, or a
                size where a carried object may be, is not finite; or classes, grid or form of the sizes differ
                from the last frame's. The state stays as it was.
        """
        config, heatmap = self.config, output.heatmap
        shape = (*heatmap.shape, len(output.size))
        if self._carried is not None and shape != self._shape:
            raise InvalidArrayError(
                f"(classes, height, width, size components) changed from {self._shape} to {shape}; "
                "call reset() before another video"
            )
        carried = self._carried or self._nothing(len(output.size))
        propagated = self._propagated(carried, output)
        network = heatmap.reshape(-1)[propagated.cells]
        if not hold_probabilities(network):
            check_probabilities(heatmap)
        balanced = heatmap if overwrite and heatmap.flags.writeable else self._copy(heatmap)
        balanced.reshape(-1)[propagated.cells] = self._balanced(network, propagated, heatmap.shape, picture)
        if config.adaptation is not None and config.adaptation.holds_peaks:
            hold_peaks(balanced, network, propagated)

        # Of equal peaks one stays: where the network itself says most, then the nearest to its carried peak.
        known = Known(propagated.cells, network, propagated.distances)
        peaks = find_peaks(balanced, config.score_threshold, config.peak_window, known)
        peaks = strongest(peaks, balanced, config.max_detections)

        labels, rows, columns = unravel(peaks, heatmap.shape)
        covered, place = propagated.at(peaks)
        sources = propagated.sources[place]
        sizes = sizes_at(output, rows, columns)
        own = sizes[covered]
        sizes[covered] = self._mixed(network[place], own, sources, carried)
        lengths = np.ones(len(peaks), np.int64)
        lengths[covered] += carried.lengths[sources]
        boxes = boxes_at(rows, columns, sizes, output.offset)

        kept = nms(boxes, labels, config.nms_iou)
        scores = balanced.reshape(-1)[peaks]
        found = Detections(boxes[kept], scores[kept], labels[kept], lengths[kept])
        if config.carries == "network":
            scores[covered], sizes[covered] = network[place], own
        handed = Carried(peaks[kept], scores[kept], sizes[kept], lengths[kept])
        if config.adaptation is not None and isinstance(carried, Followed):
            seen, came_from = scores.copy(), np.full(len(peaks), -1)
            seen[covered], came_from[covered] = network[place], sources
            handed = follow(
                handed,
                seen[kept],
                came_from[kept],
                carried,
                shape=heatmap.shape,
                adaptation=config.adaptation,
                radius=config.radius,
                score_threshold=config.score_threshold,
            )
        self._carried, self._shape = handed, shape
        return found

    def move(self, shifts: FloatArray, growth: FloatArray | None = None) -> None:
        """Move what the next frame is handed, where something other than the network knows of motion.

        Between looks at key frames objects go further than `PropagationConfig.radius`. What leaves the grid is
        forgotten.

        Args:
            shifts: ``(N, 2)``, x and y in cells, for each detection of the last `update`; rounded to whole cells.
            growth: by which their sizes are multiplied, ``(N,)``; None for 1.

        Raises:
            InvalidArrayError: there are not as many rows as the last `update` gave detections, or a number is not
                finite. The state stays as it was.
        """
        carried = self._carried
        count = 0 if carried is None else len(carried.cells)
        if shifts.shape != (count, 2) or (growth is not None and growth.shape != (count,)):
            raise InvalidArrayError(f"shifts are {shifts.shape}; they must be ({count}, 2), a row a detection")
        if not np.isfinite(shifts).all() or not np.isfinite(1.0 if growth is None else growth).all():
            raise InvalidArrayError("shifts or growth are not finite; leave out what has no known motion")
        if carried is None or not count:
            return
        grid = self._shape[:3]
        labels, rows, columns = unravel(carried.cells, (grid[0], grid[1], grid[2]))
        columns, rows = (
            columns + _whole_cells(shifts[:, 0], grid[2]),
            rows + _whole_cells(shifts[:, 1], grid[1]),
        )
        stays = (rows >= 0) & (rows < grid[1]) & (columns >= 0) & (columns < grid[2])
        sizes = carried.sizes if growth is None else carried.sizes * growth[:, None].astype(np.float32)
        moved = replace(carried, cells=(labels * grid[1] + rows) * grid[2] + columns, sizes=sizes)
        if isinstance(moved, Followed) and self.config.adaptation is not None:  # they are told, but not exactly
            unknown = surprise_of_unknown(self.config.adaptation.least_radius, self.config.radius)
            surprises = np.maximum(moved.surprises, np.float32(unknown))
            moved = replace(moved, velocities=np.zeros_like(moved.velocities), surprises=surprises)
        self._carried = moved.select(stays)

    def _propagated(self, carried: Carried, output: HeadOutput) -> PropagationHeatmap:
        config = self.config
        if config.adaptation is None:
            return propagate(carried, output.heatmap.shape, config.radius)
        assert isinstance(carried, Followed)  # as `memory` sees to
        return place_objects(carried, output, config.adaptation, config.radius, config.score_threshold)

    def _balanced(
        self,
        network: FloatArray,
        propagated: PropagationHeatmap,
        shape: tuple[int, int, int],
        picture: PictureArea | None,
    ) -> FloatArray:
        config = self.config
        if config.adaptation is None:
            return balance(network, propagated, config.alpha, config.beta)
        return lift_cells(
            network,
            propagated,
            shape,
            config.adaptation,
            alpha=config.alpha,
            beta=config.beta,
            score_threshold=config.score_threshold,
            picture=picture,
        )

    def _mixed(self, network: FloatArray, sizes: FloatArray, sources: IntArray, carried: Carried) -> FloatArray:
        adaptation = self.config.adaptation
        if adaptation is None or adaptation.trust == 0:
            return mix_sizes(network, sizes, sources, carried)
        return mix_trusted_sizes(network, sizes, sources, carried, adaptation.trust)

    def _nothing(self, components: int) -> Carried:
        return _nothing(components) if self.config.adaptation is None else nothing_followed(components)

    def _copy(self, heatmap: FloatArray) -> FloatArray:
        """Copy into an array that is kept: the pages of a new one would cost more than the copying."""
        if self._scratch.shape != heatmap.shape:
            self._scratch = np.empty_like(heatmap)
        np.copyto(self._scratch, heatmap)
        return self._scratch


def _whole_cells(shifts: FloatArray, side: int) -> IntArray:
    """Round shifts to whole cells; beyond the map it matters no more how far."""
    rounded: IntArray = np.rint(np.clip(shifts, -side, side)).astype(np.int64)
    return rounded


def _nothing(components: int) -> Carried:
    none = np.empty(0, np.int64)
    return Carried(none, np.empty(0, np.float32), np.empty((0, components), np.float32), none)
