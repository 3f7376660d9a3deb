"""The tables and curves of a report, from what its methods score; all for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.metrics.class_agnostic import RECALLS
from heatprop.lab.evaluation.metrics.object_motion import GRID_LONGEST_SIDE, displacement, uncovered_pairs
from heatprop.lab.evaluation.tables import json_number
from heatprop.lab.reproduction.measuring import Scores, causes_of
from heatprop.lab.reproduction.model_outputs import ModelOutputs
from heatprop.lab.reproduction.plan import BASES, ablations, curve_methods, rescored
from heatprop.lab.reproduction.reported import RADII
from heatprop.lab.reproduction.timing import StageTimes


def model_table(outputs: ModelOutputs, scores: Scores, times: StageTimes, frames: int) -> dict[str, Any]:
    """Return what table 1 says about a model, from what its methods score."""
    table = []
    for name, base in BASES.items():
        for method in (base, rescored(base)):
            figures = scores[method]
            milliseconds = times.of(name, rescored=method != base)
            table.append(
                {
                    "method": name,
                    "seq_nms": method != base,
                    "mAP": figures["mAP"],
                    "detections": figures["detections"],
                    "milliseconds": milliseconds,
                    "fps": 1e3 / milliseconds,
                }
            )
    return {
        "name": outputs.name,
        "title": outputs.network.card.title,
        "backend": outputs.network.backend.description,
        "frames": frames,
        "missing_classes": list(outputs.network.classes.missing),
        "timing": {
            "frames": times.frames,
            "milliseconds": {
                "read": times.read,
                "prepare": times.prepare,
                "network": times.network,
                "decode": times.methods["network alone"],
                "interpolation": times.methods["interpolation"],
                "propagation": times.methods["HP"],
                "seq_nms": times.seq_nms["HP"],
            },
        },
        "rows": table,
    }


def ablation_tables(dataset: VideoDataset, scores: Scores, longest_side: int) -> dict[str, Any]:
    """Return tables 2, 4 and 5 under "radius", "alpha" and "beta".

    Args:
        dataset: what was measured on.
        scores: of their methods.
        longest_side: of the network's input in pixels, which decides how large its cells are.
    """
    tables: dict[str, Any] = {
        setting: {
            "frames": dataset.frame_count,
            "rows": [
                {"value": value, "mAP": scores[method]["mAP"], "default": method == BASES["HP"]}
                for value, method in by_value.items()
            ],
        }
        for setting, by_value in ablations().items()
    }
    in_cells = displacement(dataset, dataset.truth) * longest_side / GRID_LONGEST_SIDE
    for row, share in zip(tables["radius"]["rows"], uncovered_pairs(in_cells, list(RADII)), strict=True):
        row["uncovered"] = json_number(share)
    return tables


def speed_table(dataset: VideoDataset, scores: Scores) -> dict[str, Any]:
    """Return table 3, the network alone and propagation."""
    network, propagation = (scores[BASES[name]]["agnostic"] for name in ("network alone", "HP"))
    return {
        "frames": dataset.frame_count,
        "pairs": {group: each["pairs"] for group, each in network.items()},
        "rows": [
            {
                "recall": recall,
                "group": group,
                "network": network[group]["points"][f"{recall:g}"],
                "propagation": propagation[group]["points"][f"{recall:g}"],
            }
            for recall in RECALLS
            for group in network
        ],
    }


def curves_of(dataset: VideoDataset, scores: Scores) -> dict[str, Any]:
    """Return figure 5: precision over recall of methods, by speed of the objects."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for name, method in curve_methods().items():
        for group, each in scores[method]["agnostic"].items():
            entry = {"method": name, "ap": each["ap"], "recall": each["recall"], "precision": each["precision"]}
            groups.setdefault(group, []).append(entry)
    return {"frames": dataset.frame_count, "groups": groups}


_COLUMNS = {
    "network": BASES["network alone"],
    "interpolation": BASES["interpolation"],
    "propagation": BASES["HP"],
    "propagation+seq_nms": rescored(BASES["HP"]),
}


def class_table(dataset: VideoDataset, scores: Scores) -> list[dict[str, Any]]:
    """Return average precision by class, of classes that have objects."""
    truth = dataset.truth
    return [
        {
            "name": name,
            "objects": int((truth.labels == label).sum()),
            "frames": len(np.unique(truth.frames[truth.labels == label])),
            **{key: scores[method]["ap"][label] for key, method in _COLUMNS.items()},
        }
        for label, name in enumerate(dataset.classes)
        if (truth.labels == label).any()
    ]


def difficulty_table(dataset: VideoDataset, scores: Scores) -> list[dict[str, Any]]:
    """Return mAP on the frames of each cause of difficulty; empty where the dataset says none."""
    return [
        {
            "name": name,
            "frames": int(where.sum()),
            "objects": int(where[dataset.truth.frames].sum()),
            **{key: scores[method]["causes"].get(name) for key, method in _COLUMNS.items()},
        }
        for name, where in causes_of(dataset).items()
    ]


def what_is_missing(
    dataset: VideoDataset, outputs: Sequence[ModelOutputs], report: Mapping[str, Any]
) -> list[str]:
    """Say in sentences what the report lacks."""
    notes = []
    if not len(dataset.truth):
        notes.append("The dataset has no annotated objects, so nothing can be scored.")
    elif not report["dataset"]["pairs"]:
        notes.append("No object is annotated in two frames that follow each other, so speeds are not known.")
    for each, entry in zip(outputs, report["models"], strict=True):
        if each.network.classes.missing:
            missing = ", ".join(each.network.classes.missing)
            notes.append(f"{each.name} has no class for {missing}: nothing is found of these.")
        if not any(row["detections"] for row in entry["rows"]):
            notes.append(f"{each.name} finds nothing at all with a score of 0.05 or more.")
    if len(report["classes"]) == 1:
        notes.append("Only one class has objects, so the mean over the classes is that of one.")
    if not report["difficulties"]:
        notes.append("The dataset does not say which frames are difficult and why; only synthetic ones do.")
    if len(outputs) > 1:
        notes.append(f"All but table 1 rests on {outputs[0].name}.")
    return notes
