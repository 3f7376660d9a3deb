"""Where the time of a run goes: one account of all stages, each counted where it is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Literal, TypeAlias

Stage: TypeAlias = Literal["decode", "letterbox", "propagate", "draw", "record"]


@dataclass(slots=True)
class StageTimings:
    """Where the time of one video went, in seconds summed over frames; stages overlap in a stream.

    Attributes:
        frames: how many frames were detected in; with key frames a few more than the stream has given so far.
        key_frames: on how many of these the network ran.
        decode: reading frames from the source.
        letterbox: scaling frames to the network's input, and the search for cuts.
        network: the backend, divided by how many calls may run at once.
        propagate: propagation, peaks, suppression, boxes, and following boxes between key frames.
        draw: drawing boxes, where a video is written.
        record: writing detections as numbers: JSON Lines, CSV, Parquet.
        encode: encoding that video, in a thread of its own; known when it is finished.
        held_fps: frames a second that are reached, while a target cannot be held; None otherwise.
    """

    frames: int = 0
    key_frames: int = 0
    decode: float = 0.0
    letterbox: float = 0.0
    network: float = 0.0
    propagate: float = 0.0
    draw: float = 0.0
    record: float = 0.0
    encode: float = 0.0
    held_fps: float | None = None

    @contextmanager
    def measured(self, stage: Stage) -> Iterator[None]:
        """Count the seconds of the block for a stage; each stage has one thread at a time."""
        started = perf_counter()
        try:
            yield
        finally:
            setattr(self, stage, getattr(self, stage) + perf_counter() - started)
