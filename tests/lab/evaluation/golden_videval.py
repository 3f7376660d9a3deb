"""The small tree `golden/videval`: four videos of ImageNet VID, detections, and figures of the original code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from heatprop.lab.datasets import VideoDataset, load_dataset
from heatprop.lab.evaluation.detection_files.reading import read_detections
from heatprop.lab.evaluation.detections import DetectionTable

ROOT = Path(__file__).parents[2] / "golden" / "videval"
DETECTIONS = ROOT / "detections.jsonl"
EXPECTED: dict[str, Any] = json.loads((ROOT / "expected.json").read_text())


def load() -> tuple[VideoDataset, DetectionTable]:
    """Read the tree and the detections."""
    dataset = load_dataset("imagenet-vid", ROOT)
    return dataset, read_detections(DETECTIONS, dataset)
