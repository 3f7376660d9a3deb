"""The display matrix of a video: how its images are turned and mirrored before anybody sees them."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from heatprop.types import ImageArray

# The nine whole numbers row by row; the first two columns have 16 bits after the point.
_MATRIX = struct.Struct("=9i")
_ONE = 1 << 16
# How far, of 1, sine and cosine may lie from 0 or 1 before a turn is called inexact: half a degree.
_INEXACT = math.sin(math.radians(0.5))


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the eight ways to lay a rectangle on itself: transpose first, then flip.

    Attributes:
        transposed: rows and columns change places.
        flipped: top and bottom change places, afterwards.
        mirrored: left and right change places, afterwards.
        is_exact: whether the matrix asks for just this, and not for a turn between two of the eight.

    Example:
        >>> image = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
        >>> Orientation(transposed=True, mirrored=True).apply(image)[..., 0]
        array([[3, 0],
               [4, 1],
               [5, 2]], dtype=uint8)
    """

    transposed: bool = False
    flipped: bool = False
    mirrored: bool = False
    is_exact: bool = True

    def apply(self, image: ImageArray) -> ImageArray:
        """Return the image uint8 ``(H, W, C)`` as it is to be seen; itself where nothing is to do."""
        if self.transposed:
            image = np.asarray(cv2.transpose(image), np.uint8).reshape(image.shape[1], image.shape[0], -1)
        if self.flipped or self.mirrored:
            code = -1 if self.flipped and self.mirrored else 0 if self.flipped else 1
            image = np.asarray(cv2.flip(image, code), np.uint8).reshape(*image.shape[:2], -1)
        return image

    def shape_of_pixels(self, ratio: Fraction) -> Fraction:
        """Return the width of a pixel over its height after this, from the same before."""
        return 1 / ratio if self.transposed else ratio


UPRIGHT = Orientation()


def orientation_of(matrix: bytes | None) -> Orientation:
    """Return how an image is to be laid, by the display matrix that comes with it, as it lies in memory."""
    return follow_matrix(_MATRIX.unpack(matrix)) if matrix and len(matrix) == _MATRIX.size else UPRIGHT


def follow_matrix(matrix: tuple[int, ...]) -> Orientation:
    """Return which of the eight orientations is nearest to a display matrix.

    Args:
        matrix: nine whole numbers ``a b u, c d v, x y w`` as in ISO/IEC 14496-12: a stored point (p, q) is seen at
            (a p + c q + x, b p + d q + y), with p and x to the right, q and y down. Moving is of no importance,
            nor is scaling by a positive factor; a matrix that flattens the image is passed over.

    Example:
        >>> one = 1 << 16
        >>> follow_matrix((-one, 0, 0, 0, one, 0, 0, 0, 1 << 30))
        Orientation(transposed=False, flipped=False, mirrored=True, is_exact=True)
    """
    a, b, c, d = (matrix[place] / _ONE for place in (0, 1, 3, 4))
    right, down = math.hypot(a, b), math.hypot(c, d)
    if not right or not down or abs(a * d - b * c) < _INEXACT * right * down:
        return UPRIGHT
    a, b, c, d = a / right, b / right, c / down, d / down
    straight, turned = abs(a) + abs(d), abs(b) + abs(c)
    if turned > straight:
        # A row becomes a column: p goes to q.
        return Orientation(transposed=True, flipped=b < 0, mirrored=c < 0, is_exact=max(abs(a), abs(d)) < _INEXACT)
    return Orientation(flipped=d < 0, mirrored=a < 0, is_exact=max(abs(b), abs(c)) < _INEXACT)
