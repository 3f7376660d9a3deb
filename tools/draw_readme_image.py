"""Draw the README's image: three frames of the demo clip, the network alone above, with propagation below.

python tools/draw_readme_image.py [docs/images/steady.jpg]
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from demo import find_clip

from heatprop import VideoDetector
from heatprop.drawing import draw, side_by_side

FRAMES = (117, 118, 119)
GAP = 6


def main(target: Path) -> None:
    """Write the image to `target`."""
    detector = VideoDetector()
    above, below = [], []
    for result in detector.stream(find_clip(), alone=True):
        image, index = result.frame.image, result.frame.index
        if index in FRAMES and result.alone is not None:
            above.append(draw(image, result.alone, detector.card.classes))
            below.append(draw(image, result.detections, detector.card.classes))
        if index == FRAMES[-1]:
            break
    rows = []
    for images, title in ((above, "network alone"), (below, "with heatmap propagation")):
        captions = [f"{title}, frame {FRAMES[0]}", *(f"{index}" for index in FRAMES[1:])]
        gap = np.full((images[0].shape[0], GAP, 3), 255, np.uint8)
        framed = [side_by_side(image, gap, (caption, "")) for image, caption in zip(images, captions, strict=True)]
        rows.append(np.hstack(framed)[:, :-GAP])
    sheet = np.vstack([rows[0], np.full((GAP, rows[0].shape[1], 3), 255, np.uint8), rows[1]])
    cv2.imwrite(str(target), sheet[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/steady.jpg"))
