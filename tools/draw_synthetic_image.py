"""Draw the guide's image of the synthetic benchmark: rows are videos, boxes what is annotated.

python tools/draw_synthetic_image.py [docs/images/synthetic.jpg]
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from heatprop.lab.datasets.imagenet_classes import VID_CLASSES
from heatprop.lab.synthesis.dataset import SPLITS, SynthesisSettings, video_seed
from heatprop.lab.synthesis.rendering import ShotRenderer
from heatprop.lab.synthesis.scenes import make_video
from heatprop.lab.synthesis.sprites import load_sprites
from heatprop.lab.synthesis.truth import TrueObject, annotate
from heatprop.types import ImageArray

VIDEOS = (("val", 9), ("val", 10), ("val", 12), ("test_unseen", 1))
FRAMES = (6, 14, 22, 30, 38)
GREEN, ORANGE, WHITE = (40, 220, 60), (255, 140, 0), (255, 255, 255)


def frames_of(split: str, number: int) -> list[ImageArray]:
    """Return the chosen frames of a video with their annotations drawn; what is occluded is orange."""
    settings = SynthesisSettings()
    sprites = load_sprites(SPLITS[split])
    shots = make_video(video_seed(settings, split, number), settings.frames, sprites, settings.scene)
    truth = annotate(shots, settings.scene)
    images = []
    for shot in shots:
        renderer = ShotRenderer(shot, settings.scene, sprites)
        images += [renderer.render(frame)[0] for frame in range(shot.frames)]
    return [annotated(images[frame], truth[frame]) for frame in FRAMES]


def annotated(image: ImageArray, objects: list[TrueObject]) -> ImageArray:
    """Return an image with its annotations."""
    out = image.copy()
    for each in objects:
        x1, y1, x2, y2 = each.box
        cv2.rectangle(out, (x1, y1), (x2, y2), ORANGE if each.occluded else GREEN, 1)
        cv2.putText(out, VID_CLASSES[each.label], (x1 + 2, max(10, y1 - 3)), 0, 0.36, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(out, VID_CLASSES[each.label], (x1 + 2, max(10, y1 - 3)), 0, 0.36, WHITE, 1, cv2.LINE_AA)
    return out


def main(target: Path) -> None:
    """Write the image to `target`."""
    sheet = np.vstack([np.hstack(frames_of(split, number)) for split, number in VIDEOS])
    cv2.imwrite(str(target), sheet[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/synthetic.jpg"))
