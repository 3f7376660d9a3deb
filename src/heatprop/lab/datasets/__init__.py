"""Annotated videos: what a dataset is, and readers of the layouts in which people keep them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias, get_args

from heatprop.lab.datasets.annotations import DatasetError, GroundTruth, Video, VideoDataset
from heatprop.lab.datasets.coco_video import load_coco_video
from heatprop.lab.datasets.imagenet_vid import load_imagenet_vid
from heatprop.lab.datasets.mot_challenge import load_mot_challenge

__all__ = [
    "DatasetError",
    "GroundTruth",
    "Layout",
    "Video",
    "VideoDataset",
    "load_coco_video",
    "load_dataset",
    "load_imagenet_vid",
    "load_mot_challenge",
]


Layout: TypeAlias = Literal["imagenet-vid", "coco-video", "mot-challenge"]


def load_dataset(layout: Layout, root: str | Path, split: str = "val") -> VideoDataset:
    """Read an annotated dataset.

    Args:
        layout: "imagenet-vid", "coco-video" or "mot-challenge".
        root: its folder; for coco-video also the JSON file.
        split: of ImageNet VID or MOTChallenge; a CocoVID file is one split.

    Raises:
        DatasetError: the layout is unknown, or the dataset missing, empty or damaged; the message names the file.
    """
    if layout == "imagenet-vid":
        return load_imagenet_vid(root, split)
    if layout == "coco-video":
        return load_coco_video(root)
    if layout == "mot-challenge":
        return load_mot_challenge(root, split)
    raise DatasetError(f"layout {layout!r} is unknown; choose one of {', '.join(get_args(Layout))}")
