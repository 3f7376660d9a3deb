"""Video in and out: sources of frames, sinks of annotated frames, results as JSON Lines."""

from heatprop.io.sinks import VideoSink
from heatprop.io.sources import SourceInfo, VideoSource, open_video

__all__ = ["SourceInfo", "VideoSink", "VideoSource", "open_video"]
