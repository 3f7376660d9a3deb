"""Pictures as libav holds them <-> RGB arrays, with the colour matrix and range that belong to them."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from heatprop.io.colour import UNSAID, ColourFilter, ColourSpace
from heatprop.io.orientation import UPRIGHT, orientation_of
from heatprop.types import ImageArray

_UNSPECIFIED_MATRIX = (2, 3)
# Numbers of H.273 for matrices that libav does not know: it takes them for that of BT.601.
UNKNOWN_MATRICES = frozenset({8, 11, 12, 13, 14, 15, 16, 17})
# Before PyAV 17 conversion had one thread and no such argument.
SINGLE_THREAD: dict[str, Any] = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}


def guess_matrix(width: int, height: int) -> Colorspace:
    """Return the matrix that players assume for an untagged video: BT.709 from HD on, else BT.601."""
    return Colorspace.ITU709 if width >= 1280 or height > 576 else Colorspace.ITU601


class RgbReader:
    """Turns libav pictures into uint8 RGB ``(H, W, 3)`` of BT.709, upright and contiguous.

    It keeps libav's converters, which cost several times the conversion to set up.

    Attributes:
        orientation: how the last picture was laid.
    """

    def __init__(self) -> None:
        self.orientation = UPRIGHT
        self._reformatter = VideoReformatter()
        self._narrower: VideoReformatter | None = None
        self._filter: ColourFilter | None = None

    def read(self, picture: av.VideoFrame, colours: ColourSpace = UNSAID) -> ImageArray:
        """Return the picture as uint8 RGB ``(H, W, 3)``, turned and mirrored as its display matrix says.

        Args:
            picture: as decoded.
            colours: what its stream says of them.
        """
        if colours.name is None:
            rgb = self._to_rgb(picture, "rgb24")
        else:
            rgb = self._convert(self._to_rgb(picture, ColourFilter.FORMAT), colours)
        image = np.ascontiguousarray(rgb.to_ndarray(), np.uint8)
        self.orientation = orientation_of(picture)
        return self.orientation.apply(image)

    def _to_rgb(self, picture: av.VideoFrame, pixel_format: str) -> av.VideoFrame:
        matrix = int(picture.colorspace)
        if matrix in _UNSPECIFIED_MATRIX:
            matrix = guess_matrix(picture.width, picture.height)
        # The formats named yuvj are full by themselves, whatever the tag says.
        is_full = picture.color_range == ColorRange.JPEG or picture.format.name.startswith("yuvj")
        return self._reformatter.reformat(
            picture,
            format=pixel_format,
            src_colorspace=matrix,
            # RGB has no matrix, but before PyAV 17 the source's only counted where the two differed.
            dst_colorspace=Colorspace.ITU601 if matrix == Colorspace.ITU709 else Colorspace.ITU709,
            src_color_range=ColorRange.JPEG if is_full else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            **SINGLE_THREAD,
        )

    def _convert(self, rgb: av.VideoFrame, colours: ColourSpace) -> av.VideoFrame:
        if self._filter is None or self._narrower is None or self._filter.fits != (colours, rgb.width, rgb.height):
            self._filter = ColourFilter(colours, rgb.width, rgb.height)
            self._narrower = VideoReformatter()
        return self._narrower.reformat(self._filter.convert(rgb), format="rgb24", **SINGLE_THREAD)
