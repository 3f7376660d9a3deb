"""A made-up but plausible report, as `heatprop reproduce` writes it, and one in which everything is hostile."""

from __future__ import annotations

from typing import Any

import numpy as np

from heatprop.lab.reproduction.reported import ALPHAS, BETAS, RADII, UNCOVERED

HOSTILE = '<script src="http://evil.example/x.js">alert("$x_{1")</script>&\x00'
KINDS = ("recovered", "corrected", "ghost", "lost")

_FRAMES = 5400
_CLASSES = (
    "airplane", "antelope", "bear", "bicycle", "bird", "bus", "car", "cattle", "dog", "domestic_cat",
    "elephant", "fox", "giant_panda", "hamster", "horse", "lion", "lizard", "monkey", "motorcycle", "rabbit",
    "red_panda", "sheep", "snake", "squirrel", "tiger", "train", "turtle", "watercraft", "whale", "zebra",
)  # fmt: skip
_DIFFICULTIES = ("motion_blur", "occlusion", "low_light", "small", "fast", "crowd", "defocus", "compression")


def made_up_report(*, quick: bool = False, seed: int = 7) -> dict[str, Any]:
    """Return a whole report; images of its scenes are named as the program names them."""
    generator = np.random.default_rng(seed)
    return {
        "format": "heatprop-report",
        "version": 1,
        "heatprop": "0.4.0",
        "quick": quick,
        "command": "heatprop reproduce -o report",
        "seed": 0,
        "made": "2026-11-25T10:00:00+00:00",
        "machine": {
            "processor": "A processor at 2.5 GHz", "processors": 2, "system": "Linux x86_64", "python": "3.11.9",
        },
        "packages": {"numpy": "2.4.0", "onnxruntime": "1.32.0", "openvino": "2026.1"},
        "dataset": {
            "layout": "imagenet-vid", "root": "synthetic", "split": "test", "videos": 90, "frames": _FRAMES,
            "objects": 14212, "pairs": 13874, "classes": 30,
            "made_by": "heatprop synthesize OUT --split test --videos 90 --frames 60 --seed 0",
        },
        "models": [model("synthvid", 0.41, 6.2), model("mb3-coco", 0.187, 14.9, missing=("fox", "whale"))],
        "radius": sweep({value: share / 100 - 0.25 for value, share in RADII.items()}, default=2, fall=0.004),
        "alpha": sweep({value: share / 100 - 0.25 for value, share in ALPHAS.items()}, default=0.98, fall=-0.012),
        "beta": sweep({value: 0.51 + (share - 75) / 900 for value, share in BETAS.items()}, default=2.0),
        "speed": speed(),
        "curves": curves(generator),
        "examples": [
            {"what": "An object of score 0.9 for 20 frames drops to 0.1 for two; equation 6 alone",
             "paper": "0.5 and 0.3", "here": "0.5 and 0.3", "agrees": True},
            {"what": "The same with both", "paper": "not said", "here": "0.88 and 0.86", "agrees": True},
            {"what": "The same with equation 6 alone, alpha 0.97", "paper": "27", "here": "26", "agrees": False},
        ],
        "classes": by_name(generator, _CLASSES),
        "difficulties": by_name(generator, _DIFFICULTIES),
        "scenes": [scene(number, kind) for number, kind in enumerate(KINDS + KINDS[:1], 1)],
        "track": track(generator),
        "notes": ["All but table 1 rests on synthvid."],
    }  # fmt: skip


def image_names(report: dict[str, Any]) -> list[str]:
    """Return the names of all images of a report."""
    steps = [step for scene in report["scenes"] for step in scene["steps"]]
    return [step[name] for step in steps for name in ("network", "propagation")]


def model(name: str, share: float, network: float, missing: tuple[str, ...] = ()) -> dict[str, Any]:
    stages = {
        "read": 3.1, "prepare": 0.9, "network": network, "decode": 0.62, "interpolation": 0.81,
        "propagation": 1.43, "seq_nms": 0.35,
    }  # fmt: skip
    after = {
        "network alone": ("decode", 0.0),
        "interpolation": ("interpolation", 0.004),
        "HP": ("propagation", 0.027),
    }
    rows = []
    for method, (stage, gain) in after.items():
        for rescored in (False, True):
            milliseconds = stages["prepare"] + network + stages[stage] + (stages["seq_nms"] if rescored else 0)
            row = {"method": method, "seq_nms": rescored, "mAP": share + gain + (0.019 if rescored else 0)}
            rows.append(row | {"detections": 90210, "milliseconds": milliseconds, "fps": 1e3 / milliseconds})
    return {
        "name": name, "title": f"{name}, a small CenterNet", "backend": "OpenVINO 2026.1 f32", "frames": _FRAMES,
        "missing_classes": list(missing), "timing": {"frames": 200, "milliseconds": stages}, "rows": rows,
    }  # fmt: skip


def sweep(shares: dict[Any, float], default: float, fall: float = 0.0) -> dict[str, Any]:
    rows = [
        {"value": value, "mAP": share - fall * number / 2, "default": value == default}
        for number, (value, share) in enumerate(shares.items())
    ]
    if default == 2 and 0 in shares:
        rows = [row | {"uncovered": UNCOVERED[row["value"]] / 80} for row in rows]
    return {"frames": _FRAMES, "rows": rows}


def speed() -> dict[str, Any]:
    pairs = {"slow": 9120, "medium": 3322, "fast": 1432, "overall": 13874}
    rows = []
    for recall in (0.75, 0.65):
        for group, count in pairs.items():
            missed = round((1 - recall) * count)
            sides = {
                name: {
                    "false_negatives": missed,
                    "false_positives": round(factor * count),
                    "precision": 1 / (1 + factor),
                    "score": 0.2,
                }
                for name, factor in (("network", 2 * recall - 0.7), ("propagation", 2 * recall - 1.0))
            }
            if group == "fast" and recall == 0.75:
                sides["network"] = dict.fromkeys(sides["network"])
            rows.append({"recall": recall, "group": group, **sides})
    return {"frames": _FRAMES, "pairs": pairs, "rows": rows}


def curves(generator: np.random.Generator) -> dict[str, Any]:
    groups = {}
    methods = {"network alone": 0.0, "interpolation": 0.01, "HP, P=1": 0.04, "HP, P=2": 0.055, "HP, P=5": 0.02}
    for number, group in enumerate(("slow", "medium", "fast", "overall")):
        entries = []
        for method, gain in methods.items():
            recall = np.linspace(0.005, 0.86 - 0.07 * number, 180)
            fall = (recall / (0.98 + gain - 0.07 * number)) ** (5 - number)
            precision = np.clip(1 - 0.9 * fall + 0.004 * generator.standard_normal(180), 0, 1)
            entries.append(
                {"method": method, "ap": float(precision.mean() * recall[-1]), "recall": recall.round(4).tolist(),
                 "precision": precision.round(4).tolist()}
            )  # fmt: skip
        groups[group] = entries
    return {"frames": _FRAMES, "groups": groups}


def by_name(generator: np.random.Generator, names: tuple[str, ...]) -> list[dict[str, Any]]:
    found = []
    for name in names:
        share, gain = float(generator.uniform(0.2, 0.7)), float(generator.normal(0.02, 0.03))
        entry = {
            "name": name,
            "frames": int(generator.integers(60, 900)),
            "objects": int(generator.integers(100, 1500)),
        }
        found.append(
            entry
            | {"network": share, "interpolation": share + gain / 4, "propagation": share + gain}
            | {"propagation+seq_nms": share + gain + float(generator.normal(0.01, 0.01))}
        )
    return found


def scene(number: int, kind: str) -> dict[str, Any]:
    steps = [
        {"frame": f"{place:06d}", "network": f"scene-{number}-{place}-network.jpg",
         "propagation": f"scene-{number}-{place}-propagation.jpg",
         "network_says": "no bicycle" if place == 2 else "bicycle 0.55", "propagation_says": "bicycle 0.52"}
        for place in ((1, 2, 3) if kind in ("recovered", "lost") else (1, 2))
    ]  # fmt: skip
    return {
        "kind": kind, "rule": "Among objects that the network finds in the frame before: the largest.",
        "caption": f"bicycle, test_{number:04d}", "video": f"test_{number:04d}", "threshold": 0.3, "steps": steps,
    }  # fmt: skip


def track(generator: np.random.Generator) -> dict[str, Any]:
    frames = list(range(60))
    network = [
        float(np.clip(0.6 + 0.15 * np.sin(at / 6) + 0.1 * generator.standard_normal(), 0, 1)) for at in frames
    ]
    lost = [13, 14, 15, 30, 44, 45]
    return {
        "video": "test_0012", "class": "bicycle", "rule": "The object on which propagation bridges most frames.",
        "frames": frames, "threshold": 0.05, "dropouts": lost,
        "network": [None if at in lost else round(score, 4) for at, score in zip(frames, network, strict=True)],
        "propagation": [None if at == 45 else round(0.5 + 0.1 * np.sin(at / 9), 4) for at in frames],
    }  # fmt: skip


def hostile(value: Any) -> Any:
    """Return a part of a report in which each text that people give is markup, and each number is the same."""
    if isinstance(value, dict):
        free = (
            "name",
            "title",
            "caption",
            "video",
            "class",
            "what",
            "rule",
            "frame",
            "network_says",
            "method",
            "root",
        )
        return {
            key: HOSTILE if key in free and isinstance(each, str) else hostile(each) for key, each in value.items()
        }
    return [hostile(each) for each in value] if isinstance(value, list) else value


def without_numbers(value: Any, nothing: float | None = None) -> Any:
    """Return a part of a report in which no number exists, but its counts do."""
    if isinstance(value, dict):
        return {key: without_numbers(each, nothing) for key, each in value.items()}
    if isinstance(value, list):
        return [without_numbers(each, nothing) for each in value]
    return nothing if isinstance(value, float) else value
