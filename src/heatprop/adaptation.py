"""Propagation that adapts to each object: where it is carried to, and for how long its past counts.

The paper lays the same square on every object, and lifts all that lies in it. Here each carried object follows its
own motion, looks for itself no further than that motion is uncertain, and lifts one cell; what the network still
sees there decides how fast it is forgotten. Each part has a switch in `AdaptationConfig`. `docs/method.md` has the
equations, `docs/benchmarks.md` what each part brings.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop.decoding import boxes_at
from heatprop.errors import InvalidConfigError, check_count, check_range
from heatprop.heatmaps import neighbours_of, square, unravel
from heatprop.propagation_heatmap import MOST_RADIUS, Carried, PropagationHeatmap
from heatprop.types import FloatArray, IntArray

_DoubleArray: TypeAlias = NDArray[np.float64]
PictureArea: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom of the picture on the output grid, in cells: the rest is padding."""


@dataclass(frozen=True, kw_only=True)
class AdaptationConfig:
    """How propagation adapts; each part can be switched off alone.

    Attributes:
        velocity: share of an object's last step in its velocity, in [0, 1]; 0 expects every object where it was.
        least_radius: how many cells around its expected place an object is looked for while its motion is foreseen
            well; from 0 to 128. Where it is not, or not known yet, up to `PropagationConfig.radius`; given here
            too, that holds for all.
        nearness: how much of its score a cell must be better for each squared cell of distance, to be taken for
            the object; at most 1000. 0 leaves distance aside.
        min_iou: what the network sees there must overlap the expected box so much to be the object, in [0, 1]; 0
            takes anything.
        evidence: share of an object's score that the network must see for its past to count in full, in [0, 1]; 0
            asks for nothing.
        fade: by which the weight of the past is multiplied where the network sees nothing at all, in [0, 1]; 1
            forgets no faster than the paper.
        max_length: tracklet length from which the past counts no more; at least 0, which carries nothing, and
            `math.inf` allowed.
        rise: by which the weight of the past is multiplied where the network sees more, in [0, 1]; 1 lets scores
            rise as slowly as they fall.
        lift: how far the carried score is drawn to the largest that the network gave the object lately, where it
            sees a detection of its own, in [0, 1]; 0 does not.
        largest_fade: how far that largest score is drawn to the balanced one in each frame, in [0, 1]; with 0 it
            is the largest ever, and something faint in its place can keep an object that left for ever.
        leaving: by which the weight of the past is multiplied for an object that loses score on its way over the
            border of the picture, in [0, 1]; 1 makes no difference.
        leaving_speed: cells a frame above which it is on its way.
        trust: how much more the network's size counts than the carried one, at equal scores; at most 1000. Scores
            weigh squared. 0 is the paper's equation 7.
        holds_peaks: whether the cells around one that is lowered are lowered too, so that a broad peak stays where
            its object is.

    Raises:
        InvalidConfigError: a value lies outside its range.
    """

    velocity: float = 0.5
    least_radius: int = 1
    nearness: float = 0.01
    min_iou: float = 0.3
    evidence: float = 0.1
    fade: float = 0.8
    max_length: float = 5
    rise: float = 0.8
    lift: float = 0.1
    largest_fade: float = 0.05
    leaving: float = 0.5
    leaving_speed: float = 1.0
    trust: float = 2.0
    holds_peaks: bool = True

    def __post_init__(self) -> None:
        check_count("least_radius", self.least_radius, 0, MOST_RADIUS)
        shares = ("velocity", "min_iou", "evidence", "fade", "rise", "lift", "largest_fade", "leaving")
        for name in shares:
            check_range(name, getattr(self, name), 0, 1)
        for name in ("max_length", "leaving_speed"):
            check_range(name, getattr(self, name), 0, inf)
        for name in ("nearness", "trust"):
            check_range(name, getattr(self, name), 0, 1000)
        if not isinstance(self.holds_peaks, bool):
            raise InvalidConfigError(f"holds_peaks is {self.holds_peaks!r}; it must be True or False")


@dataclass(frozen=True, slots=True, eq=False)
class Followed(Carried):
    """What one frame hands to the next where propagation adapts.

    Attributes:
        velocities: x and y in cells a frame, float32 ``(N, 2)``; 0 for an object seen once.
        surprises: how many cells an object was off its expected place lately, float32 ``(N,)``; at first so many
            that it is looked for as far as `PropagationConfig.radius`.
        largest: the largest score that the network gave the object lately, float32 ``(N,)``.
    """

    velocities: FloatArray
    surprises: FloatArray
    largest: FloatArray


def nothing_followed(components: int) -> Followed:
    """Return what a video's first frame is handed: nothing, with so many numbers in a size."""
    none, scores = np.empty(0, np.int64), np.empty(0, np.float32)
    return Followed(
        none, scores, np.empty((0, components), np.float32), none, np.empty((0, 2), np.float32), scores, scores
    )


def expected_places(followed: Followed, shape: tuple[int, int, int]) -> tuple[IntArray, IntArray, IntArray]:
    """Return class, row and column, int64 ``(N,)``, where each object is expected: one step on, maybe outside."""
    labels, rows, columns = unravel(followed.cells, shape)
    steps = np.rint(followed.velocities).astype(np.int64)
    return labels, rows + steps[:, 1], columns + steps[:, 0]


def search_radii(surprises: FloatArray, least: int, most: int) -> IntArray:
    """Return how many cells around its expected place each object is looked for, int64 ``(N,)``.

    >>> search_radii(np.array([0.0, 0.4, 0.5, 1.0, 7.0], np.float32), least=1, most=2).tolist()
    [1, 1, 2, 2, 2]
    """
    radii: IntArray = np.floor(least + surprises.astype(np.float64) + 0.5).astype(np.int64)
    return np.minimum(radii, most)


def surprise_of_unknown(least: int, most: int) -> float:
    """Return the surprise with which an object of unknown motion is looked for as far as any."""
    return float(max(most - least, 0))


def evidence_factors(network: _DoubleArray, scores: _DoubleArray, share: float, fade: float) -> _DoubleArray:
    """Return by which the weight of the past is multiplied for what the network sees, float64 ``(M,)``.

    1 where the network sees at least `share` of the carried score, less below, and never less than `fade`.

    >>> evidence_factors(np.array([0.5, 0.09, 0.0]), np.array([0.8, 1.0, 0.8]), share=0.1, fade=0.8).round(3)
    array([1. , 0.9, 0.8])
    """
    needed = share * scores
    seen = np.divide(np.minimum(network, needed), needed, out=np.ones_like(network), where=needed > 0)
    return np.maximum(seen, fade)


def leaves(
    followed: Followed, shape: tuple[int, int, int], picture: PictureArea, speed: float
) -> NDArray[np.bool_]:
    """Say which objects are on their way out of the picture: they reach its border, and move on at `speed`."""
    _, rows, columns = expected_places(followed, shape)
    x1, y1, x2, y2 = boxes_at(rows, columns, followed.sizes, None).T.astype(np.float64)
    vx, vy = followed.velocities.T.astype(np.float64)
    left, top, right, bottom = picture  # in columns and rows, of which the last are right - 1 and bottom - 1
    sideways = ((x1 < left) & (vx < -speed)) | ((x2 > right - 1) & (vx > speed))
    upright = ((y1 < top) & (vy < -speed)) | ((y2 > bottom - 1) & (vy > speed))
    leaving: NDArray[np.bool_] = sideways | upright
    return leaving


def lift_cells(
    network: FloatArray,
    placed: PropagationHeatmap,
    shape: tuple[int, int, int],
    adaptation: AdaptationConfig,
    *,
    alpha: float,
    beta: float,
    score_threshold: float,
    picture: PictureArea | None = None,
) -> FloatArray:
    """Average the network's heatmap with the carried scores, as equations 5 and 6 do, at the placed cells.

    The tracklet length has a ceiling, and the share of the past is less where the network sees little or the
    object leaves. Where it sees a detection, the carried score is drawn a little to the largest it had lately.

    Args:
        network: the network's heatmap at `placed.cells`, float32 ``(M,)``.
        placed: what `place_objects` returned.
        shape: of the heatmap.
        adaptation: the settings.
        alpha: see `PropagationConfig`.
        beta: see `PropagationConfig`.
        score_threshold: from which on what the network sees is a detection of its own.
        picture: where the picture lies on the map, in cells; None for all of it.

    Returns:
        The balanced heatmap at the same cells, float32 ``(M,)``; nowhere above the largest score of its object.
    """
    followed, rows = placed.carried, placed.sources
    assert isinstance(followed, Followed)
    values = network.astype(np.float64)
    scores = followed.scores[rows].astype(np.float64)
    with np.errstate(over="ignore"):  # beyond all floats it is what it is for infinity
        weights = beta * np.minimum(followed.lengths[rows], adaptation.max_length)
    evidence = evidence_factors(values, scores, adaptation.evidence, adaptation.fade)
    gains = alpha * (1.0 - 1.0 / (1.0 + weights)) * evidence
    area = (0.0, 0.0, float(shape[2]), float(shape[1])) if picture is None else picture
    fading = leaves(followed, shape, area, adaptation.leaving_speed)[rows] & (values < scores)
    gains[fading] *= adaptation.leaving
    lift = np.where(network >= np.float32(score_threshold), adaptation.lift, 0.0)
    targets = scores + lift * (followed.largest[rows] - scores)
    gains[values > targets] *= adaptation.rise
    values += gains * (targets - values)
    return values.astype(np.float32)


def hold_peaks(balanced: FloatArray, network: FloatArray, placed: PropagationHeatmap) -> None:
    """Lower, in place, what stands around cells that were lowered, where it would become the peak instead.

    These are the 8 neighbours that the network sees no stronger than the cell itself, but for those of other
    objects.

    Args:
        balanced: the balanced heatmap ``(C, H, W)``.
        network: the network's heatmap at `placed.cells`, float32 ``(M,)``.
        placed: the cells of the objects.

    >>> heatmap = np.array([[[0.1, 0.7, 0.8, 0.7, 0.9]]], np.float32)
    >>> none = np.empty(0, np.int64)
    >>> cells = PropagationHeatmap(np.array([2]), np.array([0]), np.array([0]), nothing_followed(2))
    >>> heatmap[0, 0, 2] = 0.6
    >>> hold_peaks(heatmap, np.array([0.8], np.float32), cells)
    >>> heatmap
    array([[[0.1, 0.6, 0.6, 0.6, 0.9]]], dtype=float32)
    """
    values = balanced.reshape(-1)
    lowered = values[placed.cells] < network
    cells, seen = placed.cells[lowered], network[lowered]
    around = neighbours_of(cells, square(1), balanced.shape)
    above = (values[around] <= seen) & (values[around] > values[cells]) & ~np.isin(around, placed.cells)
    ceilings = np.broadcast_to(values[cells], around.shape)
    np.minimum.at(values, around[above], ceilings[above])


def mix_trusted_sizes(
    network: FloatArray, sizes: FloatArray, sources: IntArray, followed: Carried, trust: float
) -> FloatArray:
    """Average the network's sizes with the carried ones, by squared score, the network's `trust` times as much.

    A network that sees an object as well as ever knows its size; one that hardly sees it does not.

    Args:
        network: the network's heatmap there, before balancing, float32 ``(N,)``.
        sizes: the network's sizes there, float32 ``(N, 2)`` or ``(N, 4)``.
        sources: which object is at each cell, int64 ``(N,)``.
        followed: the objects.
        trust: see `AdaptationConfig`; above 0.

    Returns:
        float32, like `sizes`.

    >>> seen, past = np.array([0.8, 0.2], np.float32), np.full((2, 2), 4.0, np.float32)
    >>> objects = Carried(np.arange(2), np.array([0.8, 0.8], np.float32), past, np.array([3, 3]))
    >>> mix_trusted_sizes(seen, past + 9, np.arange(2), objects, 2.0)[:, 0].round(2).tolist()
    [10.0, 5.0]
    """
    weight = trust * network[:, None].astype(np.float64) ** 2
    score = followed.scores[sources, None].astype(np.float64) ** 2
    mixed = (weight * sizes + score * followed.sizes[sources]) / (weight + score)
    return mixed.astype(np.float32)


def follow(
    found: Carried,
    network: FloatArray,
    sources: IntArray,
    before: Followed,
    *,
    shape: tuple[int, int, int],
    adaptation: AdaptationConfig,
    radius: int,
    score_threshold: float,
) -> Followed:
    """Add to a frame's detections how they move, for the next frame.

    Args:
        found: the detections.
        network: the network's own scores there, float32 ``(N,)``.
        sources: the row in `before` that each was carried from, -1 for none, int64 ``(N,)``.
        before: what the frame was handed.
        shape: of the heatmap.
        adaptation: the settings.
        radius: see `PropagationConfig`.
        score_threshold: of less the network knows no place: the object goes on as it went.
    """
    count = len(found.cells)
    # In float64, and rounded once: an object is found where exact arithmetic finds it, also at ties.
    velocities = np.zeros((count, 2))
    surprises = np.full(count, surprise_of_unknown(adaptation.least_radius, radius))
    largest = network.astype(np.float32)
    old = np.flatnonzero(sources >= 0)
    came = sources[old]
    _, rows, columns = unravel(found.cells[old], shape)
    _, last_rows, last_columns = unravel(before.cells[came], shape)
    _, expected_rows, expected_columns = expected_places(before, shape)
    seen = network[old] >= np.float32(score_threshold)
    steps = np.stack([columns - last_columns, rows - last_rows], axis=1)
    past = before.velocities[came].astype(np.float64)
    velocities[old] = np.where(seen[:, None], past + adaptation.velocity * (steps - past), past)
    off = np.maximum(np.abs(rows - expected_rows[came]), np.abs(columns - expected_columns[came]))
    last = before.surprises[came].astype(np.float64)
    surprises[old] = np.where(seen, last + 0.5 * (off - last), last)
    lately = before.largest[came].astype(np.float64)
    lately += adaptation.largest_fade * (found.scores[old] - lately)
    largest[old] = np.maximum(largest[old], lately.astype(np.float32))
    motion = (velocities.astype(np.float32), surprises.astype(np.float32), largest)
    return Followed(found.cells, found.scores, found.sizes, found.lengths, *motion)
