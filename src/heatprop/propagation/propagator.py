"""The propagator: remembers what the last frame of a video showed, and detects in the next with it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heatprop.boxes import boxes_around
from heatprop.errors import InvalidArrayError
from heatprop.heatmaps import Known
from heatprop.propagation.config import PropagationConfig, require_propagation
from heatprop.propagation.decoding import best_sites, detect
from heatprop.propagation.equations import inherit_lengths
from heatprop.propagation.evidence import Evidence, Form, ImageArea
from heatprop.propagation.grid_evidence import GridEvidence
from heatprop.propagation.identities import Identities, Sightings, identify
from heatprop.propagation.pyramid_evidence import PyramidEvidence
from heatprop.propagation.rule import Rule, rule_of
from heatprop.propagation.tracklets import Own, Tracklets
from heatprop.types import Detections, FloatArray, HeadOutput, IntArray, PyramidOutput


class Memory(NamedTuple):
    """What the frames of a video so far mean for the next.

    Attributes:
        tracklets: the tracklets; None before the first frame, and after a cut.
        form: of the evidence that they come from; None without it.
        identities: the objects that are known, also those out of sight.
        next_id: of the next object that is new.
    """

    tracklets: Tracklets | None = None
    form: Form | None = None
    identities: Identities | None = None
    next_id: int = 0

    @property
    def known_ids(self) -> IntArray:
        """Ids that a detection may have next, if it is not new; int64 ``(N,)``."""
        return np.empty(0, np.int64) if self.identities is None else self.identities.ids

    def forgotten(self, *, same_objects: bool = False) -> Memory:
        """Return what is left where propagation begins anew within a video.

        Args:
            same_objects: whether the objects out of sight may still be there; else no id comes back.
        """
        return Memory(identities=self.identities if same_objects else None, next_id=self.next_id)


class HeatmapPropagator:
    """Online heatmap propagation over the frames of one video: the paper's section 3.2.

    Feed it the network's output of each frame in order; it remembers the detections of the last one. Call
    `reset` before another video. It is not thread-safe: give each video its own.

    Args:
        config: the settings; None for the paper's.
        rule: how tracklets and what is seen are put together; None for what `config` says. With a rule of your
            own only the settings of `DecodingConfig` count.

    Example:
        An object seen for three frames is almost lost by the network in the fourth, and is kept.

        >>> def seen(score):
        ...     heatmap = np.zeros((1, 9, 9))
        ...     heatmap[0, 4, 4] = score
        ...     return HeadOutput(heatmap, np.full((2, 9, 9), 3.0))
        >>> propagator = HeatmapPropagator(PropagationConfig())
        >>> for score in (0.9, 0.9, 0.9, 0.1):
        ...     found = propagator.update(seen(score))
        >>> found.scores.round(3), found.lengths, found.track_ids
        (array([0.772], dtype=float32), array([4]), array([0]))
    """

    def __init__(self, config: PropagationConfig | None = None, rule: Rule | None = None) -> None:
        self.config = require_propagation(PropagationConfig() if config is None else config)
        self.rule: Rule = rule_of(self.config) if rule is None else rule
        self._memory = Memory()
        self._scratch = np.empty((0, 0, 0), np.float32)

    def reset(self) -> None:
        """Forget everything: the next frame is the first of a video, whose ids begin with 0."""
        self._memory = Memory()

    def forget(self) -> None:
        """Forget all objects, as at a cut: those to come are new, and no id comes back."""
        self._memory = self._memory.forgotten()

    @property
    def memory(self) -> Memory:
        """What the last frame hands to the next.

        Given to another propagator of the same settings, that one goes on where this one is, as a run that was
        stopped needs.
        """
        return self._memory

    @memory.setter
    def memory(self, memory: Memory) -> None:
        if memory.tracklets is not None and type(memory.tracklets) is not self.rule.tracklets:
            raise InvalidArrayError(
                "memory is that of another form of propagation; give it to a propagator of the same settings"
            )
        self._memory = memory

    def update(
        self,
        output: HeadOutput | PyramidOutput | Evidence,
        *,
        overwrite: bool = False,
        image_area: ImageArea | None = None,
    ) -> Detections:
        """Detect in the next frame, with what the last one showed.

        Args:
            output: the network's, for the frame; or other evidence, whose scores are always overwritten. That of
                several strides stays as it is.
            overwrite: whether `output.heatmap` may be changed, which spares copying it; one that is read-only is
                copied.
            image_area: left, top, right and bottom of the image on the output grid, in cells, where the network's
                input was padded; of a pyramid in pixels of the input; None for all of it. Adaptive propagation
                sees there who leaves.

        Returns:
            Boxes in cells of the output grid, of a pyramid in pixels of the network's input, or in what other
            evidence gives them in, by falling balanced score, with tracklet lengths and ids.

        Raises:
            InvalidArrayError: the heatmap leaves [0, 1] or holds NaN; a size or offset at a peak, or a
                size where a tracklet may be, is not finite; or classes, grid or form of the sizes differ
                from the last frame's. The state stays as it was.
        """
        rule, memory = self.rule, self._memory
        if isinstance(output, PyramidOutput):
            pyramid = PyramidEvidence(output)
            left, top, right, bottom = (0, 0, *output.input_size[::-1]) if image_area is None else image_area
            image_area = (left / pyramid.cell, top / pyramid.cell, right / pyramid.cell, bottom / pyramid.cell)
            output = pyramid
        seen = self._evidence(output, overwrite=overwrite) if isinstance(output, HeadOutput) else output
        if memory.form is not None and seen.form != memory.form:
            raise InvalidArrayError(
                f"(classes, height, width, size components) changed from {tuple(memory.form)} to "
                f"{tuple(seen.form)}; call reset() before another video"
            )
        tracklets = rule.tracklets.none(seen.form.components) if memory.tracklets is None else memory.tracklets
        claims = rule.claim(tracklets, seen)
        network = seen.read(claims.sites)
        whole = (0.0, 0.0, float(seen.form.width), float(seen.form.height))
        seen.scores[claims.sites] = rule.balance(
            network, claims, tracklets, whole if image_area is None else image_area
        )
        rule.settle(seen, network, claims)

        # Of equal peaks one stays: where the network's own score is highest, then the nearest to its tracklet.
        sites = best_sites(seen, self.config, rule.window, Known(claims.sites, network, claims.distances))
        claimed, row = claims.at(sites)
        sources = np.full(len(sites), -1)
        own = Own(seen.scores[sites], seen.sizes(sites))
        sizes = own.sizes.copy()
        sources[claimed] = claims.sources[row]
        own.scores[claimed] = network[row]
        sizes[claimed] = rule.mix(network[row], sizes[claimed], sources[claimed], tracklets)
        found = detect(seen, sites, sizes, self.config.nms_iou)

        own, sources = Own(own.scores[found.rows], own.sizes[found.rows]), sources[found.rows]
        lengths = inherit_lengths(tracklets.lengths, sources) + 1
        came_from = np.where(sources >= 0, tracklets.ids[sources], -1) if len(tracklets) else sources
        identities, next_id = identify(
            Identities.none() if memory.identities is None else memory.identities,
            Sightings(
                found.labels,
                boxes_around(found.centres.astype(np.float32), found.sizes),
                found.scores,
                own.scores,
                came_from,
            ),
            self.config.identity,
            memory.next_id,
        )
        ids = identities.ids[: len(sources)]
        new = Tracklets(found.labels, found.centres, found.scores, found.sizes, lengths, ids)
        handed = rule.renew(new, own, sources, tracklets)
        # Copies: the tracklets are nobody else's to change.
        detections = Detections(found.boxes, found.scores.copy(), found.labels.copy(), lengths.copy(), ids.copy())
        self._memory = Memory(handed, seen.form, identities, next_id)
        return detections

    def move(self, shifts: FloatArray, growth: FloatArray | None = None) -> None:
        """Move what the next frame is handed, where something other than the network knows of motion.

        Between key frames objects go further than `PropagationConfig.radius`. What leaves the grid is forgotten.

        Args:
            shifts: ``(N, 2)``, x and y in cells, for each detection of the last `update`, without those that an
                earlier `move` has let leave; rounded to whole cells where centres are cells.
            growth: by which their sizes are multiplied, ``(N,)``, each above 0; None for 1.

        Raises:
            InvalidArrayError: there are not as many rows as tracklets, or a number is not finite or leads
                to one that is not. The state stays as it was.
        """
        tracklets, form, identities, _ = self._memory
        count = 0 if tracklets is None else len(tracklets)
        growth = np.ones(count, np.float32) if growth is None else growth
        if shifts.shape != (count, 2) or growth.shape != (count,):
            raise InvalidArrayError(
                f"shifts are {shifts.shape} and growth {growth.shape}; they must be ({count}, 2) and "
                f"({count},), a row a detection"
            )
        if not np.isfinite(shifts).all() or not (np.isfinite(growth) & (growth > 0)).all():
            raise InvalidArrayError(
                "shifts are not finite, or growth is not above 0; give 0 and 1 for what has no known motion"
            )
        if tracklets is None or form is None or identities is None or not count:
            return
        sides = np.array([form.width, form.height])
        shifts = np.clip(shifts, -sides, sides)  # beyond the map it matters no more how far
        if tracklets.centres.dtype.kind == "i":
            shifts = np.rint(shifts).astype(np.int64)
        centres = tracklets.centres + shifts
        with np.errstate(over="ignore"):
            sizes = tracklets.sizes * growth[:, None].astype(np.float32)
        if not np.isfinite(sizes).all():
            raise InvalidArrayError("growth makes a size larger than float32 holds; give smaller numbers")
        stays: NDArray[np.bool_] = np.all((centres >= 0) & (centres < sides), axis=1)
        moved = self.rule.displace(replace(tracklets, centres=centres, sizes=sizes))
        self._memory = self._memory._replace(
            tracklets=moved.select(stays), identities=identities.moved(tracklets.ids, shifts, growth)
        )

    def _evidence(self, output: HeadOutput, *, overwrite: bool) -> GridEvidence:
        if overwrite and output.heatmap.flags.writeable:
            return GridEvidence(output)
        # Copied into an array that is kept: the pages of a new one would cost more than the copying.
        if self._scratch.shape != output.heatmap.shape:
            self._scratch = np.empty_like(output.heatmap)
        return GridEvidence(output, self._scratch)
