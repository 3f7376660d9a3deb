"""Detections of a whole dataset, made anywhere, propagated video by video: no image is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from heatprop.errors import InvalidArrayError
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.propagation import DetectionPropagator, PropagationConfig
from heatprop.types import Detections


def propagated(
    dataset: VideoDataset,
    table: DetectionTable,
    config: PropagationConfig,
    *,
    on_frame: Callable[[], None] = lambda: None,
) -> DetectionTable:
    """Return detections with those of the frames before propagated into each frame, in the order of frames.

    Where the size of the frames changes within a video, propagation starts anew.

    Args:
        dataset: says which frames follow one another, and their sizes.
        table: of its frames, in any order.
        config: of propagation.
        on_frame: called before each frame.

    Raises:
        InvalidArrayError: a score is not within [0, 1], or a box cannot be; the message names the frame.
    """
    order = np.argsort(table.frames, kind="stable")
    bounds = np.searchsorted(table.frames[order], np.arange(dataset.frame_count + 1))

    def steps() -> Iterator[tuple[int, Detections]]:
        for video in dataset.videos:
            propagator = DetectionPropagator(config)
            size = None
            for row in video.rows:
                on_frame()
                width, height = dataset.image_sizes[row].tolist()
                if size not in (None, (height, width)):
                    propagator.reset()
                size = (height, width)
                seen = table.select(order[bounds[row] : bounds[row + 1]])
                try:
                    yield (
                        row,
                        propagator.update(
                            Detections(seen.boxes.astype(np.float32), seen.scores.astype(np.float32), seen.labels),
                            size,
                        ),
                    )
                except InvalidArrayError as error:
                    raise InvalidArrayError(f"frame {dataset.frame_names[row]}: {error}") from None

    return DetectionTable.from_frames(steps())
