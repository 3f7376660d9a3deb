"""Shots and the cuts between them: where nothing that was seen before is there any more."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from heatprop.letterbox import Letterbox
from heatprop.types import ImageArray

_SIDE = 32
# Between what camera movement does and what cuts do: see docs/decisions/005-cuts.md.
_MIN_DIFFERENCE = 30.0
_MAX_CORRELATION = 0.75
_MIN_CONTRAST = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """What the last frame of a shot says about whether the next one goes on with it.

    Attributes:
        letterbox: how its frames lie in the network's input.
        thumbnail: of the last frame that is not blank; see `thumbnail`.
        is_blank: whether there has been no such frame yet.
    """

    letterbox: Letterbox
    thumbnail: NDArray[np.float32]
    is_blank: bool

    def ends_at(self, letterbox: Letterbox, small: NDArray[np.float32], *, at_cuts: bool) -> bool:
        """Say whether a frame that comes next begins another shot, being of another shape or after a cut.

        Args:
            letterbox: of the frame.
            small: its thumbnail.
            at_cuts: whether a cut ends a shot.
        """
        if letterbox != self.letterbox:
            return True
        if not at_cuts or self.is_blank or is_blank(small):
            return False
        return is_cut(self.thumbnail, small)


def thumbnail(image: ImageArray) -> NDArray[np.float32]:
    """Return the frame's averages on 32 x 32 fields, float32 ``(32, 32, 3)``, from a sample of its pixels.

    Args:
        image: uint8 ``(H, W, 3)``.
    """
    sample = cv2.resize(
        image, (4 * _SIDE, 4 * _SIDE), interpolation=cv2.INTER_NEAREST
    )  # 16 pixels a field will do
    return cv2.resize(sample, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)


def is_blank(thumbnail: NDArray[np.float32]) -> bool:
    """Say whether a thumbnail shows next to nothing: a black frame, a flash, a fade. It belongs to no shot."""
    return bool(thumbnail.mean(axis=2).std() < _MIN_CONTRAST)


def is_cut(before: NDArray[np.float32], after: NDArray[np.float32]) -> bool:
    """Say whether two frames belong to different shots, from their thumbnails, neither of them blank.

    The colours must differ widely, and the pattern of light and dark as well, so that a change of exposure is
    no cut.

    >>> stripes = np.where(np.arange(32)[:, None] % 8 < 4, 200, 20)[..., None] * np.ones(3, np.float32)
    >>> is_cut(stripes, stripes[::-1]), is_cut(stripes, stripes * np.float32(0.3))
    (True, False)
    """
    if np.abs(after - before).mean() <= _MIN_DIFFERENCE:
        return False
    first, second = (thumbnail.mean(axis=2) - thumbnail.mean() for thumbnail in (before, after))
    correlation = (first * second).mean() / max(float(first.std() * second.std()), 1e-6)
    return bool(correlation < _MAX_CORRELATION)
