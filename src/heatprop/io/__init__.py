"""Video in and out: sources of frames, sinks of annotated frames, results as JSON Lines."""

from heatprop.io.opening import open_video
from heatprop.io.sinks import VideoSink
from heatprop.io.sources import SourceInfo, VideoSource

__all__ = ["SourceInfo", "VideoSink", "VideoSource", "open_video"]
