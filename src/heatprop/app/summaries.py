"""Overviews of runs, brought up to date when they are asked for, and what is computed from them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from heatprop.app.kept_frames import CHUNK_FRAMES
from heatprop.app.library import Library, RunStateError
from heatprop.app.overview import Overview
from heatprop.app.replay import OutputForm
from heatprop.app.run import FILE_KEY, Run
from heatprop.app.score_curve import boxes_over_time, curve_to_json, network_score, sightings, window_of
from heatprop.app.settings import alone_key
from heatprop.app.truth import read_truth, scored
from heatprop.app.views import UnknownKeyError, found_between, full_key, tuning_of_key
from heatprop.types import Detections

_KEPT = 8


class Summaries:
    """The overviews that were asked for last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._overviews: OrderedDict[tuple[str, float, str], Overview] = OrderedDict()
        self._truth_lock = threading.Lock()
        self._truth: tuple[tuple[str, float, str | None], Any] | None = None

    def overview(self, library: Library, run: Run, key: str) -> Overview:
        """Return the overview of a key, as far as its detections are computed.

        Raises:
            UnknownKeyError: nothing was tuned that has this key.
            DamagedRunError: a file of the run is damaged.
        """
        key = full_key(run, key)
        place = (run.record.id, run.begun, key)
        with self._lock:
            overview = self._overviews.setdefault(place, Overview())
            self._overviews.move_to_end(place)
            while len(self._overviews) > _KEPT:
                self._overviews.popitem(last=False)
            try:
                self._go_on(library, run, key, overview)
            except BaseException:
                del self._overviews[place]
                raise
        return overview

    def truth(self, library: Library, run: Run, key: str) -> dict[str, Any]:
        """Return how good the detections of a key are, beside the network alone; nothing before all are computed.

        Raises:
            RunStateError: the run has no annotations, or is at work.
            HeatpropError: they cannot be read, or do not fit.
        """
        if run.record.truth is None:
            raise RunStateError("the run has no annotations; name them to see average precision")
        if run.is_at_work:
            raise RunStateError(f"the run is {run.record.state}; it is scored when it has ended")
        key = full_key(run, key)
        tuning = tuning_of_key(run, key)
        sides = {"propagated": key}
        if tuning is not None:
            sides["alone"] = alone_key(tuning.score_threshold)
        with self._truth_lock:
            place = (run.record.id, run.begun, run.record.truth)
            if self._truth is None or self._truth[0] != place:
                self._truth = place, read_truth(run.record, run.frames)
            scores: dict[str, dict[str, Any]] = {}
            for side, each in sides.items():
                found = list(_whole(library, run, each))
                if len(found) < run.frames:
                    return {"done": False}
                scores[side] = scored(self._truth[1], run.record.labels, found)
        names = next(iter(scores.values()))
        by_name = {name: {side: scores[side][name] for side in scores} for name in names}
        threshold = None if tuning is None else tuning.score_threshold
        return {**by_name, "frames": run.frames, "threshold": threshold, "done": True}

    def _go_on(self, library: Library, run: Run, key: str, overview: Overview) -> None:
        alone = None if key == FILE_KEY else alone_key_of(run, key)
        while True:
            start = overview.frames
            stop = start - start % CHUNK_FRAMES + CHUNK_FRAMES
            propagated = found_between(library, run, key, start, stop)
            others = [None] * len(propagated) if alone is None else found_between(library, run, alone, start, stop)
            for other, each in zip(others, propagated, strict=False):
                if each is None or (other is None and alone is not None):
                    return
                overview.add(other, each)
            if overview.frames < stop:
                return


def _whole(library: Library, run: Run, key: str) -> Iterator[tuple[int, Detections]]:
    """Yield number and detections of the frames up to the first that is not ready."""
    for start in range(0, run.frames, CHUNK_FRAMES):
        for number, found in enumerate(found_between(library, run, key, start, start + CHUNK_FRAMES), start):
            if found is None:
                return
            yield number, found


def alone_key_of(run: Run, key: str) -> str:
    """Return the key of the network alone at the threshold of another key.

    Raises:
        UnknownKeyError: nothing was tuned that has this key, or the run has no outputs of the network.
    """
    tuning = tuning_of_key(run, key)
    if tuning is None:
        raise UnknownKeyError("a file of results has no outputs of the network alone")
    return alone_key(tuning.score_threshold)


def overview_to_json(overview: Overview, run: Run) -> dict[str, Any]:
    """Return an overview as the page takes it."""
    return {**overview.to_json(), "done": not run.is_at_work and overview.frames >= run.frames}


def curve_of(library: Library, run: Run, overview: Overview, *, key: str, number: int, at: int) -> dict[str, Any]:
    """Return the scores of an object over time: of the frames in which it is, those around `at`.

    Raises:
        UnknownKeyError: no object has this id.
    """
    shown = overview.objects.get(number)
    if shown is None:
        raise UnknownKeyError(f"no object has the id {number} in these detections")
    start, stop = window_of(shown.spans[0][0], shown.spans[-1][1], at, overview.frames)
    found = found_between(library, run, key, start, stop)
    seen = sightings(enumerate(found, start), number)
    if not seen or not run.record.is_tunable:
        return curve_to_json(start, [None] * (stop - start), seen)
    form = OutputForm.of(run.record)
    boxes = boxes_over_time(seen, start, stop)
    network = [
        network_score(run.kept(frame), box, shown.label, form)
        for frame, box in zip(range(start, stop), boxes, strict=True)
    ]
    return {**curve_to_json(start, network, seen), "label": shown.label}
