"""Preprocessing: from the frames of a video to what the network takes, with its shots and its key frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heatprop.letterbox import InputFormat, Letterbox, fit_letterbox, letterbox
from heatprop.runtime.keyframes import FIRST_BEAT, Beat, KeyframeClock, change_between
from heatprop.runtime.motion import grey_image
from heatprop.runtime.shots import Shot, is_blank, thumbnail
from heatprop.types import ImageArray


@dataclass(frozen=True, slots=True, eq=False)
class PreparedFrame:
    """A frame made ready.

    Attributes:
        network_input: uint8 ``(1, H, W, 3)`` as backends take it; None where it is no key frame.
        grey: for `heatprop.runtime.motion`; None where nothing is followed.
        letterbox: how the frame lies in the input.
        starts_shot: whether another shot, or a frame of another shape, begins here.
        pace: of the clock when it was decided whether it is a key frame; 1 without a clock.
        shows_the_same: whether a shot that begins here shows what the one before showed: a stream was lost, and
            found again.
    """

    network_input: ImageArray | None
    grey: NDArray[np.uint8] | None
    letterbox: Letterbox
    starts_shot: bool
    pace: float
    shows_the_same: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the frames of a video so far say about how the next is prepared.

    Attributes:
        shot: the present one; None before the first frame.
        beat: of the key frames.
    """

    shot: Shot | None = None
    beat: Beat = FIRST_BEAT


@dataclass(frozen=True, slots=True, eq=False)
class Preprocessing:
    """How the frames of one video are prepared; it remembers nothing itself.

    Attributes:
        input_format: of the network's input.
        clock: decides which are key frames; None for every frame.
        forget_at_cuts: whether a cut begins a shot.
        sample_aspect_ratio: width of a pixel of the frames over its height; the network sees square pixels.
    """

    input_format: InputFormat
    clock: KeyframeClock | None
    forget_at_cuts: bool
    sample_aspect_ratio: float = 1.0

    def prepare(self, image: ImageArray, seen: Seen, *, starts_anew: bool = False) -> tuple[PreparedFrame, Seen]:
        """Prepare the next frame.

        Args:
            image: uint8 ``(H, W, 3)`` RGB.
            seen: what the frames before say; ``Seen()`` for the first.
            starts_anew: whether it does not follow the frame before, so that it begins a shot.

        Returns:
            The frame, and what it and those before say about the next.
        """
        shot = seen.shot
        fitted = fit_letterbox(image.shape[1], image.shape[0], self.input_format, self.sample_aspect_ratio)
        network_input = letterbox(image, fitted)
        small = thumbnail(image)
        ends_shot = shot is not None and shot.ends_at(fitted, small, at_cuts=self.forget_at_cuts)
        starts_shot = ends_shot or (starts_anew and shot is not None)
        blank = is_blank(small)
        is_key_frame, beat, grey, pace = True, seen.beat, None, 1.0
        if self.clock is not None:
            pace = self.clock.pace
            is_key_frame, beat = self.clock.tick(
                beat,
                change_between(None if shot is None else shot.thumbnail, small),
                force=starts_shot or shot is None or (shot.is_blank and not blank),
                postpone=blank,
            )
            grey = grey_image(network_input)
        # A flash or a black frame ends no shot: what comes after it is compared with what was before.
        if shot is None or fitted != shot.letterbox or not blank:
            shot = Shot(fitted, small, blank)
        frame = PreparedFrame(
            network_input[None] if is_key_frame else None,
            grey,
            fitted,
            starts_shot,
            pace,
            shows_the_same=starts_anew and not ends_shot,
        )
        return frame, Seen(shot, beat)
