"""Steady object detection in video: CenterNet with online heatmap propagation.

The names here are the public interface. Importing them loads NumPy and OpenCV and nothing heavier: runtimes
for networks and for video are loaded when a model or a video is opened.
"""

from heatprop.decoding import decode
from heatprop.detector import VideoDetector
from heatprop.errors import HeatpropError
from heatprop.io import open_video
from heatprop.keyframes import KeyframeConfig
from heatprop.multi_stream import MultiStreamDetector
from heatprop.propagation import HeatmapPropagator, PropagationConfig
from heatprop.seqnms import SeqNmsConfig, seq_nms
from heatprop.types import Detections, Frame, HeadOutput

__all__ = [
    "Detections",
    "Frame",
    "HeadOutput",
    "HeatmapPropagator",
    "HeatpropError",
    "KeyframeConfig",
    "MultiStreamDetector",
    "PropagationConfig",
    "SeqNmsConfig",
    "VideoDetector",
    "decode",
    "open_video",
    "seq_nms",
]

__version__ = "0.1.0"
