"""Draw the image of the guide to counting: a frame of the demo clip with a line, a zone and their numbers.

python tools/draw_counting_image.py [docs/images/counting.jpg]
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
from demo import find_clip

from heatprop import VideoDetector
from heatprop.counting import LineCounter, ZoneCounter
from heatprop.drawing import draw, draw_counts

FRAME = 160
LINE = (320, 272), (320, 0)
ZONE = (10, 60), (300, 60), (300, 262), (10, 262)


def main(target: Path) -> None:
    """Write the image to `target`."""
    detector, line, zone = VideoDetector(), LineCounter(*LINE), ZoneCounter(ZONE)
    for frame, detections in detector.stream(find_clip()):
        line.update(detections)
        zone.update(detections)
        if frame.index == FRAME:
            drawn = draw(frame.image, detections, detector.card.classes, draw_ids=True)
            drawn = draw_counts(drawn, {"road": line}, {"left": zone})
            cv2.imwrite(str(target), drawn[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
            return


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/counting.jpg"))
