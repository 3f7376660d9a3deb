"""Annotated videos: what a dataset is, and readers of the layouts in which people keep them."""

from heatprop.datasets.annotations import DatasetError, GroundTruth, Video, VideoDataset

__all__ = ["DatasetError", "GroundTruth", "Video", "VideoDataset"]
