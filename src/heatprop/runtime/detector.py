"""A detector for video: a network with its settings, and what `update` remembers of one video."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Generator, Sequence
from functools import partial
from time import perf_counter

from heatprop import layouts
from heatprop.backends import Backend, Device, Precision, load_model, open_backend
from heatprop.backends.reading import nms_iou_of
from heatprop.errors import InvalidConfigError, check_range
from heatprop.io.names import Source
from heatprop.propagation import PropagationConfig, require_propagation
from heatprop.runtime.keyframes import KeyframeConfig
from heatprop.runtime.pipeline import Workers
from heatprop.runtime.preprocessing import Seen
from heatprop.runtime.stream import FrameResult, OnOpen, Opener, infer, opened, stream_all
from heatprop.runtime.streamed_video import VideoSettings
from heatprop.runtime.timings import StageTimings
from heatprop.runtime.wanted_classes import numbers_of
from heatprop.types import Detections, ImageArray, check_image
from heatprop.zoo import Model


class VideoDetector:
    """Finds objects in video, frame after frame, with boxes that hold still.

    Args:
        model: name of an embedded model (see `heatprop.zoo.models`) or path of a model file: ``.onnx`` or ``.xml``
            of any known family of detectors, or a checkpoint (``.pth``). Or what `heatprop.backends.load_model`
            returns, for instance with another `ModelCard.input`.
        propagation: settings of heatmap propagation; `PropagationConfig.paper()` is the paper's form, None means
            the network alone. For a network that gives boxes the adaptive form takes the `nms_iou` of its family.
        backend: what runs the network: "auto" takes the fastest that is installed.
        score_threshold: detections below it are not returned; in [0, 1]. Propagation carries on whatever
            reaches its own, lower, `PropagationConfig.score_threshold`; the larger of the two holds here.
        forget_at_cuts: whether propagation starts anew where one shot ends and another begins. The paper, whose
            videos have no cuts, does not.
        precision: "f32", or "bf16" for speed where backend and processor have it.
        keyframes: on which frames the network runs; the others get their boxes from where the objects of the key
            frames went. The default is every frame.
        device: "auto", "cpu", or for a graphics card "cuda" or "tensorrt"; see `heatprop.backends.open_backend`.
        input_size: the longer side of the image in the network's input, in pixels: smaller is faster and loses
            small objects. A multiple of the card's `input.multiple`; None means the card's `input.longest_side`.
        layout: what the outputs of a file without a card mean: one of `heatprop.layouts.names`; "auto" finds out.
        classes: names of the classes by number, in place of those in the file.
        class_agnostic_nms: whether the same thing is shown once where it is found as several classes, such as car
            and truck: as what it surest is. It costs average precision (docs/benchmarks.md).
        only: names, in any case, or numbers of the classes that are wanted: no others are propagated or returned,
            which saves time. Labels stay numbers among all classes. None means all.

    Raises:
        ModelError: the model is unknown or damaged.
        LayoutError: a file without a card is of no known family, or may be of several, or is not as told.
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
        model: str | os.PathLike[str] | Model = "mb3-coco",
        *,
        propagation: PropagationConfig | None = PropagationConfig.adaptive(),
        backend: str = "auto",
        score_threshold: float = 0.3,
        forget_at_cuts: bool = True,
        precision: Precision = "f32",
        device: Device = "auto",
        keyframes: KeyframeConfig = KeyframeConfig(),
        input_size: int | None = None,
        layout: str = layouts.AUTO,
        classes: Sequence[str] | None = None,
        class_agnostic_nms: bool = False,
        only: Sequence[str | int] | None = None,
    ) -> None:
        check_range("score_threshold", score_threshold, 0, 1)
        if not isinstance(keyframes, KeyframeConfig):
            raise InvalidConfigError(
                f"keyframes is {keyframes!r}; give a KeyframeConfig, such as KeyframeConfig(interval=3)"
            )
        if propagation is not None:
            require_propagation(propagation)
        loaded = load_model(model, input_size=input_size, layout=layout, classes=classes)
        self.input_size = input_size
        self.card = loaded.card
        self.taken_for = loaded.taken_for
        self._wanted = None if only is None else numbers_of(only, loaded.card.classes)
        self.propagation = propagation
        self.score_threshold = score_threshold
        self.class_agnostic_nms = class_agnostic_nms
        self.forget_at_cuts = forget_at_cuts
        self.backend: Backend = open_backend(backend, loaded, precision=precision, device=device)
        # More than the network takes at once, so that it never waits for Python; all streams share them.
        self._workers = Workers(self.backend.concurrency + 2)
        self.keyframes = keyframes
        self.timings = StageTimings()
        self.reset()

    def reset(self) -> None:
        """Forget the frames given to `update`: the next one is the first of another video."""
        settings = self._settings()
        self._preprocessing, self._control = settings.preprocessing()
        self._postprocessing = settings.postprocessing()
        self._past = Seen(), self._postprocessing.begin()

    def update(self, image: ImageArray) -> Detections:
        """Detect in the next frame of a video of your own.

        With `keyframes` the network does not run on each; boxes then come from the past key frame. For a target
        the time in this method counts, not that of your loop.

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
        seen, state = self._past
        with self.timings.measured("letterbox"):
            frame, seen = self._preprocessing.prepare(image, seen)
        output, seconds = infer(self.backend, frame)
        with self.timings.measured("propagate"):
            state, (detections,) = self._postprocessing.step(state, frame, output)
        self._past = seen, state
        self.timings.frames += 1
        self.timings.key_frames += output is not None
        self.timings.network += seconds
        if self._control is not None:
            self._control.passed(frame.pace, perf_counter() - started)
            self.timings.held_fps = self._control.held_fps
        return detections

    def stream(
        self, source: Source, *, alone: bool = False, timings: StageTimings | None = None
    ) -> Generator[FrameResult, None, None]:
        """Detect in a whole video, camera or folder; decoding, network and propagation overlap.

        Every call starts a video of its own, so streams can run side by side. Memory does not grow with the
        video's length. Leaving the loop early stops the pipeline and closes what it opened.

        Args:
            source: what `heatprop.open_video` takes, or an open `VideoSource`.
            alone: whether each result also has `alone`, the detections of the network alone. The network
                runs once for both.
            timings: where this stream counts its time; None for the detector's own.

        Yields:
            `FrameResult`, which unpacks as ``(frame, detections)``: boxes in the frame's pixels by falling score.

        Raises:
            SourceError: the source cannot be opened, or fails; then, and where the network fails or its output is
                broken, all frames before come first.
        """
        timings = self.timings if timings is None else timings
        yield from self.stream_all([partial(opened, source)], [timings], alone=alone, on_end=_raise_error)

    def stream_all(
        self,
        sources: Sequence[Opener],
        timings: Sequence[StageTimings],
        *,
        alone: bool = False,
        at_once: int = 1,
        live: Collection[int] = (),
        on_open: OnOpen = lambda _, video, __: video,
        on_end: Callable[[int, Exception | None], None],
    ) -> Generator[FrameResult, None, None]:
        """Detect in all sources, and yield the frames as they come: what `stream` and all others rest on.

        A thread a source reads and prepares frames, the network's threads serve all, and the rest happens in the
        consumer's thread. No source waits for a slow one; the order within a source is kept. A few frames of each
        open source are in memory, whatever their number and length. To close it stops all, and closes what was
        opened.

        Args:
            sources: each opens a source.
            timings: where the time of each source is counted.
            alone: see `stream`.
            at_once: at most so many are open at a time, live ones not counted: they run all at once.
            live: places of the sources known to be live before they are opened.
            on_open: called with the place of a source that was opened, the source, and a function that gives it
                up, in the thread that reads it; returns the frames that are wanted of it. What it raises is that
                source's error. To give a source up, from any thread, ends it even where its reader waits for a
                frame that does not come.
            on_end: called with the place of a source that has ended, after its last frame, and its error; in the
                consumer's thread. What it raises ends all.

        Yields:
            What is found in each frame.
        """
        return stream_all(
            self.backend,
            self._workers,
            self._settings(),
            sources,
            timings,
            alone=alone,
            at_once=at_once,
            live=live,
            on_open=on_open,
            on_end=on_end,
        )

    def _settings(self) -> VideoSettings:
        return VideoSettings(
            self.card.input,
            self.card.stride,
            nms_iou_of(self.card.layout),
            self.propagation,
            self.score_threshold,
            self.forget_at_cuts,
            self.keyframes,
            self.backend.concurrency,
            self.class_agnostic_nms,
            self._wanted,
        )

    @property
    def only(self) -> tuple[str, ...] | None:
        """The names of the wanted classes, in the model's order; None for all."""
        return None if self._wanted is None else tuple(self.card.classes[number] for number in self._wanted)


def _raise_error(_: int, error: Exception | None) -> None:
    if error is not None:
        raise error
