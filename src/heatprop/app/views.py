"""Detections of a run by their key: a tuning, the network alone at a threshold, or a file of results."""

from __future__ import annotations

from heatprop.app.library import Library
from heatprop.app.replay import shown
from heatprop.app.run import FILE_KEY, Run
from heatprop.app.settings import ALONE, Tuning, alone_key, threshold_of, tuning_of
from heatprop.errors import HeatpropError
from heatprop.types import Detections


class UnknownKeyError(HeatpropError, LookupError):
    """There are no detections of such a key."""


def full_key(run: Run, key: str) -> str:
    """Return the key that is meant: "alone" is the network alone at the threshold of the run's settings."""
    if key == ALONE:
        return alone_key(float(run.record.settings["score_threshold"]))
    return key or run.default_key


def tuning_of_key(run: Run, key: str) -> Tuning | None:
    """Return what detections of a key are made with; None for those of a file of results.

    Raises:
        UnknownKeyError: nothing was tuned that has this key.
    """
    threshold = threshold_of(key)
    if threshold is not None:
        return Tuning(None, threshold)
    if not run.record.is_tunable:
        return None
    follower = run.follower(key)
    if follower is not None:
        return follower.tuning
    if key != run.default_key:
        raise UnknownKeyError(f"there are no detections of the key {key[:40]!r}; tune the run first")
    return tuning_of(run.record.settings)


def found_between(library: Library, run: Run, key: str, start: int, stop: int) -> list[Detections | None]:
    """Return the detections in frames from `start` up to `stop`; None for one that is not ready.

    What is not ready is computed from now on, in the background.

    Raises:
        UnknownKeyError: nothing was tuned that has this key.
        DamagedRunError: a file of the run is damaged.
    """
    key = full_key(run, key)
    run.index()
    stop = min(stop, run.frames)
    if key == FILE_KEY and not run.record.is_tunable:
        outputs = [run.kept(number).output for number in range(start, stop)]
        return [output if isinstance(output, Detections) else None for output in outputs]
    follower = run.follower(key) if run.record.labels and run.record.is_tunable else None
    if follower is None and key == run.default_key and run.record.labels:
        follower = run.follow_settings()
    if follower is None:
        if not run.record.labels:
            return [None] * max(stop - start, 0)
        raise UnknownKeyError(f"there are no detections of the key {key[:40]!r}; tune the run first")
    if len(follower.found) < stop or not follower.found.is_complete:
        library.tuner.want(run, follower)
    found = follower.found.read(start, stop)
    threshold = threshold_of(key)
    if threshold is None:
        return found
    return [None if each is None else shown(each, threshold) for each in found]
