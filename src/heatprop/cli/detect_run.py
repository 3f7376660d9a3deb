"""The run of `heatprop detect`: one stream of all sources, a job for each, and one voice for all."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from time import perf_counter

from heatprop.cli.detect_job import Job, Outcome
from heatprop.cli.detect_request import Request
from heatprop.cli.messages import error, say
from heatprop.cli.progress import SourcesProgress
from heatprop.errors import HeatpropError
from heatprop.interrupts import Interrupted, check, pending
from heatprop.io.names import live_by_name
from heatprop.runtime.detector import VideoDetector
from heatprop.runtime.multi_stream import AT_ONCE


def run_jobs(
    requests: Sequence[Request],
    detector: VideoDetector,
    *,
    is_list: bool,
    quiet: bool,
    hides_bar: bool,
    notes: Sequence[str] = (),
) -> int:
    """Do several requests, or one: `AT_ONCE` files at a time, and live sources all at once.

    One that is refused or fails does not end the others. When interrupted, all stop between two frames and keep
    what is finished; a source that is still being opened is not waited for.

    Args:
        requests: what is wanted.
        detector: serves all.
        is_list: whether a total is said besides: there are several sources, or could be.
        quiet: say nothing but errors, and what was cut short.
        hides_bar: show no progress.
        notes: what is worth knowing of how the sources were found; said at the end.

    Returns:
        The exit code: 0, 1 when some failed, 2 when all were refused, 130 or 143 when interrupted.

    Raises:
        BaseException: a fault in heatprop itself, after the others have ended.
    """
    started = perf_counter()
    voice = _Voice(quiet, is_list=is_list)
    outcomes, fault = do_jobs(requests, detector, notify=voice.note, tell=voice.tell, hides_bar=hides_bar)
    exit_code = voice.total(outcomes, len(requests), perf_counter() - started, notes)
    if fault is not None:
        raise fault
    return exit_code


def do_jobs(
    requests: Sequence[Request],
    detector: VideoDetector,
    *,
    notify: Callable[[str], None],
    tell: Callable[[Outcome], None],
    hides_bar: bool,
) -> tuple[list[Outcome], BaseException | None]:
    """Do requests as `run_jobs` does, and leave it to the caller to say how it went.

    Args:
        requests: what is wanted.
        detector: serves all.
        notify: says a line to the user.
        tell: is told how each ended, when it has, from several threads.
        hides_bar: show no progress.

    Returns:
        How those ended that were begun or refused, and a fault in heatprop itself.
    """
    with SourcesProgress(quiet=hides_bar) as progress:
        places = threading.Semaphore(AT_ONCE)
        jobs = [Job(request, detector, progress, notify=notify, tell=tell, places=places) for request in requests]
        results = detector.stream_all(
            [request.open for request in requests],
            [job.timings for job in jobs],
            alone=any(request.drawing.compare for request in requests),
            at_once=AT_ONCE,
            live=live_by_name([request.source for request in requests]),
            on_open=lambda number, video, give_up: jobs[number].open(video, give_up),
            on_end=lambda number, error: jobs[number].end(error),
        )
        fault: BaseException | None = None
        try:
            with closing(results):
                for result in results:
                    jobs[result.source].take(result)
                    check()
        except BaseException as error:
            fault = None if isinstance(error, Interrupted) else error
            for job in jobs:
                job.stop(error)
        for job in jobs:
            job.wait()
    return [job.outcome for job in jobs if job.outcome is not None], fault


class _Voice:
    """Says what there is to say, from several threads: a line once, and the lines of a summary together."""

    def __init__(self, quiet: bool, *, is_list: bool) -> None:
        self._quiet, self._is_list = quiet, is_list
        self._told: set[str] = set()
        self._lock = threading.Lock()

    def note(self, line: str) -> None:
        """Say a line, unless it was said."""
        with self._lock:
            if line not in self._told and not self._quiet:
                self._told.add(line)
                say(line)

    def tell(self, outcome: Outcome) -> None:
        """Say how a job ended."""
        with self._lock:
            if outcome.summary is not None and not self._quiet:
                for line in outcome.summary.lines():
                    say(line)
            if outcome.summary is not None and isinstance(outcome.reason, Interrupted) and self._is_list:
                # Also when quiet: nothing else tells it from a whole one.
                say(f"heatprop: {outcome.summary.name}: cut short by the interrupt")
            for problem in [outcome.reason, *outcome.problems]:
                if isinstance(problem, HeatpropError) or (outcome.was_begun and isinstance(problem, OSError)):
                    error(problem)

    def total(self, outcomes: Sequence[Outcome], jobs: int, seconds: float, notes: Sequence[str]) -> int:
        """Say how it went in all, and return the exit code.

        Raises:
            BaseException: a fault of heatprop.
        """
        frames = sum(outcome.frames for outcome in outcomes)
        kinds = Counter(_kind_of(outcome) for outcome in outcomes)
        failed = kinds["refused"] + kinds["failed"] + kinds["fault"]
        if not self._quiet and self._is_list:
            fps = frames / seconds if seconds > 0 else 0.0
            counts = {"failed": failed, "not begun": jobs - len(outcomes)}
            rest = "".join(f", {count:,} {what}" for what, count in counts.items() if count)
            if frames:
                say(f"{jobs:,} sources: {frames:,} frames in {seconds:.1f} s, {fps:.1f} fps{rest}")
            for note in notes:
                say(f"  note     {note}")
        for outcome in outcomes:
            if outcome.reason is not None and _kind_of(outcome) == "fault":
                raise outcome.reason
        if (interrupted := pending()) is not None:
            # Also when quiet: it is why there is less than was asked for.
            say(f"heatprop: interrupted; {'what was finished is kept' if frames else 'nothing is written'}")
            return interrupted.exit_code
        if kinds["refused"] == jobs:
            return 2
        return 1 if failed else 0


def _kind_of(outcome: Outcome) -> str:
    match outcome.reason:
        case HeatpropError() if not outcome.was_begun:
            return "refused"
        case HeatpropError():
            return "failed"
        case BrokenPipeError():  # whoever reads has read enough
            return "done"
        case OSError() if outcome.was_begun:
            return "failed"
        case None | Interrupted():
            return "failed" if outcome.problems else "done"
        case _:
            return "fault"
