"""Stills in other colours than BT.709, as a video says so -> BT.709, by the filter that videos go through."""

from __future__ import annotations

import os
import threading

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from heatprop.io.colour import ColourFilter, ColourSpace
from heatprop.io.pixels import SINGLE_THREAD
from heatprop.types import ImageArray

_WHITE = 65535


class _Prepared(threading.local):
    """The last filter of this thread, and in which process it was made: a child has none of its threads."""

    filter: ColourFilter | None = None
    process = 0


_prepared = _Prepared()


def to_bt709(values: np.ndarray, white: float, colours: ColourSpace) -> ImageArray:
    """Return R'G'B' in BT.709 as uint8 ``(H, W, 3)``.

    Args:
        values: R'G'B' in the other colours, ``(H, W, 3)``.
        white: the value that stands for a signal of 1.
        colours: what they are.
    """
    height, width, _ = values.shape
    if (
        _prepared.filter is None
        or _prepared.filter.fits != (colours, width, height)
        or _prepared.process != os.getpid()
    ):
        _prepared.filter, _prepared.process = ColourFilter(colours, width, height), os.getpid()
    signal = np.clip(np.rint(values * (_WHITE / white)), 0, _WHITE).astype(np.uint16)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(signal), format=ColourFilter.FORMAT)
    shown = VideoReformatter().reformat(_prepared.filter.convert(frame), format="rgb24", **SINGLE_THREAD)
    return np.ascontiguousarray(shown.to_ndarray(), np.uint8)
