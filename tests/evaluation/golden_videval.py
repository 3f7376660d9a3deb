"""The small tree `golden/videval`: four videos of ImageNet VID, detections, and figures of the original code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from evaluation.small_datasets import make_truth
from heatprop.datasets.annotations import Video, VideoDataset
from heatprop.evaluation.detections import DetectionTable

ROOT = Path(__file__).parents[1] / "golden" / "videval"
EXPECTED: dict[str, Any] = json.loads((ROOT / "expected.json").read_text())
WNIDS = [
    "n02691156",
    "n02419796",
    "n02131653",
    "n02834778",
    "n01503061",
    "n02924116",
    "n02958343",
    "n02402425",
    "n02084071",
    "n02121808",
    "n02503517",
    "n02118333",
    "n02510455",
    "n02342885",
    "n02374451",
    "n02129165",
    "n01674464",
    "n02484322",
    "n03790512",
    "n02324045",
    "n02509815",
    "n02411705",
    "n01726692",
    "n02355227",
    "n02129604",
    "n04468005",
    "n01662784",
    "n04530566",
    "n02062744",
    "n02391049",
]


def read_dataset() -> VideoDataset:
    """Read the tree in the plainest way."""
    names = [line.split()[0] for line in (ROOT / "ImageSets/VID/val.txt").read_text().splitlines()]
    sizes, objects = [], []
    for row, name in enumerate(names):
        xml = ElementTree.parse(ROOT / "Annotations/VID/val" / f"{name}.xml")
        sizes.append([int(xml.findtext(f"size/{side}") or 0) for side in ("width", "height")])
        for found in xml.iter("object"):
            box = [float(found.findtext(f"bndbox/{side}") or 0) for side in ("xmin", "ymin", "xmax", "ymax")]
            label = WNIDS.index(found.findtext("name") or "")
            objects.append((row, label, int(found.findtext("trackid") or 0), box))
    return VideoDataset(
        layout="imagenet-vid",
        root=ROOT,
        classes=tuple(WNIDS),
        class_ids=tuple(range(1, 31)),
        videos=tuple(Video(names[start].split("/")[0], start, 15) for start in range(0, 60, 15)),
        frame_names=names,
        frame_ids=np.arange(1, 61),
        image_paths=[],
        image_sizes=np.array(sizes),
        truth=make_truth(objects),
    )


def read_detections(dataset: VideoDataset) -> DetectionTable:
    """Read the detections in the plainest way."""
    lines = [json.loads(line) for line in (ROOT / "detections.jsonl").read_text().splitlines()]
    rows = {name: row for row, name in enumerate(dataset.frame_names)}
    return DetectionTable(
        np.array([rows[line["frame"]] for line in lines]),
        np.array([line["class"] - 1 for line in lines]),
        np.array([line["score"] for line in lines]),
        np.array([[line[side] for side in ("x1", "y1", "x2", "y2")] for line in lines]),
    )
