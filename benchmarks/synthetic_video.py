"""What propagation, interpolation and Seq-NMS bring on our own benchmark: mAP over all videos, and by difficulty.

    heatprop synthesize synthetic --split val test test_unseen --videos 90 --frames 60
    python benchmarks/synthetic_video.py --root synthetic --split test --model vid.onnx

mAP is the official metric of ImageNet VID, of detections of at least 0.05; the network runs once. A difficulty is
scored on the frames in which its cause is at work; the mean is over the classes that are in them. The last line is
JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from heatprop.backends import load_model
from heatprop.lab.datasets import load_dataset
from heatprop.lab.evaluation.metrics.matching import match
from heatprop.lab.evaluation.metrics.official import official_result
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.lab.evaluation.runs.running import open_network
from heatprop.lab.evaluation.runs.side_by_side import detect_side_by_side
from heatprop.lab.synthesis.causes import read_causes
from heatprop.offline.seqnms import SeqNmsConfig
from heatprop.propagation import PropagationConfig

METHODS = {
    "network alone": Method(name="network"),
    "interpolation": Method(name="interpolation"),
    "HP, the paper's setting": Method(propagation=PropagationConfig.paper()),
    "Seq-NMS": Method(name="network", seq_nms=SeqNmsConfig()),
    "interpolation + Seq-NMS": Method(name="interpolation", seq_nms=SeqNmsConfig()),
    "HP + Seq-NMS": Method(propagation=PropagationConfig.paper(), seq_nms=SeqNmsConfig()),
    "HP, P=1": Method(propagation=PropagationConfig(radius=1)),
    "HP, alpha .8": Method(propagation=PropagationConfig(alpha=0.8)),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder of a synthetic dataset")
    parser.add_argument("--split", default="test")
    parser.add_argument("--model", required=True, help="name or path of a model with the classes of ImageNet VID")
    parser.add_argument("--backend", default="onnx")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    dataset = load_dataset("imagenet-vid", arguments.root, arguments.split)
    everywhere = {"all": np.ones(dataset.frame_count, np.bool_)}
    causes = everywhere | {name: at for name, at in read_causes(dataset, arguments.split).items() if at.any()}
    model = load_model(arguments.model)
    network = open_network(model, dataset, backend=arguments.backend)
    found = detect_side_by_side(dataset, network, METHODS)
    matchings = {name: match(dataset, table) for name, table in found.items()}
    scores = {
        name: {cause: official_result(matching, at).mean_average_precision for cause, at in causes.items()}
        for name, matching in matchings.items()
    }

    facts = f"{dataset.frame_count} frames, {model.card.name}, {network.backend.description}"
    print(f"{arguments.split}: {facts}; mAP in %\n")
    print("| frames with | frames |", " | ".join(METHODS), "|")
    print("| --- | --- |" + " --- |" * len(METHODS))
    for cause, at in causes.items():
        cells = " | ".join(f"{100 * scores[name][cause]:.1f}" for name in METHODS)
        print(f"| {cause} | {int(at.sum())} | {cells} |")
    print()
    rounded = {name: {cause: round(value, 4) for cause, value in each.items()} for name, each in scores.items()}
    print(json.dumps({"model": model.card.name, "split": arguments.split, "mAP": rounded}))


if __name__ == "__main__":
    main()
