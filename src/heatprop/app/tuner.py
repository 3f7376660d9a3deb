"""Tunings in the background: one thread computes what is wanted, the newest wish first, frame by frame."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from heatprop.app.run import Follower, Run
from heatprop.app.settings import ALONE
from heatprop.errors import HeatpropError

_WISHES = 4
_FRAMES_AT_ONCE = 4
_SECONDS_BETWEEN_REPORTS = 0.25


@dataclass(frozen=True, slots=True)
class TuningProgress:
    """How far a tuning is.

    Attributes:
        run: id of the run.
        key: of the tuning.
        frames: computed.
        total: of the run so far.
        done: whether all frames of a finished run are computed.
    """

    run: str
    key: str
    frames: int
    total: int
    done: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as the page takes it."""
        return {"run": self.run, "key": self.key, "frames": self.frames, "total": self.total, "done": self.done}


class Tuner:
    """Computes tunings of runs in a thread of its own."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._wishes: list[tuple[Run, Follower]] = []
        self._stopping = False
        self._guests = 0
        self._reports: dict[tuple[str, str], TuningProgress] = {}
        self._reported = 0.0
        self.version = 0
        self._thread = threading.Thread(target=self._work, name="heatprop-tuner", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the present frame."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(5)

    def want(self, run: Run, follower: Follower) -> None:
        """Compute a tuning before all others; those that were wanted longest ago are forgotten."""
        with self._changed:
            others = [(each, other) for each, other in self._wishes if other is not follower]
            self._wishes = [(run, follower), *others][:_WISHES]
            self._changed.notify_all()

    def forget(self, run: Run) -> None:
        """Compute nothing more of a run."""
        with self._changed:
            self._wishes = [each for each in self._wishes if each[0] is not run]
            self._reports = {key: each for key, each in self._reports.items() if key[0] != run.record.id}

    def wake(self) -> None:
        """Look for frames that were recorded."""
        with self._changed:
            self._changed.notify_all()

    def reports(self) -> list[TuningProgress]:
        """Return how far the tunings are that were wanted lately."""
        with self._changed:
            return list(self._reports.values())

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Compute nothing in the background meanwhile: somebody waits for an answer."""
        with self._changed:
            self._guests += 1
        try:
            yield
        finally:
            with self._changed:
                self._guests -= 1
                self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                task = None if self._guests else self._next()
                while task is None and not self._stopping:
                    self._changed.wait()
                    task = None if self._guests else self._next()
                if self._stopping or task is None:
                    return
            self._go_on(*task)

    def _next(self) -> tuple[Run, Follower] | None:
        self._wishes = [each for each in self._wishes if not each[1].found.is_closed]
        for run, follower in self._wishes:
            if len(follower.found) < run.frames or (not run.is_at_work and not follower.found.is_complete):
                return run, follower
        return None

    def _go_on(self, run: Run, follower: Follower) -> None:
        found = follower.found
        try:
            for number in range(len(found), min(run.frames, len(found) + _FRAMES_AT_ONCE)):
                follower.step(run.kept(number))
            if not run.is_at_work and len(found) >= run.frames:
                found.complete(follower.tuning.to_json())
        except (HeatpropError, IndexError):  # its run was begun again, or deleted; whoever asks is told
            with self._changed, suppress(ValueError):
                self._wishes.remove((run, follower))
            return
        self._report(run, follower)

    def _report(self, run: Run, follower: Follower) -> None:
        found, now = follower.found, monotonic()
        if not found.is_complete and now - self._reported < _SECONDS_BETWEEN_REPORTS:
            return
        self._reported = now
        is_alone = follower.tuning.propagation is None
        key = ALONE if is_alone else follower.tuning.key
        with self._changed:
            self._reports.pop((run.record.id, key), None)
            self._reports[run.record.id, key] = TuningProgress(
                run.record.id, key, len(found), run.frames, found.is_complete
            )
            while len(self._reports) > 2 * _WISHES:
                self._reports.pop(next(iter(self._reports)))
            self.version += 1
