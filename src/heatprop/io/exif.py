"""How an image is to be laid, by what EXIF (CIPA DC-008) and TIFF say of it."""

from __future__ import annotations

import struct

from heatprop.io.orientation import UPRIGHT, Orientation
from heatprop.io.tiff_directories import ORIENTATION, TIFF_STARTS, directory_at

# By the numbers 1 to 8.
_ORIENTATIONS = (
    UPRIGHT,
    Orientation(mirrored=True),
    Orientation(flipped=True, mirrored=True),
    Orientation(flipped=True),
    Orientation(transposed=True),
    Orientation(transposed=True, mirrored=True),
    Orientation(transposed=True, flipped=True, mirrored=True),
    Orientation(transposed=True, flipped=True),
)


def exif_orientation(data: bytes) -> Orientation:
    """Return the orientation that EXIF says; what cannot be read says nothing."""
    try:
        if data.startswith(TIFF_STARTS):
            return orientation_of_number(directory_at(data).number(data, ORIENTATION, 1))
    except (struct.error, ValueError):
        pass
    return UPRIGHT


def orientation_of_number(number: int) -> Orientation:
    """Return the orientation of a number from 1 to 8; another says nothing.

    Example:
        >>> orientation_of_number(6)
        Orientation(transposed=True, flipped=False, mirrored=True, is_exact=True)
    """
    return _ORIENTATIONS[number - 1] if 1 <= number <= len(_ORIENTATIONS) else UPRIGHT
