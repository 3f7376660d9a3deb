"""Exports: made in threads, one after the other, and kept until the run is deleted or the server starts anew."""

from __future__ import annotations

import re
import secrets
import shutil
import string
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import sleep
from typing import Any

from heatprop.app.export_files import (
    Facts,
    Numbered,
    WriteFile,
    write_coco,
    write_csv,
    write_json_lines,
    write_mot,
    write_parquet,
)
from heatprop.app.export_videos import View, drawn, write_video
from heatprop.app.headers import header_of
from heatprop.app.kept_frames import CHUNK_FRAMES
from heatprop.app.library import Library, RunStateError
from heatprop.app.proxy import read_frames
from heatprop.app.run import Run
from heatprop.app.summaries import alone_key_of
from heatprop.app.views import found_between, full_key, tuning_of_key
from heatprop.errors import HeatpropError, InvalidConfigError
from heatprop.types import Detections

VIDEOS = {"mp4": ".mp4", "gif": ".gif"}
TABLES: dict[str, tuple[str, WriteFile]] = {
    "jsonl": (".jsonl", write_json_lines),
    "csv": (".csv", write_csv),
    "parquet": (".parquet", write_parquet),
    "coco": (".json", write_coco),
    "mot": (".txt", write_mot),
}
FORMATS = (*VIDEOS, *TABLES)
_LONGEST_GIF = 750
_JOBS_KEPT = 50
_SECONDS_BETWEEN_LOOKS = 0.05
_LETTERS = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What shall be exported.

    Attributes:
        format: one of `FORMATS`.
        key: of the detections; empty for those that are shown first.
        start: first frame.
        stop: the frame after the last.
        view: what a video shows.
    """

    format: str
    key: str
    start: int
    stop: int
    view: View


@dataclass(frozen=True, slots=True)
class Job:
    """An export and how far it is.

    Attributes:
        id: of the job.
        run: id of the run.
        path: the file.
        done: frames.
        total: frames.
        error: why it failed.
        is_ready: whether the file is whole.
    """

    id: str
    run: str
    path: Path
    done: int
    total: int
    error: str | None = None
    is_ready: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as the page takes it."""
        url = f"/api/exports/{self.id}/{self.path.name}" if self.is_ready else None
        return {
            "job": self.id,
            "run": self.run,
            "done": self.done,
            "total": self.total,
            "error": self.error,
            "url": url,
        }


class UnknownExportError(HeatpropError, LookupError):
    """There is no such export."""


class StoppedError(Exception):
    """The run was begun again, or the server ends."""


class Exports:
    """The exports of a server.

    Args:
        library: the runs.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._jobs: dict[str, Job] = {}
        self._one_at_a_time, self._lock = threading.Lock(), threading.Lock()
        self._stopping = False
        for run in library.runs():
            run.folder.delete_parts(["exports"])

    def jobs(self) -> list[Job]:
        """Return the newest jobs."""
        with self._lock:
            return list(self._jobs.values())

    def file(self, job: str, name: str) -> Path:
        """Return the file of a job that is ready.

        Raises:
            UnknownExportError: there is none.
        """
        found = self._jobs.get(job)
        if found is None or not found.is_ready or found.path.name != name or not found.path.is_file():
            raise UnknownExportError("there is no such file; export it again")
        return found.path

    def begin(self, run: Run, asked: ExportRequest) -> Job:
        """Begin an export.

        Raises:
            RunStateError: the run is at work.
        """
        if run.is_at_work or not run.frames:
            raise RunStateError(f"the run is {run.record.state}; it can be exported when it has ended")
        number = "".join(secrets.choice(_LETTERS) for _ in range(12))
        suffix = VIDEOS[asked.format] if asked.format in VIDEOS else TABLES[asked.format][0]
        path = run.folder.exports / number / f"{file_stem(run.record.name)}{suffix}"
        job = Job(number, run.record.id, path, 0, asked.stop - asked.start)
        with self._lock:
            self._jobs[number] = job
            old = [self._jobs.pop(each) for each in list(self._jobs)[:-_JOBS_KEPT]]
        for each in old:
            shutil.rmtree(each.path.parent, ignore_errors=True)
        threading.Thread(target=self._work, args=(run, asked, job), name="heatprop-export", daemon=True).start()
        return job

    def stop(self) -> None:
        """End what is under way."""
        self._stopping = True

    def _work(self, run: Run, asked: ExportRequest, job: Job) -> None:
        with self._one_at_a_time:
            try:
                self._library.get(run.record.id)  # raises where it was deleted
                job.path.parent.mkdir(parents=True, exist_ok=True)
                self._write(run, asked, job)
                self._tell(replace(job, done=job.total, is_ready=True))
            except StoppedError:
                pass
            except (HeatpropError, OSError) as error:
                self._tell(replace(job, error=" ".join(str(error).split())))
            except BaseException as error:
                self._tell(replace(job, error=f"a fault in heatprop: {type(error).__name__}: {error}"))
                raise

    def _tell(self, job: Job) -> None:
        with self._lock:
            if job.id in self._jobs:
                self._jobs[job.id] = job

    def _write(self, run: Run, asked: ExportRequest, job: Job) -> None:
        if asked.format in VIDEOS:
            self._write_video(run, asked, job)
            return
        key = full_key(run, asked.key)
        if asked.view == "alone":
            key = alone_key_of(run, key)
        facts = Facts(header_of(run.record, tuning_of_key(run, key)), run.record.width, run.record.height)
        TABLES[asked.format][1](job.path, facts, self._numbered(run, key, asked, job))

    def _write_video(self, run: Run, asked: ExportRequest, job: Job) -> None:
        key = full_key(run, asked.key)
        keys = {"propagated": [key], "alone": [alone_key_of(run, key)], "both": [alone_key_of(run, key), key]}
        columns = [self._numbered(run, each, asked, job) for each in keys[asked.view]]
        sides = ([found for _, _, found in each] for each in zip(*columns, strict=True))
        record = run.record
        run.join_proxy()
        images = read_frames(run.folder.proxy, asked.start, asked.stop)
        scale = record.proxy_size[0] / record.width, record.proxy_size[1] / record.height
        times = (time - run.times[asked.start] for time in run.times[asked.start : asked.stop])
        write_video(job.path, record.rate, zip(times, drawn(images, sides, record.labels, scale), strict=True))

    def _numbered(self, run: Run, key: str, asked: ExportRequest, job: Job) -> Iterator[Numbered]:
        """Yield what is found in the frames, once it is computed."""
        for start in range(asked.start, asked.stop, CHUNK_FRAMES):
            stop = min(start + CHUNK_FRAMES, asked.stop)
            for number, found in enumerate(self._found(run, key, start, stop), start):
                yield number, run.times[number], found
            self._tell(replace(job, done=stop - asked.start))

    def _found(self, run: Run, key: str, start: int, stop: int) -> list[Detections]:
        while True:
            found = found_between(self._library, run, key, start, stop)
            ready = [each for each in found if each is not None]
            if len(ready) == stop - start:
                return ready
            self._library.get(run.record.id)  # raises where it was deleted
            if self._stopping or run.is_at_work:
                raise StoppedError
            sleep(_SECONDS_BETWEEN_LOOKS)


def export_request(body: dict[str, Any], frames: int) -> ExportRequest:
    """Return what a request asks for, of a run of so many frames.

    Raises:
        InvalidConfigError: something of it is not possible.
    """
    wanted, view = body.get("format"), body.get("view", "propagated")
    start, stop = body.get("from"), body.get("to")
    if wanted not in FORMATS:
        raise InvalidConfigError(f"format is {str(wanted)[:20]!r}; it must be one of {', '.join(FORMATS)}")
    if view not in ("propagated", "alone", "both"):
        raise InvalidConfigError(f"view is {str(view)[:20]!r}; it must be propagated, alone or both")
    start, stop = 0 if start is None else start, frames if stop is None else stop
    are_whole = all(isinstance(each, int) and not isinstance(each, bool) for each in (start, stop))
    if not are_whole or not 0 <= start < stop <= frames:
        raise InvalidConfigError(f"frames {start} to {stop} are asked for; the run has 0 to {frames}")
    if wanted == "gif" and stop - start > _LONGEST_GIF:
        raise InvalidConfigError(f"a GIF of {stop - start:,} frames is too long; choose at most {_LONGEST_GIF}")
    key = body.get("key") or ""
    if not isinstance(key, str):
        raise InvalidConfigError("key is the key of a tuning")
    return ExportRequest(wanted, key, start, stop, view)


def file_stem(name: str) -> str:
    """Return a name for files, without what shells or file systems take for something else.

    >>> file_stem("../My street (1).mp4"), file_stem("")
    ('My-street-1', 'heatprop')
    """
    stem = re.sub(r"[^\w.-]+", "-", Path(name).stem, flags=re.ASCII).strip("-.")
    return stem[:80] or "heatprop"
