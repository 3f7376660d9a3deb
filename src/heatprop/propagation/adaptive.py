"""The rule that adapts to each object: where it is carried to, and for how long its past counts.

The paper lays the same square on every object, and boosts all that lies in it. Here each tracklet follows its own
motion, is looked for no further than that motion is uncertain, and boosts one site; what the network still sees
there decides how fast it is forgotten. Each part has a switch in `AdaptationConfig`. `docs/method.md` has the
equations, `docs/benchmarks.md` what each part brings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from math import inf
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heatprop.boxes import boxes_around, iou
from heatprop.propagation.config import AdaptationConfig
from heatprop.propagation.equations import DoubleArray, balance_at_once, inherit_sizes, mix_sizes, past_weights
from heatprop.propagation.evidence import SITES_AT_ONCE, Evidence, ImageArea, Near
from heatprop.propagation.tracklets import Claims, Own, Tracklets
from heatprop.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class FollowedTracklets(Tracklets):
    """What one frame hands to the next where propagation adapts.

    Attributes:
        velocities: x and y in cells a frame, float32 ``(N, 2)``; 0 for an object seen once.
        errors: prediction errors: how many cells an object was off its expected place lately, float32 ``(N,)``; at
            first so many that it is looked for as far as `PropagationConfig.radius`.
        best: the highest score that the network gave the object lately, float32 ``(N,)``.
    """

    velocities: FloatArray
    errors: FloatArray
    best: FloatArray

    @classmethod
    def none(cls, components: int) -> FollowedTracklets:
        """See `Tracklets.none`."""
        scores = np.empty(0, np.float32)
        return _with_motion(Tracklets.none(components), np.empty((0, 2), np.float32), scores, scores)


class _Search(NamedTuple):
    """What is looked for: the tracklets, where they are expected, and the frame."""

    tracklets: FollowedTracklets
    expected: NDArray[Any]
    seen: Evidence


@dataclass(frozen=True, slots=True)
class AdaptiveRule:
    """Equations 2 to 7, adapted to each object.

    Attributes:
        settings: see `AdaptationConfig`.
        radius: how far, in cells, an object is looked for at most.
        alpha: share of the past.
        beta: how strongly the tracklet length counts.
        score_threshold: from which on what the network sees is a detection of its own.
        window: side of the window of a peak.
    """

    settings: AdaptationConfig
    radius: int
    alpha: float
    beta: float
    score_threshold: float
    window: int
    tracklets: ClassVar[type[FollowedTracklets]] = FollowedTracklets

    def claim(self, tracklets: FollowedTracklets, seen: Evidence) -> Claims:
        """Give each tracklet the one site that it is found at.

        That is the best near its expected place, distance counted, which is not another's: where the network sees
        a box of its own, that must overlap the expected one; and of two tracklets of a class that want the same
        site the one of the higher score has it, the other the best that is left. One for which none is left is
        forgotten. Who is seen nowhere near its place has a second chance with a peak farther away.

        Raises:
            InvalidArrayError: a size that is compared is not finite.
        """
        if self.settings.max_length == 0:
            return Claims.none()
        expected = expected_centres(tracklets.centres, tracklets.velocities)
        radii = search_radii(tracklets.errors, self.settings.least_radius, self.radius)
        search = _Search(tracklets, expected, seen)
        claims = self._choose(search, np.arange(len(radii)), radii, partial(self._candidates, search))
        if self.settings.second_chance > 0:
            is_seen = seen.scores[claims.sites] >= np.float32(self.score_threshold)
            is_lost = radii < self.radius
            is_lost[claims.sources[is_seen]] = False
            lost, farthest = is_lost.nonzero()[0], np.full(len(radii), self.radius)
            far_peaks = partial(self._far_peaks, search, claims.sites[is_seen])
            again = self._choose(search, lost, farthest, far_peaks)
            if len(again.sites):
                left = ~np.isin(claims.sources, again.sources) & ~np.isin(claims.sites, again.sites)
                claims = claims.select(left).joined(again)
        claims = claims.select(np.argsort(claims.sites))
        return claims.with_unseen(tracklets, expected, seen)

    def _choose(
        self,
        search: _Search,
        rows: IntArray,
        radii: IntArray,
        candidates: Callable[[IntArray, Near, FloatArray], NDArray[np.bool_]],
    ) -> Claims:
        """Let some tracklets, by falling score, choose a site each: the best that may be theirs and is free."""
        claims, (tracklets, expected, seen) = Claims.none(), search
        step = max(SITES_AT_ONCE // (2 * int(radii.max(initial=0)) + 1) ** 2, 1)  # large squares a few at a time
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            near = seen.near(tracklets.labels[some], expected[some], radii[some], tracklets.sizes[some])
            network = seen.scores[near.sites]
            may_be = candidates(some, near, network)
            cost = self.settings.nearness * tracklets.scores[some, None].astype(np.float64) * near.distances
            worth = np.where(may_be, network - cost, -inf)
            if start:
                worth[np.isin(near.sites, claims.sites)] = -inf
            chosen, which = a_site_for_each(worth, near.sites)
            found = Claims(near.sites[chosen, which], some[chosen], near.distances[chosen, which])
            claims = claims.joined(found)
        return claims

    def _candidates(
        self,
        search: _Search,
        rows: IntArray,
        near: Near,
        network: FloatArray,
    ) -> NDArray[np.bool_]:
        """Say which sites may be the objects: where one is seen, it must overlap the expected box."""
        may_be: NDArray[np.bool_] = near.within & (search.tracklets.scores[rows, None] > 0)
        if self.settings.min_iou > 0:
            row, step = np.nonzero(may_be & (network >= np.float32(self.score_threshold)))
            overlaps = _overlaps(search, near.sites[row, step], rows[row])
            may_be[row, step] = overlaps >= self.settings.min_iou
        return may_be

    def _far_peaks(
        self,
        search: _Search,
        taken: IntArray,
        rows: IntArray,
        near: Near,
        network: FloatArray,
    ) -> NDArray[np.bool_]:
        """Say which sites farther away than they were looked for are peaks that may be the objects.

        None is a peak beside a site that is `taken`: it is the flank, or the plateau, of what is seen there.
        """
        tracklets, expected, seen = search
        scores = tracklets.scores[rows]
        needed = np.maximum(np.float32(self.settings.second_chance) * scores, np.float32(self.score_threshold))
        may_be: NDArray[np.bool_] = near.within & (scores > 0)[:, None] & (network >= needed[:, None])
        row, step = np.nonzero(may_be)
        if not len(row):
            return may_be
        sites, sources = near.sites[row, step], rows[row]
        _, centres = seen.places(sites)
        radii = search_radii(tracklets.errors[sources], self.settings.least_radius, self.radius)
        is_far = np.abs(centres - expected[sources]).max(axis=1) > radii
        around = seen.beside(sites)
        beats = (seen.scores[around.sites] > seen.scores[sites, None]) | np.isin(around.sites, taken)
        is_peak = ~(around.within & beats).any(axis=1)
        overlaps = _overlaps(search, sites, sources)
        may_be[row, step] = is_far & is_peak & (overlaps >= self.settings.min_iou / 2)
        return may_be

    def balance(
        self, network: FloatArray, claims: Claims, tracklets: FollowedTracklets, area: ImageArea, /
    ) -> FloatArray:
        """Average the network's scores with the carried ones, as equations 5 and 6 do, at the claimed sites.

        The tracklet length has a ceiling, and the share of the past is less where the network sees little or the
        object leaves. Where it sees a detection, the carried score is drawn a little to the highest it had lately.
        No balanced score exceeds that highest one, or what the network sees.
        """
        settings, rows = self.settings, claims.sources
        values = network.astype(np.float64)
        scores = tracklets.scores[rows].astype(np.float64)
        weights = past_weights(np.minimum(tracklets.lengths[rows], settings.max_length), self.alpha, self.beta)
        weights *= support_factors(values, scores, settings.support, settings.decay)
        is_leaving = leaves(tracklets, area, settings.leaving_speed)[rows] & (values < scores)
        weights[is_leaving] *= settings.leaving
        boost = np.where(network >= np.float32(self.score_threshold), settings.boost, 0.0)
        targets = scores + boost * (tracklets.best[rows] - scores)
        weights[values > targets] *= settings.rising_weight
        return balance_at_once(network, targets, weights)

    def settle(self, seen: Evidence, network: FloatArray, claims: Claims) -> None:
        """Lower, in place, what stands around sites that were lowered, where it would become the peak instead.

        These are the 8 neighbours that the network sees no stronger than the site itself, except those of other
        tracklets.
        """
        if not self.settings.holds_peaks:
            return
        lowered = seen.scores[claims.sites] < network
        sites = claims.sites[lowered]
        near = seen.beside(sites)
        scores, least = seen.scores[near.sites], seen.scores[sites]
        row, step = np.nonzero(near.within & (scores <= network[lowered, None]) & (scores > least[:, None]))
        beside = near.sites[row, step]
        is_another, _ = claims.at(beside)
        np.minimum.at(seen.scores, beside[~is_another], least[row[~is_another]])

    def mix(self, network: FloatArray, sizes: FloatArray, sources: IntArray, tracklets: Tracklets) -> FloatArray:
        """Average the sizes by squared score, where the network's counts `trust` times as much.

        A network that sees an object as well as ever knows its size; one that hardly sees it does not. A trust of
        0 is equation 7.
        """
        own, past = network.astype(np.float64), tracklets.scores[sources].astype(np.float64)
        if self.settings.trust > 0:
            own, past = self.settings.trust * own**2, past**2
        return mix_sizes(own, sizes, past, inherit_sizes(tracklets.sizes, sources))

    def renew(
        self,
        found: Tracklets,
        network: Own,
        sources: IntArray,
        tracklets: FollowedTracklets,
        /,
    ) -> FollowedTracklets:
        """Add to a frame's detections how they move, for the next frame."""
        settings, scores = self.settings, network.scores
        count = len(sources)
        # In float64, and rounded once: an object is found where exact arithmetic finds it, also at ties.
        velocities = np.zeros((count, 2))
        errors = np.full(count, error_of_unknown(settings.least_radius, self.radius))
        best = scores.astype(np.float32)
        old = np.flatnonzero(sources >= 0)
        came = sources[old]
        is_seen = scores[old] >= np.float32(self.score_threshold)  # of less the network knows no place
        steps = found.centres[old] - tracklets.centres[came]
        past = tracklets.velocities[came].astype(np.float64)
        velocities[old] = np.where(is_seen[:, None], past + settings.velocity * (steps - past), past)
        expected = expected_centres(tracklets.centres, tracklets.velocities)[came]
        off = np.abs(found.centres[old] - expected).max(axis=1, initial=0)
        last = tracklets.errors[came].astype(np.float64)
        errors[old] = np.where(is_seen, last + 0.5 * (off - last), last)
        lately = tracklets.best[came].astype(np.float64)
        lately += settings.best_decay * (found.scores[old] - lately)
        best[old] = np.maximum(best[old], lately.astype(np.float32))
        return _with_motion(found, velocities.astype(np.float32), errors.astype(np.float32), best)

    def displace(self, tracklets: FollowedTracklets) -> FollowedTracklets:
        """Search as far for tracklets that were moved as for new ones: their place is known, but not exactly."""
        unknown = np.float32(error_of_unknown(self.settings.least_radius, self.radius))
        errors = np.maximum(tracklets.errors, unknown)
        return replace(tracklets, velocities=np.zeros_like(tracklets.velocities), errors=errors)


def _overlaps(search: _Search, sites: IntArray, sources: IntArray) -> DoubleArray:
    """Return by how much the box seen at each site overlaps the expected one of its tracklet."""
    tracklets, expected, seen = search
    _, centres = seen.places(sites)
    boxes = boxes_around(centres.astype(np.float32), seen.sizes(sites))
    return iou(boxes, boxes_around(expected.astype(np.float32), tracklets.sizes)[sources])


def _with_motion(
    tracklets: Tracklets, velocities: FloatArray, errors: FloatArray, best: FloatArray
) -> FollowedTracklets:
    rest = {item.name: getattr(tracklets, item.name) for item in fields(Tracklets)}
    return FollowedTracklets(velocities=velocities, errors=errors, best=best, **rest)


def expected_centres(centres: NDArray[Any], velocities: FloatArray) -> NDArray[Any]:
    """Return where each object is expected, x and y ``(N, 2)``: one step on, maybe outside of the map.

    A step is of whole cells where centres are.
    """
    steps: NDArray[Any] = np.rint(velocities).astype(np.int64) if centres.dtype.kind == "i" else velocities
    expected: NDArray[Any] = centres + steps
    return expected


def search_radii(errors: FloatArray, least: int, most: int) -> IntArray:
    """Return how many cells around its expected place each object is looked for, int64 ``(N,)``.

    >>> search_radii(np.array([0.0, 0.4, 0.5, 1.0, 7.0], np.float32), least=1, most=2).tolist()
    [1, 1, 2, 2, 2]
    """
    radii: IntArray = np.floor(least + errors.astype(np.float64) + 0.5).astype(np.int64)
    return np.minimum(radii, most)


def error_of_unknown(least: int, most: int) -> float:
    """Return the prediction error with which an object of unknown motion is looked for as far as any."""
    return float(max(most - least, 0))


def support_factors(network: DoubleArray, scores: DoubleArray, share: float, decay: float) -> DoubleArray:
    """Return by which the weight of the past is multiplied for what the network sees, float64 ``(M,)``.

    1 where the network sees at least `share` of the carried score, less below, and never less than `decay`.

    >>> support_factors(np.array([0.5, 0.09, 0.0]), np.array([0.8, 1.0, 0.8]), share=0.1, decay=0.8).round(3)
    array([1. , 0.9, 0.8])
    """
    needed = share * scores
    seen = np.divide(np.minimum(network, needed), needed, out=np.ones_like(network), where=needed > 0)
    return np.maximum(seen, decay)


def leaves(tracklets: FollowedTracklets, area: ImageArea, speed: float) -> NDArray[np.bool_]:
    """Say which objects are on their way out of the image: they reach its border, and move on at `speed`."""
    expected = expected_centres(tracklets.centres, tracklets.velocities)
    x1, y1, x2, y2 = boxes_around(expected.astype(np.float32), tracklets.sizes).T.astype(np.float64)
    vx, vy = tracklets.velocities.T.astype(np.float64)
    left, top, right, bottom = area  # in columns and rows, of which the last are right - 1 and bottom - 1
    sideways = ((x1 < left) & (vx < -speed)) | ((x2 > right - 1) & (vx > speed))
    upright = ((y1 < top) & (vy < -speed)) | ((y2 > bottom - 1) & (vy > speed))
    leaving: NDArray[np.bool_] = sideways | upright
    return leaving


def a_site_for_each(worth: DoubleArray, sites: IntArray) -> tuple[IntArray, IntArray]:
    """Let each object, row after row, take the best of its sites that is still free; a worth of -inf is none.

    Returns:
        The rows that have a site, and which of their sites it is.
    """
    rows = np.arange(len(worth) if worth.shape[1] else 0)
    if not len(rows):
        return rows, rows
    best = worth.argmax(axis=1)
    has = np.isfinite(worth[rows, best])
    wanted = sites[rows[has], best[has]]
    if len(set(wanted.tolist())) == len(wanted):
        return rows[has], best[has]
    taken: set[int] = set()
    for row in rows[has].tolist():
        has[row] = False
        for step in np.argsort(-worth[row], kind="stable").tolist():
            site = int(sites[row, step])
            if worth[row, step] == -inf:
                break
            if site not in taken:
                taken.add(site)
                best[row], has[row] = step, True
                break
    return rows[has], best[has]
