"""How long does scoring the whole validation set of ImageNet VID take, and how much memory?

    python benchmarks/official_metric.py                 # some seconds
    python benchmarks/official_metric.py --coco --files  # COCO's metrics too, and a file there and back

The set is made up, from a seed, in the size of the true one: 555 videos, 176126 frames, some 270 thousand objects
on tracks that drift slowly, seldom fast; two million detections: objects with jitter, some of a wrong class, and
clutter. The peak of memory is the process's own, the made-up set included.
The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import numpy as np

from heatprop.lab.datasets.annotations import GroundTruth, Video, VideoDataset
from heatprop.lab.evaluation.detection_files.reading import read_detections
from heatprop.lab.evaluation.detection_files.writing import write_official_text
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.class_agnostic import class_agnostic_result
from heatprop.lab.evaluation.metrics.coco import coco_result
from heatprop.lab.evaluation.metrics.matching import match
from heatprop.lab.evaluation.metrics.motion_subsets import motion_result
from heatprop.lab.evaluation.metrics.official import official_result

VIDEOS, FRAMES, CLASSES, WIDTH, HEIGHT = 555, 176_126, 30, 1280, 720
Result = TypeVar("Result")


def make_dataset(random: np.random.Generator) -> VideoDataset:
    """Return the made-up videos: in each one to four tracks, mostly of one class."""
    shares = random.dirichlet(np.full(VIDEOS, 1.5))
    lengths = np.maximum((shares * FRAMES).astype(int), 12)
    lengths[lengths.argmax()] += FRAMES - lengths.sum()
    starts = np.cumsum(lengths) - lengths
    parts = []
    track = 0
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        main = random.integers(CLASSES)
        for _ in range(random.choice([1, 2, 3, 4], p=[0.42, 0.22, 0.2, 0.16])):
            begin = random.integers(0, length // 4 + 1)
            frames = np.arange(begin, length - random.integers(0, length // 4 + 1))
            speed = random.exponential(1.5) * 4
            size = random.uniform(30, 500, 2) * np.exp(np.cumsum(random.normal(0, 0.01, (len(frames), 2)), axis=0))
            centre = random.uniform(0, [WIDTH, HEIGHT]) + np.cumsum(
                random.normal(0, speed, (len(frames), 2)), axis=0
            )
            boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
            label = main if random.random() < 0.9 else random.integers(CLASSES)
            parts.append((start + frames, boxes.round(), np.full(len(frames), label), np.full(len(frames), track)))
            track += 1
    frames, boxes, labels, tracks = (np.concatenate([part[i] for part in parts]) for i in range(4))
    order = np.argsort(frames, kind="stable")
    no = np.zeros(len(frames), np.bool_)
    truth = GroundTruth(frames[order], boxes[order], labels[order], tracks[order], no, no, no)
    return VideoDataset(
        layout="imagenet-vid",
        root=Path("made-up"),
        classes=tuple(f"class {label}" for label in range(1, CLASSES + 1)),
        class_ids=tuple(range(1, CLASSES + 1)),
        videos=tuple(
            Video(f"video {number}", start, length)
            for number, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True))
        ),
        frame_names=[f"{row:06d}" for row in range(FRAMES)],
        frame_ids=np.arange(1, FRAMES + 1),
        image_paths=[],
        image_sizes=np.tile([WIDTH, HEIGHT], (FRAMES, 1)),
        truth=truth,
    )


def make_detections(random: np.random.Generator, truth: GroundTruth, count: int) -> DetectionTable:
    """Return detections: a little more than half on objects, well or badly placed, the others clutter."""
    near = random.integers(0, len(truth), int(count * 0.55))
    spread = random.exponential(0.12, (len(near), 1))
    size = np.tile(truth.boxes[near, 2:] - truth.boxes[near, :2], 2)
    boxes = truth.boxes[near] + random.normal(0, 1, (len(near), 4)) * spread * size
    wrong_class = random.random(len(near)) < 0.2
    labels = np.where(wrong_class, random.integers(0, CLASSES, len(near)), truth.labels[near])
    scores = np.clip(np.exp(-5 * spread[:, 0]) * random.beta(5, 2, len(near)), 0.05, 1)
    rest = count - len(near)
    corner = random.uniform(0, [WIDTH, HEIGHT], (rest, 2))
    boxes = np.concatenate([boxes, np.concatenate([corner, corner + random.uniform(10, 300, (rest, 2))], axis=1)])
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
    order = random.permutation(count)
    return DetectionTable(
        np.concatenate([truth.frames[near], random.integers(0, FRAMES, rest)])[order],
        np.concatenate([labels, random.integers(0, CLASSES, rest)])[order],
        np.concatenate([scores, 0.05 + 0.3 * random.beta(1, 8, rest)])[order]
        .astype(np.float32)
        .astype(np.float64),
        boxes[order].astype(np.float32).astype(np.float64),
    )


def main() -> None:
    """Print seconds of each part and the peak of memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detections", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--coco", action="store_true", help="COCO's metrics too")
    parser.add_argument("--files", action="store_true", help="write official text and read it too")
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    dataset = make_dataset(random)
    detections = make_detections(random, dataset.truth, options.detections)
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Result]) -> Result:
        started = perf_counter()
        result = work()
        seconds[name] = round(perf_counter() - started, 2)
        print(f"{name:>16}: {seconds[name]:6.2f} s")
        return result

    print(f"{FRAMES} frames, {len(dataset.truth)} objects, {len(detections)} detections")
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    matching = timed("matching", lambda: match(dataset, detections))
    official = timed("official", lambda: official_result(matching))
    motion = timed("motion IoU", lambda: motion_result(matching))
    timed("displacement", lambda: class_agnostic_result(matching))
    total = sum(seconds.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{'together':>16}: {total:6.2f} s, peak {peak / 2**20:.2f} GiB, {made / 2**20:.2f} before scoring")
    if options.files:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "detections.txt"
            timed("writing text", lambda: write_official_text(path, dataset, detections))
            timed("reading text", lambda: read_detections(path, dataset))
    if options.coco:
        timed("COCO", lambda: coco_result(dataset, detections))
        print(f"{'':>16}  peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
    result = {
        "frames": FRAMES,
        "objects": len(dataset.truth),
        "detections": len(detections),
        "seconds": seconds,
        "official_and_motion_seconds": round(total, 2),
        "peak_gib": round(peak / 2**20, 2),
        "mAP": official.mean_average_precision,
        "motion": {group.name: group.mean_average_precision for group in motion.groups},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
