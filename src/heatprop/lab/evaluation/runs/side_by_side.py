"""Several methods on one network's outputs: the network runs once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.runs.methods import Method, finish_video
from heatprop.lab.evaluation.runs.running import ImageNetwork
from heatprop.runtime.pipeline import map_ahead
from heatprop.types import Detections


def detect_side_by_side(
    dataset: VideoDataset, network: ImageNetwork, methods: Mapping[str, Method]
) -> dict[str, DetectionTable]:
    """Detect in a dataset by several methods.

    Args:
        dataset: its images must be there.
        network: runs on each image once.
        methods: by name.

    Returns:
        The detections of each method, by its name.

    Raises:
        SourceError: an image is missing or damaged.
        InvalidArrayError: an output of the network is broken.
    """
    found: dict[str, list[tuple[int, Detections]]] = {name: [] for name in methods}
    for video in dataset.videos:
        at_work = {name: network.begin(method) for name, method in methods.items()}
        frames: dict[str, list[Detections]] = {name: [] for name in methods}
        paths = (Path(dataset.image_paths[row]) for row in video.rows)
        with closing(map_ahead(paths, network.infer, network.backend.concurrency + 2)) as seen:
            for _, (fitted, output) in seen:
                for name, method in at_work.items():
                    frames[name].append(method.update(output, fitted))
        for name, each in methods.items():
            found[name] += zip(video.rows, finish_video(each, frames[name]), strict=True)
    return {name: DetectionTable.from_frames(each) for name, each in found.items()}
