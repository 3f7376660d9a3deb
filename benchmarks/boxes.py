"""What propagation brings a detector that gives only boxes: AP50 and AP75 of each clip of a CocoVID dataset.

    python benchmarks/boxes.py --root real-video-dev

The model's detections of each frame, after suppression, stand for those of any detector: `DetectionPropagator`
gets nothing else. Beside it stands what the heatmap form makes of the same outputs, scored as in `real_video.py`,
and what an update costs: processor time of the thread, least and median. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
from real_video import score_clips

from heatprop import DetectionPropagator, Detections, HeatmapPropagator, PropagationConfig, decode
from heatprop.backends import load_model
from heatprop.lab.datasets import load_dataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.runs.running import open_network
from heatprop.letterbox import boxes_to_frame

FORMS = {"adaptive": PropagationConfig.adaptive(), "paper's": PropagationConfig.paper()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder of a CocoVID dataset")
    parser.add_argument("--model", default="mb3-coco")
    parser.add_argument("--score-threshold", type=float, default=0.05, help="of the boxes that are given")
    parser.add_argument("--nms-iou", type=float, default=0.3, help="of the suppression before they are given")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    dataset = load_dataset("coco-video", arguments.root)
    model = load_model(arguments.model)
    network = open_network(model, dataset, backend="onnx")
    stride = model.card.stride
    found: dict[str, list[tuple[int, Detections]]] = {}
    spent: dict[str, list[float]] = {name: [] for name in FORMS}
    for video in dataset.videos:
        boxes = {name: DetectionPropagator(config) for name, config in FORMS.items()}
        heatmaps = {name: HeatmapPropagator(config) for name, config in FORMS.items()}
        for row in video.rows:
            fitted, output = network.infer(Path(dataset.image_paths[row]))

            def in_frame(detections: Detections, fitted=fitted) -> Detections:
                pixels = boxes_to_frame(detections.boxes, fitted, stride)
                return Detections(pixels, detections.scores, network.classes.labels[detections.labels])

            given = decode(output, score_threshold=arguments.score_threshold, nms_iou=arguments.nms_iou)
            found.setdefault("network alone", []).append((row, in_frame(decode(output))))
            for name in FORMS:
                whole = heatmaps[name].update(output, image_area=fitted.image_area(stride))
                found.setdefault(f"heatmap, {name}", []).append((row, in_frame(whole)))
                started = time.thread_time()
                held = boxes[name].update(in_frame(given), (fitted.frame_height, fitted.frame_width))
                spent[name].append(1e3 * (time.thread_time() - started))
                found.setdefault(f"boxes, {name}", []).append((row, held))

    scores = {name: score_clips(dataset, DetectionTable.from_frames(each)) for name, each in found.items()}
    columns = list(scores["network alone"])
    print("| |", " | ".join(columns), "|")
    print("| --- |" + " --- |" * len(columns))
    for name, figures in scores.items():
        print(f"| {name} |", " | ".join(f"{100 * a:.1f} / {100 * b:.1f}" for a, b in figures.values()), "|")
    cost = {name: [round(min(each), 3), round(float(np.median(each)), 3)] for name, each in spent.items()}
    print("\nmilliseconds of an update of boxes, least and median:", cost)
    rounded = {
        name: {clip: [round(a, 4), round(b, 4)] for clip, (a, b) in figures.items()}
        for name, figures in scores.items()
    }
    print(json.dumps({"model": model.card.name, "ap50_ap75": rounded, "milliseconds": cost}))


if __name__ == "__main__":
    main()
