"""All runs of a folder: begun, kept, and found again when the server starts."""

from __future__ import annotations

import secrets
import string
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heatprop.app.kept_frames import DamagedRunError
from heatprop.app.run import Run
from heatprop.app.run_folder import RUN_ID, Kind, RunFolder, RunRecord
from heatprop.app.truth import check_truth
from heatprop.app.tuner import Tuner
from heatprop.app.uploads import Uploads
from heatprop.backends import load_model
from heatprop.errors import HeatpropError, InvalidConfigError
from heatprop.io.addresses import shown
from heatprop.io.claims import Claim
from heatprop.io.names import may_be_wrong
from heatprop.io.opening import open_video
from heatprop.io.results import read_results
from heatprop.layouts import AUTO
from heatprop.runtime.wanted_classes import numbers_of
from heatprop.structuring import structure

_AT_ONCE = 2
_LETTERS = string.ascii_lowercase + string.digits
_RESULTS = (".jsonl", ".ndjson")


class UnknownRunError(HeatpropError, LookupError):
    """There is no such run."""


class RunStateError(HeatpropError):
    """A run is in no state for what was asked."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a new run is asked to be; see `RunRecord`.

    Attributes:
        source: name of a source; None with an upload.
        upload: id of an upload; None with a source.
        name: for people; empty for that of the source.
    """

    source: str | None = None
    upload: str | None = None
    name: str = ""
    model: str = "mb3-coco"
    classes: tuple[str | int, ...] = ()
    input_size: int | None = None
    layout: str = AUTO
    class_names: tuple[str, ...] | None = None
    truth: str | None = None


class Library:
    """The runs of a folder. One server at a time has it.

    Args:
        path: of the folder; it is made.
        max_upload: bytes.

    Raises:
        BusyError: another server has it.
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path, max_upload: int) -> None:
        self._claim = Claim(path / ".heatprop.lock", path, make_folder=True)
        self._path = path
        self._runs: dict[str, Run] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._places = threading.Semaphore(_AT_ONCE)
        self._lock = threading.RLock()
        self.uploads = Uploads(path / "uploads", max_upload)
        self.tuner = Tuner()
        self._find()
        self.tuner.start()

    def _find(self) -> None:
        for folder in sorted((self._path / "runs").glob("*")):
            if RUN_ID.fullmatch(folder.name) is None:
                continue
            try:
                record = RunFolder(folder).read()
            except DamagedRunError:
                continue
            run = self._runs[record.id] = Run(RunFolder(folder), record)
            if run.is_at_work:
                run.change(state="interrupted")

    def runs(self) -> list[Run]:
        """Return all runs, the newest first."""
        with self._lock:
            return sorted(self._runs.values(), key=lambda run: -run.record.created)

    def get(self, run_id: str) -> Run:
        """Return a run.

        Raises:
            UnknownRunError: there is none.
        """
        run = self._runs.get(run_id)
        if run is None:
            raise UnknownRunError("there is no such run; it may have been deleted")
        return run

    def source_of(self, run: Run) -> str:
        """Return what the frames of a run were read from."""
        record = run.record
        return str(run.folder.path / record.source) if record.is_upload else record.source

    def begin(self, asked: Mapping[str, Any]) -> Run:
        """Begin a run.

        Raises:
            HeatpropError: the request is bad; nothing is begun.
        """
        request = structure(RunRequest, asked, "", "toml")
        if (request.source is None) == (request.upload is None):
            raise InvalidConfigError("give a source or an upload, and not both")
        folder = RunFolder(self._path / "runs" / "".join(secrets.choice(_LETTERS) for _ in range(12)))
        record = self._record(request, folder)
        folder.path.mkdir(parents=True)
        try:
            if request.upload is not None:
                self.uploads.take(request.upload, folder.path / record.source)
            folder.write(record)
        except BaseException:
            folder.delete()
            raise
        run = Run(folder, record)
        with self._lock:
            self._runs[record.id] = run
        self._start(run)
        return run

    def _record(self, request: RunRequest, folder: RunFolder) -> RunRecord:
        """Return what a run is to be; a wrong source or model is told here."""
        if request.upload is not None:
            path, name = self.uploads.find(request.upload)
            source, place = f"source{path.suffix}", str(path)
        else:
            source = place = (request.source or "").strip()
            name = shown(source) if "://" in source else Path(source).name or source
            if not source:
                raise InvalidConfigError(
                    "the source is empty; name a file, an address or a camera, such as camera:0"
                )
        if request.truth:
            check_truth(request.truth)
        kind: Kind = "results" if Path(place).suffix.lower() in _RESULTS else "video"
        if kind == "results":
            read_results(place)
        else:
            if may_be_wrong(place) or request.upload is not None:
                open_video(place).close()
            card = load_model(
                request.model,
                input_size=request.input_size,
                layout=request.layout,
                classes=request.class_names,
            ).card
            if request.classes:
                numbers_of(request.classes, card.classes)
        return RunRecord(
            folder.path.name,
            request.name.strip() or name,
            source,
            request.upload is not None,
            kind,
            request.model,
            tuple(map(str, request.classes)),
            request.input_size,
            request.layout,
            request.class_names,
            request.truth or None,
            time.time(),
        )

    def _start(self, run: Run) -> None:
        run.change(state="queued")
        thread = threading.Thread(target=self._work, args=(run,), name="heatprop-run", daemon=True)
        self._threads[run.record.id] = thread
        thread.start()

    def _work(self, run: Run) -> None:
        with self._places:
            if run.control.is_cancelled:
                run.change(state="cancelled")
                return
            is_wanted = False

            def on_frame() -> None:
                nonlocal is_wanted
                if not is_wanted and run.record.labels:
                    is_wanted = True
                    self.want_all(run)
                self.tuner.wake()

            run.work(on_frame)

    def want_all(self, run: Run) -> None:
        """Compute, in the background, what a page shows of a run first."""
        if not run.record.is_tunable:
            return
        for key in (run.default_key, "alone-0.05"):
            follower = run.follower(key) or run.follow_settings()
            self.tuner.want(run, follower)

    def pause(self, run: Run) -> None:
        """Let a run wait.

        Raises:
            RunStateError: it is not running.
        """
        self._require(run, "running")
        run.control.pause()
        run.change(state="paused")

    def resume(self, run: Run) -> None:
        """Let a run go on: one that is paused, or was cut off.

        Raises:
            RunStateError: it is in no such state.
        """
        self._require(run, "paused", "interrupted", "cancelled", "failed")
        if run.record.state == "paused":
            run.change(state="running")
            run.control.resume()
            return
        self._wait(run)
        run.restart_control()
        self._start(run)

    def cancel(self, run: Run) -> None:
        """End a run; what was recorded stays.

        Raises:
            RunStateError: it is not at work.
        """
        self._require(run, "queued", "running", "paused")
        run.control.cancel()

    def rename(self, run: Run, name: str) -> None:
        """Give a run another name for people.

        Raises:
            InvalidConfigError: it is empty or very long.
        """
        name = " ".join(name.split())
        if not 0 < len(name) <= 200:
            raise InvalidConfigError("a name has 1 to 200 characters")
        run.change(name=name)

    def annotate(self, run: Run, path: str | None) -> None:
        """Name the annotations of a run's video; None for none.

        Raises:
            InvalidConfigError: they are not there, or of no known kind.
        """
        if path is not None:
            check_truth(path)
        run.change(truth=path)

    def delete(self, run: Run) -> None:
        """End a run and remove its files."""
        run.control.cancel()
        with self._lock:
            self._runs.pop(run.record.id, None)
        self._wait(run)
        self.tuner.forget(run)
        run.close()
        run.folder.delete()

    def close(self) -> None:
        """End all runs, which can go on later, and let another server have the folder."""
        self.tuner.stop()
        for run in self.runs():
            if run.is_at_work:
                run.control.cancel()
                self._wait(run)
                run.change(state="interrupted")
            run.save()
        self._claim.release()

    def _require(self, run: Run, *states: str) -> None:
        if run.record.state not in states:
            raise RunStateError(f"the run is {run.record.state}; that needs one that is {' or '.join(states)}")

    def _wait(self, run: Run) -> None:
        thread = self._threads.pop(run.record.id, None)
        if thread is not None:
            thread.join(30)
