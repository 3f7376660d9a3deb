"""A small CocoVID dataset of real pictures, on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from heatprop.types import ImageArray


def write_coco_video(root: Path, image: ImageArray, lengths: Sequence[int] = (5, 3)) -> Path:
    """Write videos in which a window moves over `image`, with a person, a car and a car again in each frame."""
    root.mkdir(parents=True)
    videos, images, annotations = [], [], []
    for number, length in enumerate(lengths, start=1):
        name = f"clip-{number}"
        (root / name).mkdir()
        videos.append({"id": number, "name": name, "width": 320, "height": 240})
        for frame in range(length):
            left = 20 * number + 4 * frame
            picture = np.ascontiguousarray(image[8:248, left : left + 320, ::-1])
            cv2.imwrite(str(root / name / f"{frame:06d}.png"), picture)
            images.append(
                {
                    "id": len(images) + 1,
                    "video_id": number,
                    "frame_id": frame,
                    "file_name": f"{name}/{frame:06d}.png",
                    "width": 320,
                    "height": 240,
                }
            )
            for category, box in (
                (1, [100 - 4 * frame, 60, 60, 120]),
                (3, [10, 90, 80, 50]),
                (3, [230, 80, 80, 60]),
            ):
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": len(images),
                        "category_id": category,
                        "bbox": box,
                        "area": box[2] * box[3],
                        "iscrowd": 0,
                    }
                )
    names = ("person", "bicycle", "car")
    content = {
        "videos": videos,
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in enumerate(names, start=1)],
    }
    (root / "annotations.json").write_text(json.dumps(content))
    return root
