"""The first answer to another setting: the frames around the one that is looked at, within a tenth of a second."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from heatprop.app.replay import shown
from heatprop.app.run import Run
from heatprop.app.settings import Tuning
from heatprop.types import Detections

_MOST_BEFORE = 63
_LEAST_BEFORE = 7
_AFTER = 8
_SECONDS = 0.06


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """Detections around a frame.

    Attributes:
        start: the first of the frames.
        frames: detections of each. Their ids are those of the preview alone.
        is_exact: whether boxes and scores are those that the whole replay gives: it begins where a shot does.
    """

    start: int
    frames: list[Detections]
    is_exact: bool


def preview_of(run: Run, tuning: Tuning, at: int) -> Preview:
    """Return the detections of a tuning around a frame: of those before as many as the time allows.

    Raises:
        DamagedRunError: a file of the run is damaged.
    """
    last = max(run.frames - 1, 0)
    at = min(max(at, 0), last)
    begun = perf_counter()
    if tuning.propagation is None:
        replay = run.new_replay(tuning, (at, at + 1))
        frames = [replay.step(run.kept(number)) for number in range(at, min(at + 1, run.frames))]
        return Preview(at, frames, True)
    cut = run.shot_start(at)
    before = min(max(int(_SECONDS / run.seconds_a_frame), _LEAST_BEFORE), _MOST_BEFORE)
    start = max(cut, at - before)
    stop = min(at + _AFTER + 1, run.frames)
    replay = run.new_replay(tuning, (start, stop))
    frames = []
    for number in range(start, stop):
        if number > at and perf_counter() - begun > _SECONDS:
            break
        frames.append(shown(replay.step(run.kept(number)), tuning.score_threshold))
    if frames:
        run.seconds_a_frame = (perf_counter() - begun) / len(frames)
    return Preview(start, frames, start == cut)
