"""Counting by track ids: different objects, crossings of lines, and who is in a zone.

Feed a counter the detections of every frame, in order; `update` is all there is to call. Counters know nothing of
images and networks, and their memory is bounded, however long a video is. See docs/guides/counting.md.
"""

from heatprop.counting.geometry import Anchor
from heatprop.counting.lines import LineCounter
from heatprop.counting.objects import LEAST_FRAMES, ObjectCounter
from heatprop.counting.zones import ZoneCounter

__all__ = ["LEAST_FRAMES", "Anchor", "LineCounter", "ObjectCounter", "ZoneCounter"]
