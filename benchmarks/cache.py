"""What a cache of network outputs costs and how far it moves the results, for several floors.

    python benchmarks/cache.py --root real-video-dev [--floors 0,0.003,0.01,0.03]

Compared with the same method on the network's own outputs, over all frames of a CocoVID dataset:
- `AP50`, `AP75`: change of COCO's AP, mean over the classes, in points;
- `score`, `box`: largest change of a score and of a side in px, among detections that have a counterpart: one of
  the same class in the same frame that overlaps by more than .5;
- `lost`: share of detections that have none, of all (at least 0.05) and of those of at least 0.3;
- `bytes`: of the cache, a frame; `write`, `read`: ms a frame, compressing and making dense again included.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import closing
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

from heatprop.backends import load_model
from heatprop.boxes import iou
from heatprop.lab.datasets import VideoDataset, load_dataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.coco import coco_result
from heatprop.lab.evaluation.metrics.official import mean_of_known
from heatprop.lab.evaluation.runs.cache import CachedPart, OutputCache, part_count, part_rows
from heatprop.lab.evaluation.runs.cache_manifest import manifest_of
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.lab.evaluation.runs.number_lists import parse_numbers
from heatprop.lab.evaluation.runs.running import ImageNetwork, open_network
from heatprop.letterbox import Letterbox
from heatprop.propagation import PropagationConfig
from heatprop.runtime.kept_outputs import sparsify
from heatprop.runtime.pipeline import map_ahead
from heatprop.types import Detections, HeadOutput

METHODS = {
    "network alone": Method(name="network"),
    "propagation": Method(propagation=PropagationConfig.paper()),
    "propagation, P=5": Method(propagation=PropagationConfig(radius=5)),
}


class Cost:
    """Bytes and seconds of one cache."""

    def __init__(self, cache: OutputCache) -> None:
        self.cache, self.bytes, self.write, self.read = cache, 0, 0.0, 0.0

    def through(self, number: int, part: int, seen: list[tuple[Letterbox, HeadOutput]]) -> list[HeadOutput]:
        """Write a part, read it back and delete it."""
        started = perf_counter()
        sizes = np.array([(fitted.frame_width, fitted.frame_height) for fitted, _ in seen])
        kept = [sparsify(output, self.cache.manifest.floor) for _, output in seen]
        self.cache.write(number, part, CachedPart(sizes, kept))
        written = perf_counter()
        outputs = [each.dense() for each in self.cache.read(number, part, len(seen)).outputs]
        self.write += written - started
        self.read += perf_counter() - written
        for path in (self.cache.path / "parts").iterdir():
            self.bytes += path.stat().st_size
            path.unlink()
        return outputs


def detect(
    dataset: VideoDataset, network: ImageNetwork, costs: list[Cost]
) -> list[dict[str, list[tuple[int, Detections]]]]:
    """Return the detections of each method, first on the network's own outputs, then through each cache."""
    found: list[dict[str, list[tuple[int, Detections]]]] = [{name: [] for name in METHODS} for _ in [None, *costs]]
    for number, video in enumerate(dataset.videos):
        at_work = [{name: network.begin(each) for name, each in METHODS.items()} for _ in found]
        paths = (Path(dataset.image_paths[row]) for row in video.rows)
        with closing(map_ahead(paths, network.infer, network.backend.concurrency + 2)) as frames:
            for part in range(part_count(video)):
                rows = part_rows(video, part)
                seen = [next(frames)[1] for _ in rows]
                for place, cost in enumerate([None, *costs]):
                    own = [output for _, output in seen]
                    outputs = own if cost is None else cost.through(number, part, seen)
                    for row, (fitted, _), output in zip(rows, seen, outputs, strict=True):
                        for name, method in at_work[place].items():
                            found[place][name].append((row, method.update(output, fitted)))
    return found


def compare(exact: list[tuple[int, Detections]], stored: list[tuple[int, Detections]]) -> dict[str, float]:
    """Return the largest changes of scores and boxes, and the shares that are lost."""
    score, box, lost, scores = [0.0], [0.0], [], []
    for (_, before), (_, after) in zip(exact, stored, strict=True):
        scores += before.scores.tolist()
        if not len(after):
            lost += [True] * len(before)
            continue
        overlap = iou(before.boxes[:, None], after.boxes[None])
        overlap[before.labels[:, None] != after.labels[None]] = 0
        partner, near = overlap.argmax(axis=1), overlap.max(axis=1) > 0.5
        lost += (~near).tolist()
        score += np.abs(before.scores - after.scores[partner])[near].tolist()
        box += np.abs(before.boxes - after.boxes[partner]).max(axis=1)[near].tolist()
    high = np.array(scores) >= 0.3
    return {
        "score": max(score),
        "score_p99": float(np.quantile(score, 0.99)),
        "box_px": max(box),
        "box_px_p99": float(np.quantile(box, 0.99)),
        "lost": float(np.mean(lost)),
        "lost_from_0.3": float(np.array(lost)[high].mean()),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder of a CocoVID dataset")
    parser.add_argument("--floors", default="0,0.003,0.01,0.03")
    parser.add_argument("--backend", default="onnx")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    dataset = load_dataset("coco-video", arguments.root)
    model = load_model("mb3-coco")
    network = open_network(model, dataset, backend=arguments.backend)
    floors = parse_numbers(arguments.floors, "--floors")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        costs = [
            Cost(
                OutputCache(
                    Path(folder) / f"{floor:g}",
                    manifest_of(
                        model, network.backend, dataset, split="val", classes=network.classes, floor=floor
                    ),
                )
            )
            for floor in floors
        ]
        exact, *stored = detect(dataset, network, costs)
    own = {name: coco_result(dataset, DetectionTable.from_frames(each)) for name, each in exact.items()}
    columns = ["floor", "method", "AP50", "AP75", "score", "(99 %)", "box px", "(99 %)", "lost", "lost from 0.3"]
    columns += ["bytes", "write", "read"]
    print("|", " | ".join(columns), "|")
    print("| --- |" + " --- |" * 12)
    for floor, cost, found in zip(floors, costs, stored, strict=True):
        frames = dataset.frame_count
        price = [cost.bytes / frames, 1000 * cost.write / frames, 1000 * cost.read / frames]
        for name, each in found.items():
            result = coco_result(dataset, DetectionTable.from_frames(each))
            change = {
                "AP50": 100 * (mean_of_known(result.ap50) - mean_of_known(own[name].ap50)),
                "AP75": 100 * (mean_of_known(result.ap75) - mean_of_known(own[name].ap75)),
                **compare(exact[name], each),
            }
            row = dict(zip(("bytes", "write_ms", "read_ms"), price, strict=True))
            rows.append({"floor": floor, "method": name, **change, **row})
            shown = [f"{change['AP50']:+.3f}", f"{change['AP75']:+.3f}", f"{change['score']:.1e}"]
            shown += [f"{change['score_p99']:.0e}", f"{change['box_px']:.1f}", f"{change['box_px_p99']:.2f}"]
            shown += [f"{100 * change['lost']:.2f} %", f"{100 * change['lost_from_0.3']:.2f} %"]
            shown += [f"{price[0]:,.0f}", f"{price[1]:.1f} ms", f"{price[2]:.1f} ms"]
            print(f"| {floor:g} | {name} |", " | ".join(shown), "|")
    print(json.dumps({"backend": network.backend.description, "frames": dataset.frame_count, "rows": rows}))


if __name__ == "__main__":
    main()
