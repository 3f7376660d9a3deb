"""A detector for video: a network, heatmap propagation, and a pipeline that keeps the processor busy."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop.backends import Backend, Device, Precision, load_model, open_backend
from heatprop.decoding import decode
from heatprop.errors import check_range
from heatprop.io import VideoSource, open_video
from heatprop.letterbox import Letterbox, boxes_to_frame, fit_letterbox, letterbox
from heatprop.pipeline import map_ahead
from heatprop.propagation import HeatmapPropagator, PropagationConfig
from heatprop.shots import is_blank, is_cut, thumbnail
from heatprop.types import Detections, Frame, HeadOutput, ImageArray, check_image

Source: TypeAlias = str | os.PathLike[str] | int | VideoSource


@dataclass(slots=True)
class StageTimings:
    """Where the time of a detector went, in seconds summed over frames; stages overlap in a stream.

    Attributes:
        frames: how many frames were detected in.
        decode: reading frames from the source.
        letterbox: scaling frames to the network's input.
        network: the backend, divided by how many frames were in it at once.
        propagate: propagation, peaks, suppression and boxes.
    """

    frames: int = 0
    decode: float = 0.0
    letterbox: float = 0.0
    network: float = 0.0
    propagate: float = 0.0


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A picture as the network takes it, and what it took to make it so."""

    network_input: ImageArray
    fitted: Letterbox
    thumbnail: NDArray[np.float32]
    seconds: float


class _VideoState:
    """Propagation for one video; forgets at a cut, and when the picture changes its shape."""

    def __init__(
        self, propagation: PropagationConfig | None, score_threshold: float, forget_at_cuts: bool
    ) -> None:
        self._forget_at_cuts = forget_at_cuts
        self._propagator = None if propagation is None else HeatmapPropagator(propagation)
        self._score_threshold = score_threshold
        self._last: _Prepared | None = None

    def detect(self, picture: _Prepared, output: HeadOutput, stride: int) -> Detections:
        if self._propagator is None:
            found = decode(output, score_threshold=self._score_threshold)
        else:
            if self._is_another_shot(picture):
                self._propagator.reset()
            # A flash or a black frame ends no shot: what comes after it is compared with what was before.
            if self._last is None or picture.fitted != self._last.fitted or not is_blank(picture.thumbnail):
                self._last = picture
            found = self._propagator.update(output, overwrite=True)
        shown = found.scores >= self._score_threshold
        boxes = boxes_to_frame(found.boxes[shown], picture.fitted, stride)
        return Detections(boxes, found.scores[shown], found.labels[shown], found.lengths[shown])

    def _is_another_shot(self, picture: _Prepared) -> bool:
        last = self._last
        if last is None:
            return False
        if picture.fitted != last.fitted:
            return True
        if not self._forget_at_cuts or is_blank(picture.thumbnail) or is_blank(last.thumbnail):
            return False
        return is_cut(last.thumbnail, picture.thumbnail)


class VideoDetector:
    """Finds objects in video, frame after frame, with boxes that hold still.

    Args:
        model: name of an embedded model (see `heatprop.zoo.models`) or path of a model file:
            ``.onnx`` or ``.xml`` with a card, or a checkpoint (``.pth``).
        propagation: settings of heatmap propagation; None means the network alone.
        backend: what runs the network: "auto" takes the fastest that is installed.
        score_threshold: detections below it are not returned; in [0, 1]. Propagation carries on whatever
            reaches its own, lower, `PropagationConfig.score_threshold`; the larger of the two holds here.
        forget_at_cuts: whether propagation starts anew where one shot ends and another begins. The paper, whose
            videos have no cuts, does not.
        precision: "f32", or "bf16" for speed where backend and processor have it.
        device: "auto", "cpu", or for a graphics card "cuda" or "tensorrt"; see `heatprop.backends.open_backend`.

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
        propagation: PropagationConfig | None = PropagationConfig(),
        backend: str = "auto",
        score_threshold: float = 0.3,
        forget_at_cuts: bool = True,
        precision: Precision = "f32",
        device: Device = "auto",
    ) -> None:
        check_range("score_threshold", score_threshold, 0, 1)
        loaded = load_model(model)
        self.card = loaded.card
        self.propagation = propagation
        self.score_threshold = score_threshold
        self.forget_at_cuts = forget_at_cuts
        self.backend: Backend = open_backend(backend, loaded, precision=precision, device=device)
        self.timings = StageTimings()
        self._state = self._new_state(propagation)

    def reset(self) -> None:
        """Forget the frames given to `update`: the next one is the first of another video."""
        self._state = self._new_state(self.propagation)

    def update(self, image: ImageArray) -> Detections:
        """Detect in the next frame of a video of your own.

        Args:
            image: uint8 ``(H, W, 3)`` RGB. A frame of another size, or after a cut,
                starts anew, like `reset`.

        Returns:
            Boxes in pixels of `image`, clipped to it, by falling score.

        Raises:
            InvalidArrayError: `image` is no such array.
        """
        check_image(image)
        picture = self._prepare(image)
        output, seconds = self._infer(picture)
        self.timings.network += seconds
        return self._detect(self._state, picture, output)

    def stream(self, source: Source) -> Generator[tuple[Frame, Detections], None, None]:
        """Detect in a whole video, camera or folder; decoding, network and propagation overlap.

        Every call starts a video of its own, so streams can run side by side. Memory does not grow with the
        video's length. Leaving the loop early stops the pipeline and closes what it opened.

        Args:
            source: what `heatprop.open_video` takes, or an open `VideoSource`.

        Yields:
            The frame, and boxes in its pixels by falling score.

        Raises:
            SourceError: the source cannot be opened, or fails.
        """
        state = self._new_state(self.propagation)
        with closing(self._outputs(source)) as outputs:
            for frame, picture, output in outputs:
                yield frame, self._detect(state, picture, output)

    def stream_compare(self, source: Source) -> Generator[tuple[Frame, Detections, Detections], None, None]:
        """Do what `stream` does, and yield besides what the network alone says: frame, alone, propagated.

        The network runs once a frame. Without propagation both are the same.
        """
        alone, propagated = (self._new_state(config) for config in (None, self.propagation))
        with closing(self._outputs(source)) as outputs:
            for frame, picture, output in outputs:
                unaided = alone.detect(picture, output, self.card.stride)
                yield frame, unaided, self._detect(propagated, picture, output)

    def _new_state(self, propagation: PropagationConfig | None) -> _VideoState:
        return _VideoState(propagation, self.score_threshold, self.forget_at_cuts)

    def _prepare(self, image: ImageArray) -> _Prepared:
        started = perf_counter()
        fitted = fit_letterbox(image.shape[1], image.shape[0], self.card.input)
        network_input = letterbox(image, fitted)[None]
        small = thumbnail(image)
        return _Prepared(network_input, fitted, small, perf_counter() - started)

    def _infer(self, picture: _Prepared) -> tuple[HeadOutput, float]:
        """Run the network on one picture, and say how long it took; called from several threads at once."""
        started = perf_counter()
        (output,) = self.backend.infer(picture.network_input)
        return output, perf_counter() - started

    def _detect(self, state: _VideoState, picture: _Prepared, output: HeadOutput) -> Detections:
        started = perf_counter()
        detections = state.detect(picture, output, self.card.stride)
        self.timings.frames += 1
        self.timings.letterbox += picture.seconds
        self.timings.propagate += perf_counter() - started
        return detections

    def _outputs(self, source: Source) -> Generator[tuple[Frame, _Prepared, HeadOutput], None, None]:
        """Yield frames in order with what the network says of them, working ahead by a few."""

        def prepared(video: VideoSource) -> Generator[tuple[Frame, _Prepared], None, None]:
            # In the thread that reads, while the frame is in the processor's cache.
            for frame in video:
                yield frame, self._prepare(frame.image)

        # More than the network takes at once, so that it never waits for Python.
        workers = self.backend.concurrency + 2
        with (
            _opened(source) as video,
            closing(map_ahead(prepared(video), lambda item: self._infer(item[1]), workers)) as ahead,
        ):
            for (frame, picture), (output, seconds), reading in ahead:
                self.timings.decode += reading - picture.seconds
                self.timings.network += seconds / workers
                yield frame, picture, output


def _opened(source: Source) -> AbstractContextManager[VideoSource]:
    """Open a source by its address; one that the caller opened stays the caller's to close."""
    if isinstance(source, str | int):
        return open_video(source)
    if isinstance(source, os.PathLike):
        return open_video(Path(source))
    return nullcontext(source)
