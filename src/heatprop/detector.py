"""A detector for video: a network, heatmap propagation, and a pipeline that keeps the processor busy."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import TypeAlias

from heatprop.backends import Backend, Device, Precision, load_model, open_backend
from heatprop.errors import InvalidConfigError, check_range
from heatprop.io import VideoSource, open_video
from heatprop.keyframes import KeyframeClock, KeyframeConfig, SpeedControl
from heatprop.pipeline import Workers, map_ahead
from heatprop.propagation import PropagationConfig, require_propagation
from heatprop.types import Detections, Frame, HeadOutput, ImageArray, check_image
from heatprop.video_state import Picture, PictureMaker, VideoState, whole_or_not

_MOST_BETWEEN = 5

Source: TypeAlias = str | os.PathLike[str] | int | VideoSource


@dataclass(slots=True)
class StageTimings:
    """Where the time of a detector went, in seconds summed over frames; stages overlap in a stream.

    Attributes:
        frames: how many frames were detected in; with key frames a few more than the stream has given so far.
        decode: reading frames from the source.
        letterbox: scaling frames to the network's input.
        network: the backend, divided by how many calls may run at once.
        propagate: propagation, peaks, suppression, boxes, and following boxes between looks.
        looks: in how many of these the network looked.
        held_fps: frames a second that are reached, while a target cannot be held; None otherwise.
    """

    frames: int = 0
    decode: float = 0.0
    letterbox: float = 0.0
    network: float = 0.0
    propagate: float = 0.0
    looks: int = 0
    held_fps: float | None = None


class VideoDetector:
    """Finds objects in video, frame after frame, with boxes that hold still.

    Args:
        model: name of an embedded model (see `heatprop.zoo.models`) or path of a model file:
            ``.onnx`` or ``.xml`` with a card, or a checkpoint (``.pth``).
        propagation: settings of heatmap propagation; `PropagationConfig.paper()` is the paper's form, None means
            the network alone.
        backend: what runs the network: "auto" takes the fastest that is installed.
        score_threshold: detections below it are not returned; in [0, 1]. Propagation carries on whatever
            reaches its own, lower, `PropagationConfig.score_threshold`; the larger of the two holds here.
        forget_at_cuts: whether propagation starts anew where one shot ends and another begins. The paper, whose
            videos have no cuts, does not.
        precision: "f32", or "bf16" for speed where backend and processor have it.
        keyframes: in which frames the network looks; the others get their boxes from where the objects of its
            looks went. The default is every frame.
        device: "auto", "cpu", or for a graphics card "cuda" or "tensorrt"; see `heatprop.backends.open_backend`.
        input_size: the longer side of the picture in the network's input, in pixels: smaller is faster and loses
            small objects. A multiple of the card's `input.multiple`; None means the card's `input.longest_side`.

    Raises:
        ModelError: the model is unknown or damaged.
        BackendError: the backend is unknown or not installed, or lacks the precision or the device.
        InvalidConfigError: a setting lies outside its range.

    Example:
        >>> import numpy as np
        >>> detector = VideoDetector("mb3-coco")
        >>> detector.card.classes[:3]
        ('person', 'bicycle', 'car')
        >>> len(detector.update(np.zeros((120, 160, 3), np.uint8)))
        0
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "mb3-coco",
        *,
        propagation: PropagationConfig | None = PropagationConfig.adaptive(),
        backend: str = "auto",
        score_threshold: float = 0.3,
        forget_at_cuts: bool = True,
        precision: Precision = "f32",
        device: Device = "auto",
        keyframes: KeyframeConfig = KeyframeConfig(),
        input_size: int | None = None,
    ) -> None:
        check_range("score_threshold", score_threshold, 0, 1)
        if not isinstance(keyframes, KeyframeConfig):
            raise InvalidConfigError(
                f"keyframes is {keyframes!r}; give a KeyframeConfig, such as KeyframeConfig(interval=3)"
            )
        if propagation is not None:
            require_propagation(propagation)
        loaded = load_model(model, input_size=input_size)
        self.input_size = input_size
        self.card = loaded.card
        self.propagation = propagation
        self.score_threshold = score_threshold
        self.forget_at_cuts = forget_at_cuts
        self.backend: Backend = open_backend(backend, loaded, precision=precision, device=device)
        # More than the network takes at once, so that it never waits for Python; all streams share them.
        self._workers = Workers(self.backend.concurrency + 2)
        self.keyframes = keyframes
        self.timings = StageTimings()
        self.reset()

    def reset(self) -> None:
        """Forget the frames given to `update`: the next one is the first of another video."""
        self._maker, self._control = self._new_maker()
        self._state = self._new_state(self.propagation, fills_between=False)

    def update(self, image: ImageArray) -> Detections:
        """Detect in the next frame of a video of your own.

        With `keyframes` the network does not look at each; boxes then come from the past look. For a target the
        time in this method counts, not that of your loop.

        A frame for which this fails counts as not given: the next ones get what they would get without it.

        Args:
            image: uint8 ``(H, W, 3)`` RGB. A frame of another size, or after a cut,
                starts anew, like `reset`.

        Returns:
            Boxes in pixels of `image`, clipped to it, by falling score.

        Raises:
            InvalidArrayError: `image` is no such array, or the network's output is broken.
            BackendError: the network failed.
        """
        check_image(image)
        started = perf_counter()
        with whole_or_not(self._maker, self._state):
            picture = self._maker.make(image)
            output, seconds = self._infer(picture)
            ((found,),) = _push([self._state], picture, output, self.timings)
        self.timings.network += seconds
        if self._control is not None:
            self._control.passed(picture.pace, perf_counter() - started)
            self.timings.held_fps = self._control.held_fps
        return found

    def stream(
        self, source: Source, *, timings: StageTimings | None = None
    ) -> Generator[tuple[Frame, Detections], None, None]:
        """Detect in a whole video, camera or folder; decoding, network and propagation overlap.

        Every call starts a video of its own, so streams can run side by side. Memory does not grow with the
        video's length. Leaving the loop early stops the pipeline and closes what it opened.

        Args:
            source: what `heatprop.open_video` takes, or an open `VideoSource`.
            timings: where this stream counts its time; None for the detector's own.

        Yields:
            The frame, and boxes in its pixels by falling score.

        Raises:
            SourceError: the source cannot be opened, or fails; then, and where the network fails or its output is
                broken, all frames before come first.
        """
        with closing(self._detected(source, [self.propagation], timings)) as detected:
            for frame, (found,) in detected:
                yield frame, found

    def stream_compare(
        self, source: Source, *, timings: StageTimings | None = None
    ) -> Generator[tuple[Frame, Detections, Detections], None, None]:
        """Do what `stream` does, and yield besides what the network alone says: frame, alone, propagated.

        The network runs once for both. Without propagation both are the same.
        """
        with closing(self._detected(source, [None, self.propagation], timings)) as detected:
            for frame, (alone, found) in detected:
                yield frame, alone, found

    def _detected(
        self, source: Source, ways: Sequence[PropagationConfig | None], timings: StageTimings | None
    ) -> Generator[tuple[Frame, tuple[Detections, ...]], None, None]:
        """Yield each frame with what is found in it in several ways."""
        timings = self.timings if timings is None else timings
        with opened(source) as video:
            states = [self._new_state(way, fills_between=self._fills_between(video)) for way in ways]
            waiting: deque[Frame] = deque()
            failure: Exception | None = None
            with closing(self._outputs(video, timings)) as outputs:
                while True:
                    try:
                        frame, picture, output = next(outputs)
                    except StopIteration:
                        break
                    except Exception as error:  # what was read before it comes first
                        failure = error
                        break
                    try:
                        finished = _push(states, picture, output, timings)
                    except Exception as error:
                        failure = error
                        break
                    waiting.append(frame)
                    for found in finished:
                        yield waiting.popleft(), found
            for found in zip(*(state.finish() for state in states), strict=True):
                yield waiting.popleft(), found
            if failure is not None:
                raise failure

    def _new_state(self, propagation: PropagationConfig | None, *, fills_between: bool) -> VideoState:
        return VideoState(propagation, self.score_threshold, self.card.stride, fills_between=fills_between)

    def _new_maker(self, sample_aspect_ratio: float = 1.0) -> tuple[PictureMaker, SpeedControl | None]:
        clock = None if self.keyframes.looks_everywhere else KeyframeClock(self.keyframes)
        maker = PictureMaker(self.card.input, clock, self.forget_at_cuts, sample_aspect_ratio)
        if clock is None or self.keyframes.target_fps is None:
            return maker, None
        return maker, SpeedControl(clock, self.keyframes, concurrency=self.backend.concurrency)

    def _fills_between(self, video: VideoSource) -> bool:
        fill = self.keyframes.fill
        return fill == "between" or (fill == "auto" and not video.info.is_live)

    def _infer(self, picture: Picture) -> tuple[HeadOutput | None, float]:
        """Run the network if it looks, and say how long it took; called from several threads at once."""
        if picture.network_input is None:
            return None, 0.0
        started = perf_counter()
        (output,) = self.backend.infer(picture.network_input)
        return output, perf_counter() - started

    def _outputs(
        self, video: VideoSource, timings: StageTimings
    ) -> Generator[tuple[Frame, Picture, HeadOutput | None], None, None]:
        """Yield frames in order with what the network says of them, working ahead by a few."""
        maker, control = self._new_maker(float(video.info.sample_aspect_ratio))

        def prepared() -> Generator[tuple[Frame, Picture], None, None]:
            # In the thread that reads, while the frame is in the processor's cache.
            for frame in video:
                yield frame, maker.make(frame.image, starts_anew=frame.starts_anew)

        # Enough frames that looks side by side are among them; a live source is answered soon instead.
        between = 0 if video.info.is_live else min(self.keyframes.expected_interval, _MOST_BETWEEN) - 1
        more = between * self.backend.concurrency
        work = map_ahead(prepared(), lambda item: self._infer(item[1]), self._workers, more=more)
        with closing(work) as ahead:
            since, dropped = perf_counter(), video.dropped
            # While the pipeline fills, a frame takes longer than it does later.
            filling = self._workers.count + 2 + more
            for (frame, picture), (output, seconds), reading in ahead:
                timings.decode += reading - picture.seconds
                timings.network += seconds / self._workers.count
                yield frame, picture, output
                filling -= 1
                if control is not None and filling < 0:
                    now, lost = perf_counter(), video.dropped
                    network = seconds if video.info.is_live else None
                    control.passed(picture.pace, now - since, network=network, dropped=lost - dropped)
                    timings.held_fps = control.held_fps
                    since, dropped = now, lost
                elif not filling:
                    since, dropped = perf_counter(), video.dropped


def _push(
    states: Sequence[VideoState], picture: Picture, output: HeadOutput | None, timings: StageTimings
) -> list[tuple[Detections, ...]]:
    """Give a frame to all states, or where one fails to none; return what is finished by it, of each the same."""
    started = perf_counter()
    with whole_or_not(*states):
        finished = list(zip(*(state.push(picture, output) for state in states), strict=True))
    timings.frames += 1
    timings.looks += output is not None
    timings.letterbox += picture.seconds
    timings.propagate += perf_counter() - started
    return finished


def opened(source: Source) -> AbstractContextManager[VideoSource]:
    """Open a source by its address; one that the caller opened stays the caller's to close."""
    return nullcontext(source) if isinstance(source, VideoSource) else open_video(source)
