"""What is found, onto images: boxes and tags, lines and zones with their numbers, captions."""

from heatprop.drawing.boxes import LABEL_PARTS, ColourBy, LabelPart, draw
from heatprop.drawing.counts import draw_counts
from heatprop.drawing.panels import side_by_side
from heatprop.drawing.pen import PALETTE, colour_of
from heatprop.drawing.trails import Trails

__all__ = [
    "LABEL_PARTS",
    "PALETTE",
    "ColourBy",
    "LabelPart",
    "Trails",
    "colour_of",
    "draw",
    "draw_counts",
    "side_by_side",
]
