"""Frames as libav holds them <-> RGB arrays, with the colour matrix and range that belong to them."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from heatprop.io.colour import UNSAID, ColourFilter, ColourSpace
from heatprop.io.display_matrix import DisplayMatrixReader
from heatprop.io.orientation import UPRIGHT, orientation_of
from heatprop.types import ImageArray

# Numbers of H.273 for matrices.
_RGB = 0
_UNSPECIFIED_MATRIX = (2, 3)
_KNOWN_MATRICES = frozenset({1, 4, 5, 6, 7, 9})
# libav converts none of the others. Constant luminance, ICtCp and IPT come with the primaries of BT.2020.
_BT2020 = 9
_NEAREST_MATRIX = MappingProxyType({10: _BT2020, 14: _BT2020, 15: _BT2020})
# Before PyAV 17 conversion had one thread and no such argument.
SINGLE_THREAD: dict[str, Any] = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}


def guess_matrix(width: int, height: int) -> Colorspace:
    """Return the matrix that players assume for an untagged video: BT.709 from HD on, else BT.601."""
    return Colorspace.ITU709 if width >= 1280 or height > 576 else Colorspace.ITU601


class RgbReader:
    """Turns libav frames into uint8 RGB ``(H, W, 3)`` of BT.709, upright and contiguous.

    It keeps libav's converters, which cost several times the conversion to set up.

    Attributes:
        orientation: how the last frame was laid.
        unknown_matrix: number (H.273) of the last frame's colour matrix where it is not known here, and another
            was taken; else None.
    """

    def __init__(self) -> None:
        self.orientation = UPRIGHT
        self.unknown_matrix: int | None = None
        self._matrices = DisplayMatrixReader()
        self._reformatter = VideoReformatter()
        self._narrower: VideoReformatter | None = None
        self._filter: ColourFilter | None = None

    def read(self, frame: av.VideoFrame, colours: ColourSpace = UNSAID) -> ImageArray:
        """Return the frame as uint8 RGB ``(H, W, 3)``, turned and mirrored as its display matrix says.

        Args:
            frame: as decoded.
            colours: what its stream says of them.
        """
        if colours.name is None:
            rgb = self._to_rgb(frame, "rgb24")
        else:
            rgb = self._convert(self._to_rgb(frame, ColourFilter.FORMAT), colours)
        image = np.ascontiguousarray(rgb.to_ndarray(), np.uint8)
        self.orientation = orientation_of(self._matrices.read(frame))
        return self.orientation.apply(image)

    def _to_rgb(self, frame: av.VideoFrame, pixel_format: str) -> av.VideoFrame:
        matrix = self._matrix_of(frame)
        # The formats named yuvj are full by themselves, whatever the tag says.
        is_full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
        own = frame.colorspace
        if self.unknown_matrix is not None:  # libav refuses it, whatever else is asked for
            frame.colorspace = matrix
        rgb = self._reformatter.reformat(
            frame,
            format=pixel_format,
            src_colorspace=matrix,
            # RGB has no matrix, but before PyAV 17 the source's only counted where the two differed.
            dst_colorspace=Colorspace.ITU601 if matrix == Colorspace.ITU709 else Colorspace.ITU709,
            src_color_range=ColorRange.JPEG if is_full else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            **SINGLE_THREAD,
        )
        frame.colorspace = own
        return rgb

    def _matrix_of(self, frame: av.VideoFrame) -> int:
        """Return the colour matrix to convert with: the frame's own, or the nearest that libav knows."""
        matrix, self.unknown_matrix = int(frame.colorspace), None
        if frame.format.is_rgb or matrix in _KNOWN_MATRICES:
            return matrix
        guess = guess_matrix(frame.width, frame.height)
        if matrix == _RGB or matrix in _UNSPECIFIED_MATRIX:
            return guess
        self.unknown_matrix = matrix
        return _NEAREST_MATRIX.get(matrix, guess)

    def _convert(self, rgb: av.VideoFrame, colours: ColourSpace) -> av.VideoFrame:
        if self._filter is None or self._narrower is None or self._filter.fits != (colours, rgb.width, rgb.height):
            self._filter = ColourFilter(colours, rgb.width, rgb.height)
            self._narrower = VideoReformatter()
        return self._narrower.reformat(self._filter.convert(rgb), format="rgb24", **SINGLE_THREAD)
