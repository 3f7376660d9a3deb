"""What a network's output tensors mean: one file a family, recognised by names, shapes and metadata."""

from heatprop.layouts.base import SCORE_FLOOR, Confidence, Layout, Tensors
from heatprop.layouts.recognition import AUTO, Recognition, get, names, recognise
from heatprop.layouts.signature import TensorInfo

__all__ = [
    "AUTO",
    "SCORE_FLOOR",
    "Confidence",
    "Layout",
    "Recognition",
    "TensorInfo",
    "Tensors",
    "get",
    "names",
    "recognise",
]
