"""What is found, onto images: boxes, tags, captions."""

from heatprop.drawing.boxes import ColourBy, draw
from heatprop.drawing.panels import side_by_side
from heatprop.drawing.pen import PALETTE, colour_of

__all__ = ["PALETTE", "ColourBy", "colour_of", "draw", "side_by_side"]
