"""Steady object detection in video: CenterNet with online heatmap propagation."""

__version__ = "0.1.0"
