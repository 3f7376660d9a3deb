"""Annotated videos: what a dataset is, and readers of the layouts in which people keep them."""

from heatprop.lab.datasets.annotations import DatasetError, GroundTruth, Video, VideoDataset
from heatprop.lab.datasets.coco_video import load_coco_video
from heatprop.lab.datasets.imagenet_vid import load_imagenet_vid
from heatprop.lab.datasets.opening import Layout, load_dataset

__all__ = [
    "DatasetError",
    "GroundTruth",
    "Layout",
    "Video",
    "VideoDataset",
    "load_coco_video",
    "load_dataset",
    "load_imagenet_vid",
]
