"""Steady object detection in video: CenterNet with online heatmap propagation.

The names here are the public interface. Each is loaded when it is first asked for, so that importing the package
takes no time; what they need is NumPy and OpenCV, and runtimes for networks and video only when a model or a video
is opened.
"""

from __future__ import annotations

from heatprop import moved

TYPE_CHECKING = False  # of `typing`, which takes longer to load than all else here
if TYPE_CHECKING:
    from typing import Any

    from heatprop.errors import HeatpropError
    from heatprop.io import open_video
    from heatprop.offline.seqnms import SeqNmsConfig, seq_nms
    from heatprop.propagation import DetectionPropagator, HeatmapPropagator, PropagationConfig, decode
    from heatprop.runtime.detector import VideoDetector
    from heatprop.runtime.keyframes import KeyframeConfig
    from heatprop.runtime.multi_stream import MultiStreamDetector
    from heatprop.types import Detections, Frame, HeadOutput, PyramidOutput

__all__ = [
    "DetectionPropagator",
    "Detections",
    "Frame",
    "HeadOutput",
    "HeatmapPropagator",
    "HeatpropError",
    "KeyframeConfig",
    "MultiStreamDetector",
    "PropagationConfig",
    "PyramidOutput",
    "SeqNmsConfig",
    "VideoDetector",
    "decode",
    "open_video",
    "seq_nms",
]

__version__ = "0.1.0"

_ROOMS = {
    "DetectionPropagator": "propagation",
    "Detections": "types",
    "Frame": "types",
    "HeadOutput": "types",
    "HeatmapPropagator": "propagation",
    "HeatpropError": "errors",
    "KeyframeConfig": "runtime.keyframes",
    "MultiStreamDetector": "runtime.multi_stream",
    "PropagationConfig": "propagation",
    "PyramidOutput": "types",
    "SeqNmsConfig": "offline.seqnms",
    "VideoDetector": "runtime.detector",
    "decode": "propagation",
    "open_video": "io",
    "seq_nms": "offline.seqnms",
}

moved.install()


def __getattr__(name: str) -> Any:
    from importlib import import_module  # noqa: PLC0415 - nothing is loaded before it is asked for

    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
