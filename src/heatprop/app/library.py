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

from heatprop.app.control import Control
from heatprop.app.kept_frames import DamagedRunError
from heatprop.app.run import Run
from heatprop.app.run_folder import AT_WORK, RUN_ID, Kind, RunFolder, RunRecord
from heatprop.app.truth import check_truth
from heatprop.app.tuner import Tuner
from heatprop.app.uploads import Uploads
from heatprop.backends import load_model
from heatprop.errors import HeatpropError, InvalidConfigError, OutputError
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
_NO_RUN = "there is no such run; it may have been deleted"


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

    Attributes:
        uploads: files that no run has yet.
        tuner: computes in the background.
        damaged: what is wrong with runs that cannot be read.

    Raises:
        BusyError: another server has it.
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path, max_upload: int) -> None:
        self._claim = Claim(path / ".heatprop.lock", path, make_folder=True)
        self._runs_folder = _private(path / "runs")
        self._runs: dict[str, Run] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._places = threading.Semaphore(_AT_ONCE)
        self._lock = threading.RLock()
        self.damaged: list[str] = []
        self.uploads = Uploads(_private(path / "uploads"), max_upload)
        self.tuner = Tuner()
        self._find()
        self.tuner.start()

    def _find(self) -> None:
        for path in sorted(self._runs_folder.iterdir()):
            if RUN_ID.fullmatch(path.name) is None:
                continue
            folder = RunFolder(path)
            if not folder.is_begun:  # the server was killed while it was begun or deleted
                folder.delete()
                continue
            try:
                record = folder.read()
            except DamagedRunError as error:
                self.damaged.append(str(error))
                continue
            run = self._runs[record.id] = Run(folder, record)
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
            raise UnknownRunError(_NO_RUN)
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
        folder = RunFolder(self._runs_folder / "".join(secrets.choice(_LETTERS) for _ in range(12)))
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
        thread = threading.Thread(target=self._work, args=(run, run.control), name="heatprop-run", daemon=True)
        self._threads[run.record.id] = thread
        thread.start()

    def _work(self, run: Run, control: Control) -> None:
        with self._places:
            if control.is_cancelled:
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
        with run.lock:
            _require(run, "running")
            run.control.pause()
            run.change(state="paused")

    def resume(self, run: Run) -> None:
        """Let a run go on: one that is paused, or was cut off.

        Raises:
            RunStateError: it is in no such state.
        """
        with run.lock:
            _require(run, "paused", "interrupted", "cancelled", "failed")
            if run.record.state == "paused":
                run.change(state="running")
                run.control.resume()
                return
            run.restart_control()
            run.change(state="queued")
        self._wait(run)
        self._start(run)

    def cancel(self, run: Run) -> None:
        """End a run; what was recorded stays.

        Raises:
            RunStateError: it is not at work.
        """
        with run.lock:
            _require(run, *AT_WORK)
            self._cancel(run)

    def _cancel(self, run: Run) -> None:
        with run.lock:
            run.control.cancel()
            if run.record.state == "queued":  # its thread waits for others, and then does nothing
                self._threads.pop(run.record.id, None)
                run.change(state="cancelled")

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
        """End a run and remove its files.

        Raises:
            UnknownRunError: it was deleted before.
        """
        with self._lock:
            if self._runs.pop(run.record.id, None) is None:
                raise UnknownRunError(_NO_RUN)
        with run.lock:
            run.is_gone = True
            self._cancel(run)
        self._wait(run)
        self.tuner.forget(run)
        run.close()
        run.folder.delete()

    def close(self) -> None:
        """End all runs, which can go on later, and let another server have the folder."""
        self.tuner.stop()
        for run in self.runs():
            if run.is_at_work:
                self._cancel(run)
                self._wait(run)
                with run.lock:
                    if run.record.state in (*AT_WORK, "cancelled"):  # not one that was done meanwhile
                        run.change(state="interrupted")
            run.save()
        self._claim.release()

    def _wait(self, run: Run) -> None:
        thread = self._threads.pop(run.record.id, None)
        if thread is not None:
            thread.join(30)


def _require(run: Run, *states: str) -> None:
    if run.is_gone:
        raise UnknownRunError(_NO_RUN)
    if run.record.state not in states:
        raise RunStateError(f"the run is {run.record.state}; that needs one that is {' or '.join(states)}")


def _private(folder: Path) -> Path:
    """Make a folder for its owner alone: addresses in it may have passwords."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot write there ({error.strerror}); choose another --folder") from None
    return folder
