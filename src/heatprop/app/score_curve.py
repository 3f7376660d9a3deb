"""The paper's figure 4 for one object: its score over time by the network alone, and with propagation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from heatprop.app.kept_frames import KeptFrame
from heatprop.app.overview import SAME_OBJECT
from heatprop.app.replay import OutputForm
from heatprop.boxes import iou
from heatprop.letterbox import boxes_to_cells, fit_letterbox
from heatprop.runtime.kept_outputs import SCORE_STEPS
from heatprop.types import Detections, FloatArray

MOST_FRAMES = 512
BEFORE_AND_AFTER = 15
"""Frames before an object is first shown, and after it is last shown."""
_SHARE = 0.25  # of a box's sides: so far from its middle the network's peak for it may be


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """An object in a frame.

    Attributes:
        frame: number of the frame.
        box: float32 ``(4,)`` in its pixels.
        score: with propagation.
    """

    frame: int
    box: FloatArray
    score: float


def window_of(first: int, last: int, at: int, frames: int) -> tuple[int, int]:
    """Return which frames a curve covers, from the first up to another: all of an object, or those around `at`.

    >>> window_of(100, 120, 110, 1000), window_of(0, 5000, 2000, 6000)
    ((85, 136), (1744, 2256))
    """
    start, stop = max(first - BEFORE_AND_AFTER, 0), min(last + BEFORE_AND_AFTER + 1, frames)
    if stop - start > MOST_FRAMES:
        start = min(max(at - MOST_FRAMES // 2, start), stop - MOST_FRAMES)
        stop = start + MOST_FRAMES
    return start, stop


def sightings(found: Iterable[tuple[int, Detections | None]], number: int) -> list[Sighting]:
    """Return where the object of an id is shown, in frames with their numbers."""
    seen = []
    for frame, detections in found:
        if detections is None:
            continue
        for row in np.flatnonzero(detections.track_ids == number)[:1]:
            seen.append(Sighting(frame, detections.boxes[row], float(detections.scores[row])))
    return seen


def boxes_over_time(seen: Sequence[Sighting], start: int, stop: int) -> FloatArray:
    """Return the box of an object in each frame from `start` up to `stop`, float32 ``(F, 4)``.

    Between two frames that show it, its box goes straight from one to the other; before and after, it stays.

    Args:
        seen: where it is shown, at least once, by frame.
        start: number of a frame.
        stop: likewise.
    """
    frames = [each.frame for each in seen]
    boxes = np.stack([each.box for each in seen])
    wanted = np.arange(start, stop)
    return np.stack([np.interp(wanted, frames, side) for side in boxes.T], axis=1).astype(np.float32)


def network_score(frame: KeptFrame, box: FloatArray, label: int, form: OutputForm) -> float:
    """Return the network's own best score of a class near a box, also below any threshold; 0 where none is kept.

    Of a heatmap that is the best cell around the middle of the box; of boxes the best that overlaps it by
    `SAME_OBJECT`.

    Args:
        frame: with the outputs.
        box: ``(4,)`` in pixels of the frame.
        label: the class.
        form: what the outputs mean.
    """
    fitted = fit_letterbox(frame.width, frame.height, *form.input_for(frame.width, frame.height))
    ((x1, y1, x2, y2),) = boxes_to_cells(box[None], fitted, form.stride).astype(np.float64)
    output = frame.output
    if isinstance(output, Detections):
        near = (output.labels == label) & (iou(output.boxes, np.array([x1, y1, x2, y2])) >= SAME_OBJECT)
        return float(output.scores[near].max(initial=0))
    _, height, width = output.shape
    begin, end = np.searchsorted(output.cells, [label * height * width, (label + 1) * height * width])
    rows, columns = np.divmod(output.cells[begin:end] - label * height * width, width)
    reach_x, reach_y = (max(1.0, _SHARE * side) for side in (x2 - x1, y2 - y1))
    near = np.abs(columns + 0.5 - (x1 + x2) / 2) <= reach_x + 0.5
    near &= np.abs(rows + 0.5 - (y1 + y2) / 2) <= reach_y + 0.5
    return float(output.scores[begin:end][near].max(initial=0)) / SCORE_STEPS


def curve_to_json(start: int, network: Sequence[float | None], seen: Sequence[Sighting]) -> dict[str, Any]:
    """Return a curve as the page takes it; null where nothing is shown, or known."""
    score_of = {each.frame: round(each.score, 3) for each in seen}
    return {
        "from": start,
        "network": [None if each is None else round(each, 3) for each in network],
        "propagated": [score_of.get(start + number) for number in range(len(network))],
    }
