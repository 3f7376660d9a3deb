"""One video on its way through a stream, and what all videos of a detector have in common."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TypeAlias

from heatprop.io import VideoSource
from heatprop.letterbox import InputFormat
from heatprop.propagation import PropagationConfig
from heatprop.runtime.keyframes import KeyframeClock, KeyframeConfig, SpeedControl
from heatprop.runtime.pipeline import Done
from heatprop.runtime.postprocessing import Postprocessing
from heatprop.runtime.preprocessing import PreparedFrame, Preprocessing, Seen
from heatprop.runtime.timings import StageTimings
from heatprop.types import Detections, DetectorOutput, Frame, IntArray

Finished: TypeAlias = tuple[Frame, Detections, Detections | None, bool]
"""A frame, what is found in it, what the network alone finds in it, if that was asked for, and whether it begins
another shot."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoSettings:
    """What all videos of a detector have in common.

    Attributes:
        input_format: of the network's input.
        stride: pixels of the network's input for one unit of its boxes.
        nms_iou: see `Postprocessing`.
        propagation: None for the network alone.
        score_threshold: of the detections.
        forget_at_cuts: whether propagation starts anew at cuts.
        keyframes: on which frames the network runs.
        concurrency: how many calls of the network run at once.
        class_agnostic_nms: see `Postprocessing`.
        wanted: see `Postprocessing`.
    """

    input_format: InputFormat
    stride: int
    nms_iou: float | None
    propagation: PropagationConfig | None
    score_threshold: float
    forget_at_cuts: bool
    keyframes: KeyframeConfig
    concurrency: int
    class_agnostic_nms: bool
    wanted: IntArray | None

    def preprocessing(self, sample_aspect_ratio: float = 1.0) -> tuple[Preprocessing, SpeedControl | None]:
        """Return the preprocessing of one video, and what controls its speed; None without a target."""
        clock = None if self.keyframes.every_frame else KeyframeClock(self.keyframes)
        preprocessing = Preprocessing(self.input_format, clock, self.forget_at_cuts, sample_aspect_ratio)
        if clock is None or self.keyframes.target_fps is None:
            return preprocessing, None
        return preprocessing, SpeedControl(clock, self.keyframes, concurrency=self.concurrency)

    def postprocessing(self, *, fills_between: bool = False) -> Postprocessing:
        """Return the postprocessing of one video."""
        return Postprocessing(
            self.propagation,
            self.score_threshold,
            self.stride,
            nms_iou=self.nms_iou,
            fills_between=fills_between,
            class_agnostic_nms=self.class_agnostic_nms,
            wanted=self.wanted,
        )


class StreamedVideo:
    """One source on its way through a stream: prepared in its reader's thread, the rest in the consumer's.

    Args:
        source: open.
        preprocessing: of its frames.
        ways: of making detections of the outputs: the last is what was asked for, one before it the network alone.
        control: of the speed; None without a target.
        timings: where its time is counted.
        filling: so many frames take longer than those after them, while the pipeline fills.
    """

    def __init__(
        self,
        source: VideoSource,
        preprocessing: Preprocessing,
        ways: Sequence[Postprocessing],
        control: SpeedControl | None,
        *,
        timings: StageTimings,
        filling: int,
    ) -> None:
        self._source, self._preprocessing, self._timings = source, preprocessing, timings
        self._ways, self._states = ways, [way.begin() for way in ways]
        self._waiting: deque[tuple[Frame, bool]] = deque()
        self._control, self._filling = control, filling
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

    def take(
        self, done: Done[tuple[Frame, PreparedFrame], tuple[DetectorOutput | None, float]]
    ) -> Iterator[Finished]:
        """Take a frame and the network's output, and yield what is finished by it.

        Raises:
            InvalidArrayError: the output is broken; all is as it was.
        """
        (frame, prepared), (output, seconds) = done.item, done.result
        with self._timings.measured("propagate"):
            steps = [
                way.step(state, prepared, output) for way, state in zip(self._ways, self._states, strict=True)
            ]
        self._states = [state for state, _ in steps]
        self._waiting.append((frame, prepared.starts_shot))
        self._timings.frames += 1
        self._timings.key_frames += output is not None
        yield from self._finished([detections for _, detections in steps])
        if self._control is not None:
            self._passed(self._control, prepared.pace, seconds)

    def finish(self) -> Iterator[Finished]:
        """Return what still waits."""
        ended = [way.finish(state) for way, state in zip(self._ways, self._states, strict=True)]
        self._states = [way.begin() for way in self._ways]
        return self._finished(ended)

    def _passed(self, control: SpeedControl, pace: float, seconds: float) -> None:
        """Tell the control of speed of a frame that the consumer is done with."""
        self._filling -= 1
        now, lost = perf_counter(), self._source.dropped
        if self._filling < 0:
            network = seconds if self._source.info.is_live else None
            control.passed(pace, now - self._since, network=network, dropped=lost - self._dropped)
            self._timings.held_fps = control.held_fps
        self._since, self._dropped = now, lost

    def _finished(self, detections: Sequence[list[Detections]]) -> Iterator[Finished]:
        for *alone, each in zip(*detections, strict=True):
            frame, starts_shot = self._waiting.popleft()
            yield frame, each, alone[0] if alone else None, starts_shot
