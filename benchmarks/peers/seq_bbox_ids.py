"""Identities by the links of Seq-Bbox Matching from frame to frame: overlap and scores, no motion, no memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from heatprop.offline.seqbbox import SeqBboxConfig, match_boxes
from heatprop.types import Detections


def seq_bbox_ids(
    detections: Sequence[Detections], config: SeqBboxConfig = SeqBboxConfig(), least: float = 0.05
) -> list[Detections]:
    """Number the objects of a video, online: whatever is linked to a box of the frame before has its id.

    Args:
        detections: of each frame, in order.
        config: of the links.
        least: detections below it are left out.
    """
    last, numbered, following = Detections.empty(), [], 0
    for found in detections:
        seen = found.select(found.scores >= least)
        before, now = match_boxes(last, seen, config.min_iou).T
        ids = np.full(len(seen), -1)
        ids[now] = last.track_ids[before]
        new = np.flatnonzero(ids < 0)
        ids[new] = following + np.arange(len(new))
        following += len(new)
        last = Detections(seen.boxes, seen.scores, seen.labels, track_ids=ids)
        numbered.append(last)
    return numbered
