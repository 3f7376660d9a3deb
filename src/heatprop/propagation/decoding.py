"""From sites to detections: the strongest peaks become boxes, and the weaker of those that overlap go.

`best_sites` and `detect` take any evidence, balanced with the past or not; `decode` takes a frame by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from heatprop.boxes import nms
from heatprop.heatmaps import Known, strongest
from heatprop.propagation.config import DecodingConfig
from heatprop.propagation.evidence import Evidence
from heatprop.propagation.grid_evidence import GridEvidence
from heatprop.types import Detections, FloatArray, HeadOutput, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The detections of a frame, by falling score.

    Attributes:
        rows: which of the sites that were given they are of, int64 ``(N,)``.
        labels: int64 ``(N,)``.
        centres: of the sites, ``(N, 2)``.
        scores: float32 ``(N,)``.
        sizes: float32 ``(N, 2)`` or ``(N, 4)``.
        boxes: float32 ``(N, 4)``.
    """

    rows: IntArray
    labels: IntArray
    centres: NDArray[Any]
    scores: FloatArray
    sizes: FloatArray
    boxes: FloatArray


def best_sites(seen: Evidence, config: DecodingConfig, window: int = 3, known: Known | None = None) -> IntArray:
    """Return the sites of the strongest peaks, best first, int64 ``(N,)``; equal ones in the order of sites.

    Args:
        seen: the frame, as it is, or balanced with the past.
        config: thresholds.
        window: see `Evidence.peaks`.
        known: see `Evidence.peaks`.

    Raises:
        InvalidArrayError: a score is not within [0, 1].
    """
    return strongest(seen.peaks(config.score_threshold, window, known), seen.scores, config.max_detections)


def detect(seen: Evidence, sites: IntArray, sizes: FloatArray, nms_iou: float) -> Found:
    """Make boxes of sites, and suppress the weaker of those that overlap.

    Args:
        seen: the frame.
        sites: best first, int64 ``(N,)``.
        sizes: of the boxes, float32 ``(N, 2)`` or ``(N, 4)``; the network's, or mixed by equation 7.
        nms_iou: see `DecodingConfig`.

    Raises:
        InvalidArrayError: an offset is not finite.
    """
    labels, centres = seen.places(sites)
    boxes = seen.boxes(sites, centres, sizes)
    kept = nms(boxes, labels, nms_iou)
    return Found(kept, labels[kept], centres[kept], seen.scores[sites[kept]], sizes[kept], boxes[kept])


def decode(
    output: HeadOutput,
    *,
    score_threshold: float = DecodingConfig.score_threshold,
    max_detections: int = DecodingConfig.max_detections,
    nms_iou: float = DecodingConfig.nms_iou,
) -> Detections:
    """Turn the network's output for one frame into detections, without other frames.

    Peaks are cells not below their 8 neighbours of the same class; the best `max_detections` of at least
    `score_threshold` become boxes by equation 1, and the weaker of two boxes of a class that overlap by more
    than `nms_iou` goes. Equal scores: the lower flat index ``(class, row, column)`` comes first.

    Args:
        output: heatmap, sizes and offsets of one frame.
        score_threshold: see `DecodingConfig`.
        max_detections: see `DecodingConfig`.
        nms_iou: see `DecodingConfig`.

    Returns:
        Boxes in cells of the output grid, by falling score; every length is 1.

    Raises:
        InvalidArrayError: the heatmap leaves [0, 1] or holds NaN, or a size or offset at a peak is not finite.
        InvalidConfigError: a setting lies outside its range.

    Example:
        >>> import numpy as np
        >>> heatmap, size = np.zeros((3, 8, 8)), np.full((2, 8, 8), 4.0)
        >>> heatmap[2, 5, 3] = 0.9
        >>> found = decode(HeadOutput(heatmap, size))
        >>> found.boxes.tolist(), found.labels.tolist()
        ([[1.0, 3.0, 5.0, 7.0]], [2])

    Source: equation 1 and section 4.1 of the paper; CenterNet's ``ctdet_decode``.
    """
    config = DecodingConfig(score_threshold=score_threshold, max_detections=max_detections, nms_iou=nms_iou)
    seen = GridEvidence(output)
    sites = best_sites(seen, config)
    found = detect(seen, sites, seen.sizes(sites), config.nms_iou)
    return Detections(found.boxes, found.scores, found.labels)
