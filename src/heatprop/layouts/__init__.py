"""What a network's output tensors mean: one file a family, recognised by names, shapes and metadata."""

from heatprop.layouts.base import SCORE_FLOOR, Confidence, Layout, Tensors
from heatprop.layouts.class_names import check_names, names_given
from heatprop.layouts.other_inputs import other_inputs
from heatprop.layouts.recognition import AUTO, Recognition, get, image_input, names, recognise
from heatprop.layouts.signature import TensorInfo

__all__ = [
    "AUTO",
    "SCORE_FLOOR",
    "Confidence",
    "Layout",
    "Recognition",
    "TensorInfo",
    "Tensors",
    "check_names",
    "get",
    "image_input",
    "names",
    "names_given",
    "other_inputs",
    "recognise",
]
