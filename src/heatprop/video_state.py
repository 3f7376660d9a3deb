"""What a detector knows of one video: where its shots begin, where the network looks, what is carried on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heatprop.filling import fill_between
from heatprop.keyframes import KeyframeClock, change_between
from heatprop.letterbox import InputFormat, Letterbox, boxes_to_frame, fit_letterbox, letterbox
from heatprop.motion import GREY_SCALE, follow_boxes, grey_picture
from heatprop.propagation import HeatmapPropagator, PropagationConfig, decode
from heatprop.shots import is_blank, is_cut, thumbnail
from heatprop.types import Detections, FloatArray, HeadOutput, ImageArray

_Grey = NDArray[np.uint8]
_NO_BOXES: FloatArray = np.empty((0, 4), np.float32)


class Remembers(Protocol):
    """What has a past: its `memory` can be taken, and given back."""

    memory: Any


@contextmanager
def whole_or_not(*parts: Remembers) -> Iterator[None]:
    """Let all of what stands within happen, or nothing of it: where it fails, each part gets its memory back."""
    before = [part.memory for part in parts]
    try:
        yield
    except BaseException:
        for part, memory in zip(parts, before, strict=True):
            part.memory = memory
        raise


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A frame made ready.

    Attributes:
        network_input: uint8 ``(1, H, W, 3)`` as backends take it; None where the network does not look.
        grey: for `heatprop.motion`; None where nothing is followed.
        fitted: how the frame lies in the input.
        starts_shot: whether another shot, or a picture of another shape, begins here.
        pace: of the clock when it was decided whether the network looks; 1 without a clock.
        seconds: what it took.
    """

    network_input: ImageArray | None
    grey: _Grey | None
    fitted: Letterbox
    starts_shot: bool
    pace: float
    seconds: float


class PictureMaker:
    """Makes the frames of one video ready, in order; finds its cuts, and says where the network looks.

    Args:
        form: of the network's input.
        clock: when it looks; None for every frame.
        forget_at_cuts: whether a cut begins a shot.
        sample_aspect_ratio: width of a pixel of the frames over its height; the network sees square pixels.
    """

    def __init__(
        self,
        form: InputFormat,
        clock: KeyframeClock | None,
        forget_at_cuts: bool,
        sample_aspect_ratio: float = 1.0,
    ) -> None:
        self._form, self._clock, self._forget_at_cuts = form, clock, forget_at_cuts
        self._sample_aspect_ratio = sample_aspect_ratio
        self._fitted: Letterbox | None = None
        self._thumbnail: NDArray[np.float32] | None = None
        self._is_blank = False

    @property
    def memory(self) -> tuple[Any, ...]:
        """What the frames so far mean for the next."""
        return self._fitted, self._thumbnail, self._is_blank, None if self._clock is None else self._clock.memory

    @memory.setter
    def memory(self, memory: tuple[Any, ...]) -> None:
        self._fitted, self._thumbnail, self._is_blank, clock = memory
        if self._clock is not None:
            self._clock.memory = clock

    def make(self, image: ImageArray, *, starts_anew: bool = False) -> Picture:
        """Make the next frame ready. A frame for which that fails counts as not given.

        Args:
            image: uint8 ``(H, W, 3)`` RGB.
            starts_anew: whether it does not follow the frame before, so that it begins a shot.
        """
        with whole_or_not(self):
            return self._made(image, starts_anew=starts_anew)

    def _made(self, image: ImageArray, *, starts_anew: bool) -> Picture:
        started = perf_counter()
        fitted = fit_letterbox(image.shape[1], image.shape[0], self._form, self._sample_aspect_ratio)
        network_input = letterbox(image, fitted)
        small = thumbnail(image)
        starts_shot = self._fitted is not None and (starts_anew or self._is_another_shot(fitted, small))
        looks, grey, pace = True, None, 1.0
        blank = is_blank(small)
        if self._clock is not None:
            pace = self._clock.pace
            looks = self._clock.looks(
                change_between(self._thumbnail, small),
                at_once=starts_shot or self._fitted is None or (self._is_blank and not blank),
                put_off=blank,
            )
            grey = grey_picture(network_input)
        # A flash or a black frame ends no shot: what comes after it is compared with what was before.
        if fitted != self._fitted or not blank:
            self._fitted, self._thumbnail, self._is_blank = fitted, small, blank
        seconds = perf_counter() - started
        return Picture(network_input[None] if looks else None, grey, fitted, starts_shot, pace, seconds)

    def _is_another_shot(self, fitted: Letterbox, small: NDArray[np.float32]) -> bool:
        last = self._thumbnail
        if fitted != self._fitted or last is None:
            return True
        if not self._forget_at_cuts or is_blank(small) or self._is_blank:
            return False
        return is_cut(last, small)


class VideoState:
    """Turns what the network says of the frames of one video into detections; holds all that is carried on.

    Args:
        propagation: None for the network alone.
        score_threshold: of the detections.
        stride: pixels of the network's input for one cell.
        fills_between: whether frames without a look wait for the next look.
    """

    def __init__(
        self, propagation: PropagationConfig | None, score_threshold: float, stride: int, *, fills_between: bool
    ) -> None:
        self._propagator = None if propagation is None else HeatmapPropagator(propagation)
        self._score_threshold, self._stride, self._fills_between = score_threshold, stride, fills_between
        self._grey_stride = stride * GREY_SCALE
        self._last = Detections.empty()
        self._before: Picture | None = None
        self._moved = _NO_BOXES
        self._waiting: list[Picture] = []
        self._forward: list[FloatArray] = []

    @property
    def memory(self) -> tuple[Any, ...]:
        """What the frames so far mean for the next, those that wait for a look included."""
        carried = None if self._propagator is None else self._propagator.memory
        return self._last, self._before, self._moved, (*self._waiting,), (*self._forward,), carried

    @memory.setter
    def memory(self, memory: tuple[Any, ...]) -> None:
        self._last, self._before, self._moved, waiting, forward, carried = memory
        self._waiting, self._forward = [*waiting], [*forward]
        if self._propagator is not None:
            self._propagator.memory = carried

    def push(self, picture: Picture, output: HeadOutput | None) -> list[Detections]:
        """Take the next frame; one for which that fails counts as not given.

        Args:
            picture: the frame.
            output: what the network says of it; None where it did not look. The first of a shot needs it.

        Returns:
            The detections of the frames that are finished by it, in their order; boxes in pixels, clipped, by
            falling score.

        Raises:
            InvalidArrayError: the output is broken; see `HeatmapPropagator.update`.
        """
        with whole_or_not(self):
            return self._pushed(picture, output)

    def _pushed(self, picture: Picture, output: HeadOutput | None) -> list[Detections]:
        finished: list[Detections] = []
        if picture.starts_shot:
            finished += self.finish()
            self._last, self._moved, self._forward, self._before = Detections.empty(), _NO_BOXES, [], None
            if self._propagator is not None:
                self._propagator.forget()
        if output is None or self._forward:
            self._follow(picture)
        self._before = picture
        if output is None:
            self._waiting.append(picture)
            return finished if self._fills_between else finished + self.finish()
        self._move_carried()
        found = self._look(output, picture)
        if self._waiting:
            between = fill_between(
                self._last,
                self._forward,
                found,
                lambda boxes: self._back(picture, boxes),
                least_score=self._score_threshold,
            )
            finished += [self._filled(*each) for each in zip(between, self._waiting, strict=True)]
        finished.append(self._shown(found, picture))
        self._last, self._moved, self._waiting, self._forward = found, found.boxes, [], []
        return finished

    def finish(self) -> list[Detections]:
        """Return the detections of the frames that still wait for a look, from the past alone."""
        boxes = self._forward[len(self._forward) - len(self._waiting) :]
        last = self._last
        finished = [
            self._filled(replace(last, boxes=each), picture)
            for each, picture in zip(boxes, self._waiting, strict=True)
        ]
        self._waiting = []
        return finished

    def _look(self, output: HeadOutput, picture: Picture) -> Detections:
        if self._propagator is None:
            return decode(output, score_threshold=self._score_threshold)
        area = picture.fitted.picture_area(self._stride)
        return self._propagator.update(output, overwrite=True, picture=area)

    def _follow(self, picture: Picture) -> None:
        """Let the boxes of the last look go on to this frame."""
        before = self._before
        if before is not None and before.grey is not None and picture.grey is not None:
            self._moved = self._followed(before.grey, picture.grey, self._moved)
            self._forward.append(self._moved)

    def _followed(self, before: _Grey, after: _Grey, boxes: FloatArray) -> FloatArray:
        return follow_boxes(before, after, boxes * np.float32(self._grey_stride)) / np.float32(self._grey_stride)

    def _back(self, picture: Picture, boxes: FloatArray) -> Sequence[FloatArray]:
        """Follow boxes from a look backwards through the waiting frames."""
        places, after = [], picture
        for before in reversed(self._waiting):
            if after.grey is not None and before.grey is not None:
                boxes = self._followed(after.grey, before.grey, boxes)
            places.append(boxes)
            after = before
        return places

    def _move_carried(self) -> None:
        """Move what propagation carries by as much as its boxes went since the last look."""
        if self._propagator is None or not self._forward or not len(self._last):
            return
        before, now = self._last.boxes, self._moved
        shifts = (now[:, :2] + now[:, 2:] - before[:, :2] - before[:, 2:]) / np.float32(2)
        width, was = now[:, 2] - now[:, 0], before[:, 2] - before[:, 0]
        growth = np.divide(width, was, out=np.ones(len(now), np.float32), where=was > 0)
        self._propagator.move(shifts, growth)

    def _filled(self, found: Detections, picture: Picture) -> Detections:
        """Return what is shown of a frame without a look: nothing that has left the picture."""
        shown = self._shown(found, picture)
        width, height = (shown.boxes[:, 2:] - shown.boxes[:, :2]).T
        return shown.select((width > 0) & (height > 0))

    def _shown(self, found: Detections, picture: Picture) -> Detections:
        shown = found.select(found.scores >= self._score_threshold)
        return replace(shown, boxes=boxes_to_frame(shown.boxes, picture.fitted, self._stride))
