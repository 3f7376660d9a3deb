"""Video in and out: sources of frames, sinks of annotated frames, results as JSON Lines."""

from heatprop.io.sources import SourceInfo, VideoSource, open_video

__all__ = ["SourceInfo", "VideoSource", "open_video"]
