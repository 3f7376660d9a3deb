"""The detections of one tuning of a run: appended while they are made, read by ranges, in bounded memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from heatprop.app.kept_frames import (
    CHUNK_FRAMES,
    DamagedRunError,
    detection_columns,
    detections_of,
    read_arrays,
    write_arrays,
)
from heatprop.io.whole_files import read_json, write_json
from heatprop.types import Detections

_CHUNKS_IN_MEMORY = 8


class FoundFrames:
    """Detections frame by frame: whole chunks lie in files, the last frames in memory. Threads may share it.

    Args:
        folder: of its files.

    Attributes:
        is_complete: whether all frames are there.
        is_closed: whether nothing more is added, nor written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._chunks = 0
        self._tail: list[Detections] = []
        self._cache: OrderedDict[int, list[Detections]] = OrderedDict()
        self.is_complete = self.is_closed = False

    @classmethod
    def stored(cls, folder: Path, frames: int) -> tuple[FoundFrames, Any] | None:
        """Return what was stored whole for so many frames, and what `complete` was told; None where it is not."""
        try:
            said = read_json(folder / "whole.json")
            if said["frames"] != frames:
                return None
            found = cls(folder)
            found._chunks, rest = divmod(frames, CHUNK_FRAMES)
            found._tail = found._read(found._chunks) if rest else []
            found.is_complete = True
            return found, said["made_by"]
        except (OSError, ValueError, KeyError, TypeError, DamagedRunError):
            return None

    def __len__(self) -> int:
        return self._chunks * CHUNK_FRAMES + len(self._tail)

    def append(self, detections: Detections) -> None:
        """Add the next frame.

        Raises:
            OutputError: a chunk cannot be written.
        """
        with self._lock:
            if self.is_closed:
                return
            self._tail.append(detections)
            if len(self._tail) == CHUNK_FRAMES:
                self._write()
                self._chunks += 1
                self._tail = []

    def complete(self, made_by: Any) -> None:
        """Store what is in memory: these are all frames.

        Args:
            made_by: what made them, as JSON holds it.

        Raises:
            OutputError: it cannot be written.
        """
        with self._lock:
            if self.is_closed:
                return
            if self._tail:
                self._write()
            write_json(self._folder / "whole.json", {"frames": len(self), "made_by": made_by})
            self.is_complete = True

    def close(self) -> None:
        """Let nothing more be written: its folder goes, or becomes that of others."""
        with self._lock:
            self.is_closed = True

    def read(self, start: int, stop: int) -> list[Detections | None]:
        """Return the detections in frames from `start` up to `stop`; None for one that is not ready.

        Raises:
            DamagedRunError: a file is damaged.
        """
        found: list[Detections | None] = []
        with self._lock:
            for number in range(start, stop):
                chunk, place = divmod(number, CHUNK_FRAMES)
                frames = self._chunk(chunk)
                found.append(frames[place] if place < len(frames) else None)
        return found

    def _chunk(self, number: int) -> list[Detections]:
        if number >= self._chunks:
            return self._tail if number == self._chunks else []
        if number not in self._cache:
            self._cache[number] = self._read(number)
            if len(self._cache) > _CHUNKS_IN_MEMORY:
                self._cache.popitem(last=False)
        self._cache.move_to_end(number)
        return self._cache[number]

    def _read(self, number: int) -> list[Detections]:
        path = self._file(number)
        try:
            return detections_of(read_arrays(path))
        except (KeyError, ValueError, IndexError) as error:
            raise DamagedRunError(f"{path} is damaged ({error}); tune the run again") from None

    def _write(self) -> None:
        write_arrays(self._file(self._chunks), detection_columns(self._tail))

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:06d}.npz"
