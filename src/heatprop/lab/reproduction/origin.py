"""What a report rests on: the machine, the packages, the videos."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.metrics.object_motion import displacement
from heatprop.lab.reproduction.plan import Plan


def machine() -> dict[str, Any]:
    """Return what the report was made on."""
    processor = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, UnicodeDecodeError):
        pass
    return {
        "processor": processor,
        "processors": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def about(dataset: VideoDataset, plan: Plan) -> dict[str, Any]:
    """Return what the report is measured on."""
    moved = displacement(dataset, dataset.truth)
    made_by = (
        f"heatprop synthesize OUT --split {plan.split} --videos {plan.videos} --frames {plan.frames} "
        f"--seed {plan.seed}"
    )
    return {
        "layout": dataset.layout,
        "root": Path(dataset.root).name,
        "split": plan.split,
        "videos": len(dataset.videos),
        "frames": dataset.frame_count,
        "objects": len(dataset.truth),
        "pairs": int((~np.isnan(moved)).sum()),
        "classes": len(dataset.classes),
        "made_by": made_by if plan.root is None else None,
    }
