"""A run while the server runs: what it is, how it goes on, and what of it is in memory."""

from __future__ import annotations

import re
import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from time import monotonic
from typing import Any

import numpy as np

from heatprop.app.control import CancelledError, Control
from heatprop.app.found_frames import FoundFrames
from heatprop.app.kept_frames import CHUNK_FRAMES, KeptFrame, best_of_classes, read_kept, read_summary
from heatprop.app.proxy import join_segments
from heatprop.app.recording import RecordedFrame, record_run
from heatprop.app.replay import OutputForm, Replay, findable
from heatprop.app.run_folder import AT_WORK, RunFolder, RunRecord, State, with_state
from heatprop.app.settings import ALONE, Tuning, threshold_of, tuning_of
from heatprop.errors import HeatpropError
from heatprop.interrupts import Interrupted
from heatprop.io.addresses import shown
from heatprop.runtime.kept_outputs import SparseOutput
from heatprop.types import IntArray

FILE_KEY = "file"
"""Key of the detections of a file of results."""
LEAST = Tuning(None, 0.05)
"""The network alone is stored from the least threshold on; a higher one leaves detections out."""
_KEY = re.compile(r"[0-9a-f]{12}")
_CHUNKS_IN_MEMORY = 3
_TUNINGS_KEPT = 8
_SECONDS_OF_SPEED = 1.0
_SHARE_OF_NEW_SPEED = 0.2


class Follower:
    """A tuning that is computed frame by frame, as far as frames were recorded."""

    def __init__(self, tuning: Tuning, found: FoundFrames, replay: Replay | None) -> None:
        self.tuning, self.found, self._replay = tuning, found, replay

    def step(self, frame: KeptFrame) -> None:
        """Take the next frame."""
        if self._replay is not None:
            self.found.append(self._replay.step(frame))


class Run:
    """A run. Its methods may be called from any thread.

    Args:
        folder: its files.
        record: what it is.

    Attributes:
        control: pauses and cancels it while it is at work.
        version: grows whenever what the page shows of it changes.
        newest: the frame that was recorded last, while it is at work.
        begun: when it was begun, or found; another time is another recording.
        seconds_a_frame: what the last preview took.
        is_gone: whether it was deleted; nothing is written then.
    """

    def __init__(self, folder: RunFolder, record: RunRecord) -> None:
        self.folder, self.record = folder, record
        self.control = Control()
        self.version = 0
        self.newest: RecordedFrame | None = None
        self.lock = threading.RLock()
        self.times: array[float] = array("d")
        self.cuts: list[int] = []
        self._best: list[IntArray] = []  # of each chunk
        self._tail: list[KeptFrame] = []
        self._chunks: OrderedDict[int, list[KeptFrame]] = OrderedDict()
        self._followers: OrderedDict[str, Follower] = OrderedDict()
        self._speed = 0.0
        self._is_indexed = False
        self.seconds_a_frame = 0.004
        self.is_gone = False
        self.begun = monotonic()

    @property
    def is_at_work(self) -> bool:
        """Whether frames may still come."""
        return self.record.state in AT_WORK

    @property
    def frames(self) -> int:
        """How many frames there are so far."""
        return len(self.times) if self._is_indexed else self.record.frames

    def change(self, **fields: Any) -> RunRecord:
        """Change the record, also in its file, and return it."""
        with self.lock:
            if fields:
                self.record = replace(self.record, **fields)
                self.save()
                self.version += 1
            return self.record

    def save(self) -> None:
        """Write the record."""
        with self.lock:
            if not self.is_gone:
                self.folder.write(self.record)

    def to_json(self) -> dict[str, Any]:
        """Return what the list of runs says of it."""
        record = self.record
        left = None
        if record.state == "running" and record.total and self._speed > 0:
            left = max(record.total - self.frames, 0) / self._speed
        return {
            "id": record.id,
            "name": record.name,
            "source": record.name if record.is_upload else shown(record.source),
            "kind": record.kind,
            "model": record.model,
            "classes": list(record.classes),
            "state": record.state,
            "frames": self.frames,
            "total": record.total,
            "fps": round(self._speed, 1) if record.state == "running" else None,
            "seconds_left": None if left is None else round(left, 1),
            "error": record.error,
            "created": record.created,
            "width": record.width,
            "height": record.height,
            "rate": record.rate,
            "settings": record.settings,
            "has_truth": record.truth is not None,
            "tunable": record.is_tunable,
            "key": self.default_key,
        }

    @property
    def default_key(self) -> str:
        """The key of the detections to show first."""
        return tuning_of(self.record.settings).key if self.record.is_tunable else FILE_KEY

    def index(self) -> None:
        """Read times, cuts and classes of what was recorded before the server was started."""
        with self.lock:
            if self._is_indexed:
                return
            for chunk in range(-(-self.record.frames // CHUNK_FRAMES)):
                summary = read_summary(self.folder.outputs(chunk))
                self.cuts += [len(self.times) + cut for cut in summary.cuts]
                self.times.extend(summary.times)
                self._best += [] if summary.best is None else [summary.best]
            self._is_indexed = True

    # What was recorded

    def kept(self, number: int) -> KeptFrame:
        """Return what is kept of a frame.

        Raises:
            DamagedRunError: its file is damaged.
        """
        chunk, place = divmod(number, CHUNK_FRAMES)
        with self.lock:
            if chunk == (len(self.times) - len(self._tail)) // CHUNK_FRAMES and self._tail:
                return self._tail[place]
            if chunk in self._chunks:
                self._chunks.move_to_end(chunk)
                return self._chunks[chunk][place]
        frames = read_kept(self.folder.outputs(chunk))
        with self.lock:
            self._chunks[chunk] = frames
            if len(self._chunks) > _CHUNKS_IN_MEMORY:
                self._chunks.popitem(last=False)
        return frames[place]

    def new_replay(self, tuning: Tuning, window: tuple[int, int] | None = None) -> Replay:
        """Return the detections of a tuning from a frame on.

        Args:
            tuning: what to make of the outputs.
            window: the only frames that are replayed, from the first up to another; None for all.
        """
        # While frames come, any class may still be found.
        is_open = self.is_at_work and window is None
        best = None if is_open else self._best_between(*(window or (0, self.frames)))
        return Replay(OutputForm.of(self.record), tuning, None if best is None else findable(best))

    def _best_between(self, start: int, stop: int) -> IntArray | None:
        """Return the best score of each class in whole chunks around some frames; None without heatmaps."""
        chunks = range(start // CHUNK_FRAMES, -(-stop // CHUNK_FRAMES))
        with self.lock:
            known = [self._best[chunk] for chunk in chunks if chunk < len(self._best)]
        return np.max(known, axis=0) if known else None

    def shot_start(self, number: int) -> int:
        """Return the frame at which the shot of a frame begins."""
        place = int(np.searchsorted(self.cuts, number, side="right"))
        return self.cuts[place - 1] if place else 0

    # What was found

    def follower(self, key: str) -> Follower | None:
        """Return the tuning of a key as far as it is computed; None where it was not asked for yet.

        A key of the network alone gives the one that is stored, of the least threshold.
        """
        with self.lock:
            self.index()
            stored = ALONE if threshold_of(key) is not None else key
            if stored != ALONE and _KEY.fullmatch(stored) is None:
                return None  # it comes from an address, and names a folder
            if stored not in self._followers:
                made = self._stored_follower(stored)
                if made is None and stored == ALONE:
                    made = self._new_follower(stored, LEAST)
                if made is not None:
                    self._followers[stored] = made
            if stored in self._followers:
                self._followers.move_to_end(stored)
            return self._followers.get(stored)

    def follow(self, tuning: Tuning) -> Follower:
        """Return the tuning as far as it is computed; a new one where it was not asked for yet."""
        with self.lock:
            known = self.follower(tuning.key)
            if known is not None:
                return known
            self._followers[tuning.key] = made = self._new_follower(tuning.key, tuning)
            others = [key for key in self._followers if key not in (ALONE, tuning.key)]
            for key in others[: max(len(others) - _TUNINGS_KEPT + 1, 0)]:
                self._followers.pop(key).found.close()
                self.folder.delete_parts([f"tunings/{key}"])
            return made

    def follow_settings(self) -> Follower:
        """Return the tuning that was asked for last."""
        return self.follow(tuning_of(self.record.settings))

    def prefer(self, tuning: Tuning) -> None:
        """Remember what was asked for last; it is written when the run is changed or the server ends."""
        with self.lock:
            self.record = replace(self.record, settings=tuning.to_json())

    def restart_control(self) -> None:
        """Let it be at work again."""
        self.control = Control()

    def close(self) -> None:
        """Let nothing more be written of its tunings."""
        with self.lock:
            for follower in self._followers.values():
                follower.found.close()
            self._followers.clear()

    def _new_follower(self, key: str, tuning: Tuning) -> Follower:
        self.folder.delete_parts([f"tunings/{key}"])
        return Follower(tuning, FoundFrames(self.folder.tunings / key), self.new_replay(tuning))

    def _stored_follower(self, key: str) -> Follower | None:
        """Return the tuning of a key that was computed whole, perhaps by an earlier server; None without it."""
        stored = None if self.is_at_work else FoundFrames.stored(self.folder.tunings / key, self.frames)
        if stored is None:
            return None
        found, settings = stored
        try:
            return Follower(tuning_of(settings), found, None)
        except HeatpropError:  # of a version that had other settings
            return None

    # The work

    def work(self, on_frame: Any) -> None:
        """Record the run, in a thread of its own; `on_frame` is called after each frame and at the end."""
        self.close()
        self.folder.delete_parts(["proxy.mp4", "tunings"])
        with self.lock:
            self.times, self.cuts, self._best, self._is_indexed = array("d"), [], [], False
            self._chunks.clear()
            self.begun = monotonic()
            self._tail = []
            whole = self.record.frames // CHUNK_FRAMES * CHUNK_FRAMES
            self.change(state="running", error=None, frames=whole)
            self.index()
        try:
            for frame in self._timed(record_run(self.folder, self.record, self.control, self.change)):
                self._take(frame)
                on_frame()
        except CancelledError:
            self._end("cancelled")
        except Interrupted:
            self._end("interrupted")
        except HeatpropError as error:
            self._end("failed", " ".join(str(error).split()))
        except MemoryError:
            self._end("failed", "not enough memory; use a smaller model, input or image")
        except BaseException as error:
            self._end("failed", f"a fault in heatprop: {type(error).__name__}: {error}")
            raise
        else:
            self._end("done" if self.frames else "failed", None if self.frames else "the source holds no frames")
        finally:
            on_frame()

    def _timed(self, frames: Iterator[RecordedFrame]) -> Iterator[RecordedFrame]:
        begun, count = monotonic(), 0
        for frame in frames:
            yield frame
            count += 1
            now = monotonic()
            if now - begun >= _SECONDS_OF_SPEED or not self._speed:
                speed, begun, count = count / max(now - begun, 1e-6), now, 0
                self._speed += (speed - self._speed) * (_SHARE_OF_NEW_SPEED if self._speed else 1)

    def _take(self, frame: RecordedFrame) -> None:
        with self.lock:
            if frame.kept.starts_shot:
                self.cuts.append(len(self.times))
            if len(self._tail) == CHUNK_FRAMES:
                self._tail = []
            self._tail.append(frame.kept)
            self.times.append(frame.kept.time)
            if isinstance(frame.kept.output, SparseOutput):
                best = best_of_classes([frame.kept.output])
                if len(self._tail) == 1:
                    self._best.append(best)
                else:
                    self._best[-1] = np.maximum(self._best[-1], best)
            self.newest = frame
            self.version += 1

    def _end(self, state: State, error: str | None = None) -> None:
        with self.lock:
            self.newest, self._tail, self._speed = None, [], 0.0
            self.times = self.times[: self.record.frames]
        try:
            if state == "done":
                self.join_proxy()
                self.folder.delete_parts(["segments"])
            self.change(state=state, error=error)
        except (
            HeatpropError
        ) as problem:  # a full disk: it is known in memory, and at the next start as interrupted
            with self.lock:
                self.record = with_state(self.record, "failed", error or " ".join(str(problem).split()))
                self.version += 1

    def join_proxy(self) -> None:
        """Make the proxy of its segments, where it is not there yet.

        Raises:
            HeatpropError: it cannot be made.
        """
        with self.lock:
            chunks = -(-self.record.frames // CHUNK_FRAMES)
            if chunks and not self.folder.proxy.exists():
                join_segments([self.folder.segment(chunk) for chunk in range(chunks)], self.folder.proxy)
