"""The stream: frames of one source or of many, through the network, to detections."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeAlias

from heatprop.backends import Backend
from heatprop.io import VideoSource
from heatprop.propagation import PropagationConfig
from heatprop.runtime.keyframes import KeyframeClock, KeyframeConfig, SpeedControl
from heatprop.runtime.pipeline import Ended, WorkAhead, Workers
from heatprop.runtime.postprocessing import Postprocessing
from heatprop.runtime.preprocessing import PreparedFrame, Preprocessing, Seen
from heatprop.runtime.timings import StageTimings
from heatprop.types import Detections, Frame, HeadOutput
from heatprop.zoo import ModelCard

_MOST_BETWEEN = 5

Opener: TypeAlias = Callable[[], AbstractContextManager[VideoSource]]


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """A frame and what is found in it; unpacks as ``(frame, detections)``, and has these two as items.

    Attributes:
        source: the place of its source among those of the stream, from 0.
        frame: the frame.
        detections: boxes in its pixels, by falling score.
        alone: what the network alone says of it; None where that was not asked for.
    """

    source: int
    frame: Frame
    detections: Detections
    alone: Detections | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.frame, self.detections))

    def __getitem__(self, place: int) -> Any:
        return (self.frame, self.detections)[place]


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """What frames go through from source to detections: a network and settings, without a state.

    Attributes:
        backend: runs the network.
        card: of the model.
        workers: threads that call the backend.
        propagation: settings; None for the network alone.
        score_threshold: of the detections.
        forget_at_cuts: whether a cut begins a shot.
        keyframes: on which frames the network runs.
    """

    backend: Backend
    card: ModelCard
    workers: Workers
    propagation: PropagationConfig | None
    score_threshold: float
    forget_at_cuts: bool
    keyframes: KeyframeConfig

    def preprocessing(self, sample_aspect_ratio: float = 1.0) -> Preprocessing:
        """Return what prepares the frames of one video."""
        clock = None if self.keyframes.every_frame else KeyframeClock(self.keyframes)
        return Preprocessing(self.card.input, clock, self.forget_at_cuts, sample_aspect_ratio)

    def control(self, clock: KeyframeClock | None) -> SpeedControl | None:
        """Return what sets the pace of a clock; None without a target."""
        if clock is None or self.keyframes.target_fps is None:
            return None
        return SpeedControl(clock, self.keyframes, concurrency=self.backend.concurrency)

    def postprocessing(self, *, alone: bool = False, fills_between: bool = False) -> Postprocessing:
        """Return what makes detections of the outputs of one video; `alone` is the network alone."""
        propagation = None if alone else self.propagation
        return Postprocessing(propagation, self.score_threshold, self.card.stride, fills_between=fills_between)

    def more_ahead(self, source: VideoSource) -> int:
        """Return how many more frames of a source are under way, so that key frames side by side are among them.

        A live source is answered soon instead.
        """
        if source.info.is_live:
            return 0
        return (min(self.keyframes.expected_interval, _MOST_BETWEEN) - 1) * self.backend.concurrency

    def infer(self, frame: PreparedFrame) -> tuple[HeadOutput | None, float]:
        """Run the network on a key frame, and say how long it took; called from several threads at once."""
        if frame.network_input is None:
            return None, 0.0
        started = perf_counter()
        (output,) = self.backend.infer(frame.network_input)
        return output, perf_counter() - started


class _Video:
    """One source on its way through the stream: prepared in its reader's thread, the rest in the consumer's."""

    def __init__(self, stages: Stages, source: VideoSource, timings: StageTimings, *, alone: bool) -> None:
        self._source, self._timings = source, timings
        is_live, fill = source.info.is_live, stages.keyframes.fill
        between = fill == "between" or (fill == "auto" and not is_live)
        self._preprocessing = stages.preprocessing(float(source.info.sample_aspect_ratio))
        self._control = stages.control(self._preprocessing.clock)
        # The network alone comes first: propagation overwrites the output.
        kinds = [True, False] if alone else [False]
        self._ways = [stages.postprocessing(alone=kind, fills_between=between) for kind in kinds]
        self._states = [way.begin() for way in self._ways]
        self._waiting: deque[Frame] = deque()
        self._workers = stages.workers.count
        # While the pipeline fills, a frame takes longer than it does later.
        self._filling = self._workers + 2 + stages.more_ahead(source)
        self._since, self._dropped = perf_counter(), source.dropped

    def prepared(self, frames: Iterable[Frame]) -> Generator[tuple[Frame, PreparedFrame], None, None]:
        """Yield the frames with what the network takes, made while they are in the processor's cache."""
        seen = Seen()
        reading = iter(frames)
        while True:
            with self._timings.measured("decode"):
                frame = next(reading, None)
            if frame is None:
                return
            with self._timings.measured("letterbox"):
                prepared, seen = self._preprocessing.prepare(frame.image, seen, starts_anew=frame.starts_anew)
            yield frame, prepared

    def push(
        self, number: int, frame: Frame, prepared: PreparedFrame, output: HeadOutput | None, seconds: float
    ) -> Iterator[FrameResult]:
        """Take a frame and what the network says of it; return what is finished by it.

        Raises:
            InvalidArrayError: the output is broken; all is as it was.
        """
        with self._timings.measured("propagate"):
            steps = [
                way.step(state, prepared, output) for way, state in zip(self._ways, self._states, strict=True)
            ]
        self._states = [state for state, _ in steps]
        self._waiting.append(frame)
        self._timings.frames += 1
        self._timings.key_frames += output is not None
        self._timings.network += seconds / self._workers
        return self._results(number, [found for _, found in steps])

    def finish(self, number: int) -> Iterator[FrameResult]:
        """Return what still waits."""
        ended = [way.finish(state) for way, state in zip(self._ways, self._states, strict=True)]
        self._states = [way.begin() for way in self._ways]
        return self._results(number, ended)

    def passed(self, pace: float, seconds: float) -> None:
        """Tell the control of speed, if there is one, of a frame that the consumer is done with."""
        if self._control is None:
            return
        self._filling -= 1
        now, lost = perf_counter(), self._source.dropped
        if self._filling < 0:
            network = seconds if self._source.info.is_live else None
            self._control.passed(pace, now - self._since, network=network, dropped=lost - self._dropped)
            self._timings.held_fps = self._control.held_fps
        self._since, self._dropped = now, lost

    def _results(self, number: int, found: Sequence[list[Detections]]) -> Iterator[FrameResult]:
        for *alone, each in zip(*found, strict=True):
            yield FrameResult(number, self._waiting.popleft(), each, *alone)


def stream(
    stages: Stages,
    sources: Sequence[Opener],
    timings: Sequence[StageTimings],
    *,
    alone: bool = False,
    at_once: int = 1,
    live: Collection[int] = (),
    on_open: Callable[[int, VideoSource], Iterable[Frame]] = lambda _, video: video,
    on_end: Callable[[int, Exception | None], None],
) -> Generator[FrameResult, None, None]:
    """Detect in all sources, and yield the frames as they come: one source is the case of one.

    A thread a source reads and prepares frames, the workers of `stages` run the network for all, and the rest
    happens in the consumer's thread. No source waits for a slow one; the order within a source is kept. A few
    frames of each open source are in memory, whatever their number and length. To close it stops all, and closes
    what was opened.

    Args:
        stages: what frames go through.
        sources: each opens a source.
        timings: where the time of each source is counted.
        alone: whether results say besides what the network says alone; it runs once for both.
        at_once: at most so many are open at a time, live ones not counted: they run all at once.
        live: places of the sources known to be live before they are opened.
        on_open: called with the place of a source that was opened, in the thread that reads it; returns the
            frames that are wanted of it. What it raises is that source's error.
        on_end: called with the place of a source that has ended, after its last frame, and its error; in the
            consumer's thread. What it raises ends all.

    Yields:
        What is found in each frame.
    """
    videos: dict[int, _Video] = {}

    def read(number: int) -> Generator[tuple[Frame, PreparedFrame], None, None]:
        with sources[number]() as source:
            if ahead.begin(number, gives_place=source.info.is_live, more=stages.more_ahead(source)):
                frames = on_open(number, source)
                videos[number] = _Video(stages, source, timings[number], alone=alone)
                yield from videos[number].prepared(frames)

    ahead = WorkAhead(
        [read(number) for number in range(len(sources))],
        lambda item: stages.infer(item[1]),
        stages.workers,
        at_once=at_once,
        apart=live,
    )
    with closing(ahead.events()) as events:
        for event in events:
            number, error = event.number, None
            if isinstance(event, Ended):
                error = event.error
            else:
                frame, prepared = event.item
                try:
                    finished = videos[number].push(number, frame, prepared, *event.result)
                except Exception as problem:
                    ahead.leave(number)
                    error = problem
                else:
                    pace, seconds = prepared.pace, event.result[1]
                    del event, frame, prepared  # the consumer alone keeps them
                    yield from finished
                    videos[number].passed(pace, seconds)
                    continue
            if number in videos:  # what was read before comes first
                yield from videos[number].finish(number)
            on_end(number, error)
