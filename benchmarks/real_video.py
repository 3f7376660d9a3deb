"""What propagation and Seq-NMS bring on real video: AP50 and AP75 of each clip of a CocoVID dataset.

    python benchmarks/real_video.py --root real-video-dev

AP is COCO's at overlap .50 and .75 (101 points of recall, sides x2 - x1, at most 100 detections a frame and
class), for each clip over the classes that are annotated in it; the mean counts each clip once. Detections have at
least 0.05. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import cv2

from heatprop.backends import load_model
from heatprop.lab.datasets import VideoDataset, load_dataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.coco import coco_result
from heatprop.lab.evaluation.metrics.official import mean_of_known
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.lab.evaluation.runs.running import open_network
from heatprop.lab.evaluation.runs.side_by_side import detect_side_by_side
from heatprop.offline.seqnms import SeqNmsConfig
from heatprop.propagation import PropagationConfig

METHODS = {
    "network alone": Method(name="network"),
    "interpolation": Method(name="interpolation"),
    "propagation, paper's setting": Method(propagation=PropagationConfig.paper()),
    "propagation, alpha .8": Method(propagation=PropagationConfig(alpha=0.8)),
    "propagation, P=1": Method(propagation=PropagationConfig(radius=1)),
    "Seq-NMS": Method(name="network", seq_nms=SeqNmsConfig()),
    "propagation + Seq-NMS": Method(propagation=PropagationConfig.paper(), seq_nms=SeqNmsConfig()),
}


def score_clips(dataset: VideoDataset, detections: DetectionTable) -> dict[str, tuple[float, float]]:
    """Return AP50 and AP75 of each clip, and their means."""
    figures = {}
    for chosen in dataset.videos:
        videos = tuple(each if each is chosen else replace(each, evaluated=frozenset()) for each in dataset.videos)
        result = coco_result(replace(dataset, videos=videos), detections)
        figures[chosen.name] = (mean_of_known(result.ap50), mean_of_known(result.ap75))
    mean50, mean75 = (sum(pair[i] for pair in figures.values()) / len(figures) for i in (0, 1))
    return {"mean": (mean50, mean75), **figures}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder of a CocoVID dataset")
    parser.add_argument("--model", default="mb3-coco")
    parser.add_argument("--backend", default="onnx")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    dataset = load_dataset("coco-video", arguments.root)
    model = load_model(arguments.model)
    network = open_network(model, dataset, backend=arguments.backend)
    scores = {
        name: score_clips(dataset, table) for name, table in detect_side_by_side(dataset, network, METHODS).items()
    }

    print(f"{dataset.frame_count} frames, {model.card.name}, {network.backend.description}; AP50 / AP75 in %\n")
    columns = list(scores["network alone"])
    print("| |", " | ".join(columns), "|")
    print("| --- |" + " --- |" * len(columns))
    for name, figures in scores.items():
        print(f"| {name} |", " | ".join(f"{100 * a:.1f} / {100 * b:.1f}" for a, b in figures.values()), "|")
    print()
    rounded = {
        name: {clip: [round(a, 4), round(b, 4)] for clip, (a, b) in figures.items()}
        for name, figures in scores.items()
    }
    print(json.dumps({"model": model.card.name, "backend": network.backend.description, "ap50_ap75": rounded}))


if __name__ == "__main__":
    main()
