"""How fast is Seq-NMS, against running the whole dynamic programme again for every path?

    python benchmarks/seqnms.py [--quick]

Videos of 300 frames with 10, 30 and 100 boxes a frame in 30 classes, such as detectors make them: objects that
move, jitter and are missed now and then, duplicates beside them, things that are steadily taken for objects, and
clutter that comes and goes. A few classes hold most of the boxes. The last row puts all boxes into one class.

Ours is `heatprop.seq_nms`, from `Detections` to `Detections`. The usual way overlaps frames with NumPy and, for
every path, runs through all boxes and links of the class, as the original does. Before anything is timed, both
must give the same scores to the last bit. Both run in one process; ours is the median of nine runs, the usual way
runs once. The ratios are what carries over to other machines. The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from heatprop.offline.seqnms import SeqNmsConfig, seq_nms
from heatprop.types import Detections

FRAMES, WIDTH, HEIGHT = 300, 1280, 720
CONFIG = SeqNmsConfig()


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    boxes: int
    classes: int = 30


CASES = [
    Case("10 boxes a frame", 10),
    Case("30 boxes a frame", 30),
    Case("100 boxes a frame", 100),
    Case("30 boxes a frame, one class", 30, 1),
    Case("100 boxes a frame, one class", 100, 1),
]


def make_video(case: Case, frames: int) -> list[Detections]:
    """Make the detections of a video; in the mean `case.boxes` a frame."""
    random = np.random.default_rng(0)
    objects, steady = max(round(0.35 * case.boxes), 1), round(0.2 * case.boxes)
    popularity = 1 / np.arange(1, case.classes + 1)
    popularity /= popularity.sum()
    labels = random.choice(case.classes, objects + steady, p=popularity)
    sides = random.uniform(30, 250, (objects + steady, 2))
    centers = random.uniform((0, 0), (WIDTH, HEIGHT), (objects + steady, 2))
    speeds = random.normal(0, 4, (objects + steady, 2)) * (np.arange(objects + steady) < objects)[:, None]
    strengths = random.uniform(0.3, 0.95, objects + steady) * np.where(
        np.arange(objects + steady) < objects, 1, 0.4
    )
    video = []
    for _ in range(frames):
        centers = (centers + speeds) % (WIDTH, HEIGHT)
        seen = np.flatnonzero(random.random(objects + steady) < 0.92)
        doubled = seen[(seen < objects) & (random.random(len(seen)) < 0.6)]
        clutter = max(case.boxes - len(seen) - len(doubled), 0)
        which = np.concatenate([seen, doubled])
        jitter = np.where(np.arange(len(which)) < len(seen), 0.03, 0.15)[:, None]
        middle = centers[which] + random.normal(0, 1, (len(which), 2)) * jitter * sides[which]
        half = sides[which] * np.exp(random.normal(0, 0.05, (len(which), 2))) / 2
        scores = strengths[which] * random.uniform(0.6, 1, len(which)) * np.where(jitter[:, 0] > 0.1, 0.4, 1)
        boxes = np.concatenate([middle - half, middle + half], axis=1)
        corners = random.uniform((0, 0), (WIDTH, HEIGHT), (clutter, 2))
        spots = np.concatenate([corners, corners + random.uniform(15, 200, (clutter, 2))], axis=1)
        found = Detections(
            np.concatenate([boxes, spots]),
            np.concatenate([scores, random.uniform(0.05, 0.2, clutter)]),
            np.concatenate([labels[which], random.choice(case.classes, clutter, p=popularity)]),
        )
        video.append(found.select(np.argsort(-found.scores, kind="stable")))
    return video


def usual_seq_nms(video: list[Detections]) -> list[Detections]:
    """Do it class by class, every path with a dynamic programme over all that is left."""
    scores = [found.scores.astype(np.float64) for found in video]
    kept = [np.ones(len(found), np.bool_) for found in video]
    for label in np.unique(np.concatenate([found.labels for found in video])):
        rows = [np.flatnonzero(found.labels == label) for found in video]
        boxes = [found.boxes[row].astype(np.float64) for found, row in zip(video, rows, strict=True)]
        new = usual_class(boxes, [values[row].tolist() for values, row in zip(scores, rows, strict=True)])
        for values, stays, row, results in zip(scores, kept, rows, new, strict=True):
            values[row] = [0.0 if result is None else result for result in results]
            stays[row] = [result is not None for result in results]
    rescored = []
    for found, values, stays in zip(video, scores, kept, strict=True):
        left = np.flatnonzero(stays)
        left = left[np.argsort(-values[left], kind="stable")]
        rescored.append(Detections(found.boxes[left], values[left], found.labels[left], found.lengths[left]))
    return rescored


def usual_class(boxes: list[NDArray[np.float64]], scores: list[list[float]]) -> list[list[float | None]]:
    """Rescore one class; None where a box is suppressed."""
    links = [
        [np.flatnonzero(row).tolist() for row in overlaps(a, b) >= CONFIG.link_iou] for a, b in pairwise(boxes)
    ]
    new: list[list[float | None]] = [list(frame) for frame in scores]
    left = [list(frame) for frame in scores]  # 0 for a box that was taken
    while any(linked for frame in links for linked in frame):
        first, path, total = best_path(left, links)
        if total < CONFIG.min_path_score:
            break
        gone: list[set[int]] = [set() for _ in boxes]
        for t, i in enumerate(path, first):
            rivals = np.flatnonzero(overlaps(boxes[t][i : i + 1], boxes[t])[0] >= CONFIG.suppress_iou).tolist()
            for j in rivals:
                if j != i and left[t][j] != 0:
                    new[t][j] = None
            gone[t] = {*rivals, i}
            for j in gone[t]:
                left[t][j] = 0.0
        for t, i in enumerate(path, first):
            new[t][i] = total / len(path)
        for t in range(max(first - 1, 0), min(first + len(path), len(links))):
            links[t] = [
                [] if i in gone[t] else [j for j in linked if j not in gone[t + 1]]
                for i, linked in enumerate(links[t])
            ]
    return new


def best_path(scores: list[list[float]], links: list[list[list[int]]]) -> tuple[int, list[int], float]:
    """Return the first frame of the path of the largest sum, its boxes and the sum."""
    sums = [list(frame) for frame in scores]
    origins = [[-1] * len(frame) for frame in scores]
    for t, frame in enumerate(links):
        for i, linked in enumerate(frame):
            for j in linked:
                total = sums[t][i] + scores[t + 1][j]
                if total > sums[t + 1][j]:
                    sums[t + 1][j], origins[t + 1][j] = total, i
    best = [max(frame, default=0.0) for frame in sums]
    t = int(np.argmax(best))
    path = [sums[t].index(best[t])]
    total = best[t]
    while (origin := origins[t][path[-1]]) >= 0:
        path.append(origin)
        t -= 1
    return t, path[::-1], total


def overlaps(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the IoU of boxes ``(N, 4)`` with boxes ``(M, 4)``, as ``(N, M)``, sides counted with + 1."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.maximum(high - low + 1, 0.0).prod(axis=2)
    sizes_a, sizes_b = ((boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1) for boxes in (a, b))
    ratio: NDArray[np.float64] = common / (sizes_a[:, None] + sizes_b - common)
    return ratio


def measure(case: Case, runs: int, usual_runs: int, frames: int) -> dict[str, float]:
    """Return milliseconds a frame of both ways."""
    video = make_video(case, frames)
    for ours, usual in zip(seq_nms(video), usual_seq_nms(video), strict=True):
        np.testing.assert_array_equal(ours.scores, usual.scores)
        np.testing.assert_array_equal(ours.boxes, usual.boxes)
    times: dict[str, list[float]] = {"ours": [], "usual": []}
    for way, run, count in (("ours", seq_nms, runs), ("usual", usual_seq_nms, usual_runs)):
        for _ in range(count):
            started = time.perf_counter()
            run(video)
            times[way].append((time.perf_counter() - started) * 1e3 / frames)
    result = {way: float(np.median(values)) for way, values in times.items()}
    return result | {"times_faster": result["usual"] / result["ours"]}


def main() -> None:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="30 frames, one run")
    quick = parser.parse_args().quick
    frames, runs, usual_runs = (30, 1, 1) if quick else (FRAMES, 9, 1)
    table = Table(f"Seq-NMS of {frames} frames, ms a frame", "ours", "usual way", "times faster")
    results = {}
    for case in CASES:
        result = measure(case, runs, usual_runs, frames)
        results[case.name] = {name: round(value, 4) for name, value in result.items()}
        table.add_row(
            case.name, f"{result['ours']:.3f}", f"{result['usual']:.2f}", f"{result['times_faster']:.0f}"
        )
    Console(file=sys.stderr, width=110).print(table)
    print(json.dumps({"benchmark": "seqnms", "unit": "milliseconds a frame", "cases": results}))


if __name__ == "__main__":
    main()
