"""The whole report: the dataset, the networks on it once, and every table and figure of the paper from that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from heatprop.backends import BackendName
from heatprop.backends.base import usable_processors
from heatprop.io.results import installed_versions
from heatprop.lab.datasets import DatasetError, load_dataset
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.metrics.object_motion import displacement
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.lab.evaluation.runs.running import frames_to_do
from heatprop.lab.manifest_folder import FolderKind, ManifestFolder
from heatprop.lab.reproduction.examples import examples
from heatprop.lab.reproduction.figures import scenes_and_track, shown_tables
from heatprop.lab.reproduction.measuring import Scores, measure_all
from heatprop.lab.reproduction.model_outputs import ModelOutputs, fill, open_outputs
from heatprop.lab.reproduction.page_tables import (
    ablation_tables,
    class_table,
    curves_of,
    difficulty_table,
    model_table,
    speed_table,
    what_is_missing,
)
from heatprop.lab.reproduction.plan import BASES, Plan, Steps, all_methods, table_1
from heatprop.lab.reproduction.timing import StageTimes, time_stages
from heatprop.lab.synthesis.dataset import SynthesisSettings, synthesize
from heatprop.runtime.machine import Machine
from heatprop.zoo import Model

FORMAT, VERSION = "heatprop-report", 1
_KIND = FolderKind(
    manifest="work/plan.json",
    foreign="{folder} holds something else; give -o an empty folder or a new name",
    different="{folder} holds a report on other videos; give -o a new name",
)


def make_report(
    plan: Plan,
    models: Sequence[Model],
    folder: Path,
    command: str,
    *,
    backend: BackendName,
    jobs: int,
    steps: Steps,
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Measure everything; what a folder keeps from a run that was stopped is not measured again.

    Args:
        plan: on which videos it is measured.
        models: table 1 has each, all else rests on the first.
        folder: of the report; ``work`` in it keeps what is finished.
        command: how to make it again.
        backend: what runs the networks.
        jobs: processes at once.
        steps: is told how it goes.

    Returns:
        The report, for JSON, and its images, JPEG, by the names that stand in it.

    Raises:
        HeatpropError: the folder holds another report, the dataset is missing or damaged, or a model does not fit.
    """
    work = folder / "work"
    ManifestFolder(folder, _KIND).begin(_manifest(plan))
    dataset = _dataset(plan, work, steps)
    outputs = [open_outputs(model, dataset, plan.split, work, backend) for model in models]
    timed = [_timed(dataset, each, plan) for each in outputs]
    for each in outputs:
        steps.begin(f"running {each.name}", frames_to_do(dataset, each.folder))
        fill(dataset, each, lambda: steps.advance(1))

    def measured(each: ModelOutputs, methods: Sequence[Method]) -> Scores:
        steps.begin(f"{each.name}, {len(methods)} settings", dataset.frame_count * len(methods))
        return measure_all(dataset, each.cache, methods, work / "figures", jobs=jobs, advance=steps.advance)

    first = outputs[0]
    scores, *others = (measured(each, all_methods() if each is first else table_1()) for each in outputs)
    tables = shown_tables(dataset, first, jobs, steps)
    scenes, images, track = scenes_and_track(dataset, tables)

    report: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "heatprop": metadata.version("heatprop"),
        "quick": plan.is_quick,
        "command": command,
        "seed": plan.seed if plan.root is None else None,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": asdict(Machine.here()),
        "packages": installed_versions(),
        "dataset": about(dataset, plan),
        "models": [
            model_table(*each, dataset.frame_count) for each in zip(outputs, [scores, *others], timed, strict=True)
        ],
        **ablation_tables(dataset, scores, first.network.card.input.longest_side),
        "speed": speed_table(dataset, scores),
        "curves": curves_of(dataset, scores),
        "examples": examples(),
        "classes": class_table(dataset, scores),
        "difficulties": difficulty_table(dataset, scores),
        "scenes": scenes,
        "track": track,
    }
    report["notes"] = what_is_missing(dataset, outputs, report)
    return report, images


def _manifest(plan: Plan) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "layout": plan.layout,
        "root": None if plan.root is None else str(plan.root.resolve()),
        "split": plan.split,
        "videos": plan.videos,
        "frames": plan.frames,
        "seed": plan.seed,
    }


def _dataset(plan: Plan, work: Path, steps: Steps) -> VideoDataset:
    root = plan.root
    if root is None:
        root = work / "synthetic"
        settings = SynthesisSettings(
            videos=plan.videos, frames=plan.frames, stills=0, seed=plan.seed, splits=(plan.split,)
        )
        steps.begin("making videos", settings.image_count)
        synthesize(root, settings, workers=usable_processors(), advance=steps.advance)
    dataset = load_dataset(plan.layout, root, plan.split)
    if not dataset.frame_count:
        raise DatasetError(f"{root}: the dataset has no frames; give another --root or --split")
    return dataset


def _timed(dataset: VideoDataset, outputs: ModelOutputs, plan: Plan) -> StageTimes:
    paths = [Path(path) for path in dataset.image_paths[: plan.timed_frames]]
    return time_stages(paths, outputs.network, BASES)


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
