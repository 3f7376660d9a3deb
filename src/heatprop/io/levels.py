"""Images deeper than 8 bits: how much of their range they use, and how that becomes 8 bits.

Cameras of 10, 12 and 14 bits write 16-bit files whose values end far below 65,535. Taken by the file's range they
would be almost black. One scale holds for all images of a sequence, so that brightness does not flicker.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from heatprop.types import ImageArray

EIGHT_BITS = 255
_DEPTHS = (8, 10, 12, 14, 16, 32)
# By bytes of a value: what is larger needs all its bits.
_LARGEST_PART = {2: 2**14 - 1, 4: 2**16 - 1}


@dataclass(frozen=True, slots=True)
class Levels:
    """What becomes white.

    Attributes:
        white: the value that becomes 255; what lies above becomes 255 too, and 0 and less black.
        is_part: whether the files could hold much more, such as 12 bits in 16.

    Example:
        >>> Levels.of([np.array([0, 3900], np.uint16)])
        Levels(white=4095.0, is_part=True)
    """

    white: float
    is_part: bool = False

    @classmethod
    def of(cls, images: Iterable[np.ndarray]) -> Levels:
        """Return the levels that fit all these images.

        Whole numbers: the least of 8, 10, 12, 14, 16 and 32 bits that holds them. Other numbers: 1 where none is
        larger, else 255, else as whole numbers. What is not finite is passed over. Once whole numbers need all
        bits of their type, no further image is taken.
        """
        greatest, is_real, widest = 0.0, False, 8
        for image in images:
            is_real |= image.dtype.kind == "f"
            widest = max(widest, image.dtype.itemsize * 8)
            values = image[np.isfinite(image)] if image.dtype.kind == "f" else image
            greatest = max(greatest, float(values.max())) if values.size else greatest
            if image.dtype.kind == "u" and greatest > _LARGEST_PART.get(image.dtype.itemsize, np.inf):
                break
        if is_real and greatest <= 1:
            return cls(1.0)
        bits = next((bits for bits in _DEPTHS if greatest <= 2**bits - 1), None)
        if bits is None:
            return cls(greatest)
        return cls(float(2**bits - 1), not is_real and bits < widest)

    @property
    def bits(self) -> int:
        """How many bits `white` has."""
        return math.ceil(math.log2(self.white + 1))


def to_eight_bits(image: np.ndarray, levels: Levels) -> ImageArray:
    """Return an image of any depth as uint8, scaled so that ``levels.white`` becomes 255.

    Example:
        >>> to_eight_bits(np.array([0, 2048, 4095, 9000], np.uint16), Levels(4095))
        array([  0, 128, 255, 255], dtype=uint8)
    """
    if image.dtype == np.uint8 and levels.white == EIGHT_BITS:
        return image
    if image.dtype == np.uint16:
        table = np.minimum(np.rint(np.arange(1 << 16) * (EIGHT_BITS / levels.white)), EIGHT_BITS)
        return np.asarray(table.astype(np.uint8)[image], np.uint8)
    values = np.nan_to_num(image.astype(np.float64), nan=0.0, posinf=levels.white, neginf=0.0)
    return np.clip(np.rint(values * (EIGHT_BITS / levels.white)), 0, EIGHT_BITS).astype(np.uint8)
