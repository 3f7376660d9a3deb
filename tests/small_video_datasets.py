"""A small CocoVID dataset of real images, on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from heatprop.types import ImageArray

WIDTH, HEIGHT, TOP = 320, 240, 8
# Category and box in the whole image: a man on a bicycle, the car behind him.
OBJECTS = ((1, (162, 11, 337, 246)), (3, (373, 14, 635, 264)))


def write_coco_video(
    root: Path,
    image: ImageArray,
    lengths: Sequence[int] = (5, 3),
    classes: Sequence[str] = ("person", "bicycle", "car"),
) -> Path:
    """Write videos in which a window moves over `image`, the street, with what can be seen of two objects."""
    root.mkdir(parents=True)
    videos, images, annotations = [], [], []
    for number, length in enumerate(lengths, start=1):
        name = f"clip-{number}"
        (root / name).mkdir()
        videos.append({"id": number, "name": name, "width": WIDTH, "height": HEIGHT})
        for frame in range(length):
            left = (20 * number + 4 * frame) % 300
            window = np.ascontiguousarray(image[TOP : TOP + HEIGHT, left : left + WIDTH, ::-1])
            cv2.imwrite(str(root / name / f"{frame:06d}.png"), window)
            images.append(
                {
                    "id": len(images) + 1,
                    "video_id": number,
                    "frame_id": frame,
                    "file_name": f"{name}/{frame:06d}.png",
                    "width": WIDTH,
                    "height": HEIGHT,
                }
            )
            for category, box in OBJECTS:
                x1, x2 = (min(max(x - left, 0), WIDTH) for x in box[::2])
                y1, y2 = (min(max(y - TOP, 0), HEIGHT) for y in box[1::2])
                if x2 - x1 < 40:
                    continue
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": len(images),
                        "category_id": category,
                        "instance_id": category,
                        "bbox": [x1, y1, x2 - x1, y2 - y1],
                        "area": (x2 - x1) * (y2 - y1),
                        "iscrowd": 0,
                    }
                )
    content = {
        "videos": videos,
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in enumerate(classes, start=1)],
    }
    (root / "annotations.json").write_text(json.dumps(content))
    return root
