"""`heatprop detect` with several sources: jobs in threads, one detector, and one voice for all."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, Queue
from time import perf_counter

from heatprop.cli.detect_job import DetectJob, Host, Outcome
from heatprop.cli.messages import error, say
from heatprop.cli.progress import SourcesProgress
from heatprop.detector import VideoDetector
from heatprop.errors import HeatpropError
from heatprop.interrupts import Interrupted, check, pending, shielded
from heatprop.io import SourceInfo
from heatprop.multi_stream import is_live_by_name

FILES_AT_ONCE = 4

_SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True, slots=True)
class _Opened:
    is_live: bool


@dataclass(frozen=True, slots=True)
class _Ended:
    was_opened: bool
    is_cut_short: bool
    outcome: Outcome | None = None
    error: BaseException | None = None


class _Crew:
    """The threads: one for each live source, and `FILES_AT_ONCE` that take one file after another.

    They are daemons: one that waits in vain for a source to open, or for its next frame, must not hold up the end.

    Attributes:
        events: what happens, for the main thread: something is opened, a line to say, something has ended.
    """

    def __init__(self, jobs: Sequence[DetectJob], detector: VideoDetector, progress: SourcesProgress) -> None:
        self.events: Queue[_Opened | str | _Ended] = Queue()
        self._detector, self._progress = detector, progress
        live = [job for job in jobs if is_live_by_name(job.source)]
        self._live = {id(job) for job in live}
        self._files = deque(job for job in jobs if id(job) not in self._live)
        for job in live:
            threading.Thread(target=self._do, args=(job,), name="heatprop-job", daemon=True).start()
        for _ in range(min(FILES_AT_ONCE, len(self._files))):
            self.add_hand()

    def add_hand(self) -> None:
        """Begin one more thread for files."""
        threading.Thread(target=self._work, name="heatprop-job", daemon=True).start()

    def _work(self) -> None:
        with suppress(IndexError):
            while pending() is None:
                if self._do(self._files.popleft()):
                    return  # it was live: when it opened, another thread took over the files

    def _do(self, job: DetectJob) -> bool:
        """Do a job, and return whether it was unexpectedly live."""
        was_opened = is_unexpected = False

        def opened(info: SourceInfo) -> None:
            nonlocal was_opened, is_unexpected
            is_unexpected = info.is_live and id(job) not in self._live
            self.events.put(_Opened(is_unexpected))
            was_opened = True
            # After that was told: from here on it is waited for.
            check()

        try:
            host = Host(lambda: self._detector, self._progress.frames, self.events.put, opened)
            outcome = job.run(host)
            ended = _Ended(was_opened, outcome.exit_code > 128, outcome=outcome)
        except BaseException as problem:
            ended = _Ended(was_opened, isinstance(problem, Interrupted), error=problem)
        self.events.put(ended)
        return is_unexpected


@dataclass(slots=True)
class _Tally:
    """What came of the jobs so far; says it, too."""

    quiet: bool
    frames: int = 0
    ended: int = 0
    refused: int = 0
    failed: int = 0
    faults: list[BaseException] = field(default_factory=list)

    def count(self, event: _Ended) -> None:
        """Count a job that has ended, and say what there is to say of it."""
        self.ended += 1
        if event.outcome is not None:
            self._tell(event.outcome, is_cut_short=event.is_cut_short)
        elif isinstance(event.error, HeatpropError):
            self.refused += 1
            error(event.error)
        elif not isinstance(event.error, Interrupted) and event.error is not None:
            self.faults.append(event.error)

    def _tell(self, outcome: Outcome, *, is_cut_short: bool) -> None:
        self.frames += outcome.frames
        self.failed += bool(outcome.problems)
        if outcome.summary is not None and not self.quiet:
            for line in outcome.summary.lines():
                say(line)
        if outcome.summary is not None and is_cut_short:
            # Also when quiet: nothing else tells it from a whole one.
            say(f"heatprop: {outcome.summary.name}: cut short by the interrupt")
        for problem in outcome.problems:
            error(problem)


def run_jobs(jobs: Sequence[DetectJob], detector: VideoDetector, *, quiet: bool, notes: Sequence[str] = ()) -> int:
    """Do several jobs: at most `FILES_AT_ONCE` files at a time, and live sources all at once.

    One that is refused or fails does not end the others. When interrupted, all stop between two frames and keep
    what is finished; a source that is still being opened is not waited for.

    Args:
        jobs: at least two.
        detector: serves all.
        quiet: say nothing but errors.
        notes: what is worth knowing of how the sources were found; said at the end.

    Returns:
        The exit code: 0, 1 when some failed, 2 when all were refused, 130 or 143 when interrupted.

    Raises:
        BaseException: a fault in heatprop itself, after the others have ended.
    """
    started = perf_counter()
    tally = _Tally(quiet)
    is_open = 0
    told: set[str] = set()
    with shielded(), SourcesProgress(quiet=quiet) as progress:
        crew = _Crew(jobs, detector, progress)
        while tally.ended < len(jobs):
            is_interrupted = pending() is not None
            try:
                event = crew.events.get(timeout=_SECONDS_BETWEEN_LOOKS)
            except Empty:
                if is_interrupted and not is_open:
                    break
                continue
            match event:
                case _Opened():
                    is_open += 1
                    if event.is_live:
                        crew.add_hand()
                case _Ended():
                    is_open -= event.was_opened
                    tally.count(event)
                case _ if event not in told and not quiet:
                    told.add(event)
                    say(event)
    if not quiet:
        _say_total(len(jobs), tally, perf_counter() - started, notes)
    if tally.faults:
        raise tally.faults[0]
    interrupted = pending()
    if interrupted is not None:
        if not quiet:
            kept = "what was finished is kept" if tally.frames else "nothing is written"
            say(f"heatprop: interrupted; {kept}")
        return interrupted.exit_code
    if tally.refused == len(jobs):
        return 2
    return 1 if tally.refused or tally.failed else 0


def _say_total(jobs: int, tally: _Tally, seconds: float, notes: Sequence[str]) -> None:
    fps = tally.frames / seconds if seconds > 0 else 0.0
    counts = {"failed": tally.refused + tally.failed + len(tally.faults), "not begun": jobs - tally.ended}
    rest = "".join(f", {count:,} {what}" for what, count in counts.items() if count)
    if tally.frames:
        say(f"{jobs:,} sources: {tally.frames:,} frames in {seconds:.1f} s, {fps:.1f} fps{rest}")
    for note in notes:
        say(f"  note     {note}")
