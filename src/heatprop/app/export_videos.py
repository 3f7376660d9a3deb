"""Videos of what a run shows: its proxy with boxes drawn on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from heatprop.drawing import draw, side_by_side
from heatprop.io.sinks import VideoSink
from heatprop.io.sources import SourceInfo
from heatprop.types import Detections, ImageArray

View: TypeAlias = Literal["propagated", "alone", "both"]
CAPTIONS = ("network alone", "with propagation")


def write_video(path: Path, rate: int, frames: Iterable[tuple[float, ImageArray]]) -> None:
    """Write drawn frames, with their times in seconds, the first at 0; the suffix says which format.

    Raises:
        OutputError: it cannot be written.
    """
    sink: VideoSink | None = None
    try:
        for time, image in frames:
            if sink is None:
                height, width = image.shape[:2]
                info = SourceInfo(path.stem, width, height, Fraction(rate), None, None, False, False)
                sink = VideoSink(path, info)
            sink.write(image, time)
    except BaseException:
        if sink is not None:
            sink.discard()
        raise
    if sink is not None:
        sink.close()


def drawn(
    images: Iterable[ImageArray],
    sides: Iterator[Sequence[Detections]],
    classes: Sequence[str],
    scale: tuple[float, float],
) -> Iterator[ImageArray]:
    """Yield images with what is found in them: one side, or the network alone beside propagation.

    Args:
        images: uint8 ``(H, W, 3)`` RGB.
        sides: of each image the detections of one side or of two.
        classes: a name for each label.
        scale: pixels of the image for one of the frame, along x and y.
    """
    for image, found in zip(images, sides, strict=True):
        panels = [draw(image, scaled(each, scale), classes, draw_ids=True) for each in found]
        yield panels[0] if len(panels) == 1 else side_by_side(panels[0], panels[1], CAPTIONS)


def scaled(detections: Detections, scale: tuple[float, float]) -> Detections:
    """Return detections with boxes in other pixels."""
    return replace(detections, boxes=detections.boxes * np.array(scale * 2, np.float32))
