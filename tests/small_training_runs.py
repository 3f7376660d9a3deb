"""Datasets of drawn shapes that a tiny network learns in seconds, and configurations for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from heatprop.types import ImageArray

CLASSES = ("box", "ball")

TINY: Mapping[str, Mapping[str, Any]] = {
    "data": {"layout": "coco-video", "workers": 2},
    "model": {
        "backbone": "resnet18",
        "width": 0.125,
        "deformable": False,
        "head_width": 8,
        "input_side": 64,
    },
    "optimiser": {"kind": "adamw", "learning_rate": 1e-3, "average": 0.9},
    "schedule": {"epochs": 2, "batch_size": 4, "kind": "cosine"},
    "run": {"threads": 1, "tensorboard": False},
}


def draw_shapes(side: int, random: np.random.Generator) -> tuple[ImageArray, list[tuple[int, tuple[int, ...]]]]:
    """Return a square image, BGR, and (class number, box as x, y, w, h) of shapes apart from each other."""
    image = np.full((side, side, 3), random.integers(60, 200), np.uint8)
    shapes: list[tuple[int, tuple[int, ...]]] = []
    half = side // 2
    for quarter in random.permutation(4)[: random.integers(1, 4)].tolist():
        w, h = random.integers(half // 2, half - 4, 2).tolist()
        x = quarter % 2 * half + int(random.integers(2, half - w))
        y = quarter // 2 * half + int(random.integers(2, half - h))
        label = int(random.integers(2))
        if label:
            cv2.ellipse(image, (x + w // 2, y + h // 2), (w // 2, h // 2), 0, 0, 360, (20, 20, 230), -1)
        else:
            cv2.rectangle(image, (x, y), (x + w - 1, y + h - 1), (230, 40, 20), -1)
        shapes.append((label, (x, y, w, h)))
    return image, shapes


def write_shapes(root: Path, count: int = 8, side: int = 64, seed: int = 0) -> Path:
    """Write a plain COCO dataset of boxes and balls."""
    root.mkdir(parents=True)
    random = np.random.default_rng(seed)
    images, annotations = [], []
    for number in range(1, count + 1):
        image, shapes = draw_shapes(side, random)
        cv2.imwrite(str(root / f"{number}.png"), image)
        images.append({"id": number, "file_name": f"{number}.png", "width": side, "height": side})
        for label, box in shapes:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": label + 1,
                    "bbox": list(box),
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES, start=1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def tiny_config(path: Path, train: Path, **changes: Mapping[str, Any]) -> Path:
    """Write the TOML file of a tiny run on `train`, which is its validation set, too; sections may be changed."""
    sections = {name: dict(values) for name, values in TINY.items()}
    sections["data"] |= {"train": str(train), "validation": str(train)}
    for name, values in changes.items():
        sections[name] = sections.get(name, {}) | dict(values)
    lines = []
    for name, values in sections.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""]
    path.write_text("\n".join(lines))
    return path
