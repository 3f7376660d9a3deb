"""What propagation brings to a detector, by what it is given: heatmap, pyramid, or boxes before or after NMS.

    python benchmarks/detectors.py --root real-video-dev --root real-video-more --json detectors.json

For both embedded models, and inputs of 320, 416 and 512 pixels: AP50 and AP75 of COCO, the mean over clips;
changes between found and missed in a hundred frames of a track, false positives a frame, both of detections from
0.3; and the milliseconds that one processor spends on a frame after the network. Detections have at least 0.05.
"Then .6" is the overlap from which boxes of a class are suppressed at last.

What dense heads are given is chosen, for each clip, by the mean AP50 over the *other* clips of the first root; the
row "chosen without the clip" is the mean of those.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np

from heatprop import layouts, zoo
from heatprop.backends import load_model
from heatprop.backends.base import to_planes
from heatprop.backends.onnx import open_session
from heatprop.boxes import nms
from heatprop.io.image_files import read_image
from heatprop.lab.datasets import VideoDataset, load_dataset
from heatprop.lab.datasets.annotations import Video
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.flicker import flicker
from heatprop.lab.evaluation.metrics.overlap_matching import match_at
from heatprop.lab.evaluation.metrics.ranking import rank_coco
from heatprop.lab.evaluation.runs.class_matching import match_classes
from heatprop.letterbox import Letterbox, boxes_to_frame, fit_letterbox, letterbox
from heatprop.propagation import BoxEvidence, HeatmapPropagator, PropagationConfig, decode
from heatprop.types import Detections, FloatArray, HeadOutput, PyramidOutput

SIZES = (320, 416, 512)
MODELS = ("mb3-coco", "nanodet-coco")
STRIDES = (8, 16, 32)
FLOOR = 0.05
CONFIGS = {"paper": PropagationConfig.paper(), "adaptive": PropagationConfig.adaptive()}
Given: TypeAlias = HeadOutput | PyramidOutput | Detections
Figures: TypeAlias = tuple[float, ...]
NAMES = ("AP50", "AP75", "changes", "false positives", "ms")


@dataclass(frozen=True)
class Seen:
    """What a network says of one frame: by name what propagation may be given, and what is shown without it."""

    fitted: Letterbox
    stride: int
    alone: Detections
    given: dict[str, Given]


def suppressed(found: Detections, overlap: float) -> Detections:
    """Return detections without those that a better one of their class overlaps by more."""
    return found.select(nms(found.boxes, found.labels, overlap))


def see_centernet(output: HeadOutput, fitted: Letterbox, stride: int) -> Seen:
    """Say what a CenterNet gives."""
    alone = decode(output, score_threshold=FLOOR)
    pixels = replace(alone, boxes=alone.boxes * np.float32(stride))
    return Seen(fitted, stride, alone, {"heatmap": output, "boxes": pixels})


def see_nanodet(tensors: dict[str, FloatArray], fitted: Letterbox, layout: layouts.Layout) -> Seen:
    """Say what a NanoDet gives."""
    height, width = fitted.input_height, fitted.input_width
    every = layout.decode(tensors, height, width, 80, FLOOR, most=1000)
    given: dict[str, Given] = {
        "boxes after NMS .6": suppressed(every, 0.6),
        "boxes after NMS .65": suppressed(every, 0.65),
        "boxes after NMS .8": suppressed(every, 0.8),
        "boxes before NMS": every,
        "pyramid": pyramid(layout.read(tensors, height, width, 80), height, width),
    }
    return Seen(fitted, 1, suppressed(every, 0.6), given)


def pyramid(sites: layouts.Sites, height: int, width: int) -> PyramidOutput:
    """Return sites, ordered by stride, row and column, as levels."""
    boxes = sites.boxes_of(np.arange(len(sites.scores)))
    levels, start = [], 0
    for stride in STRIDES:
        grid = (-(-height // stride), -(-width // stride))
        rows = slice(start, start + grid[0] * grid[1])
        start = rows.stop
        y, x = np.mgrid[: grid[0], : grid[1]].astype(np.float32) + np.float32(0.5)
        left, top, right, bottom = boxes[rows].T.reshape(4, *grid) / stride
        size = np.stack([x - left, y - top, right - x, bottom - y])
        scores = np.ascontiguousarray(sites.scores[rows].T.reshape(-1, *grid))
        levels.append(HeadOutput(scores, size, np.full((2, *grid), 0.5, np.float32)))
    return PyramidOutput(levels, STRIDES)


def watch(dataset: VideoDataset, video: Video, name: str, size: int) -> Iterator[Seen]:
    """Run a network on the frames of a clip, and keep the dataset's classes."""
    model = load_model(name, input_size=size)
    session = open_session(zoo.find(name))
    outputs = [each.name for each in session.outputs]
    classes = match_classes(model.card.classes, dataset.classes)
    for row in video.rows:
        image = read_image(Path(dataset.image_paths[row]))
        fitted = fit_letterbox(image.shape[1], image.shape[0], model.card.input)
        planes = to_planes(letterbox(image, fitted)[None], model.card.input)
        tensors = session.run(outputs, {session.inputs[0].name: planes})
        if name == "mb3-coco":
            head = HeadOutput(tensors["heatmap"][0], tensors["size"][0])
            restricted = classes.restrict(head)
            assert isinstance(restricted, HeadOutput)
            yield see_centernet(restricted, fitted, model.card.stride)
            continue
        seen = see_nanodet(tensors, fitted, layouts.get("nanodet"))

        def restrict(given: Given) -> Given:
            if isinstance(given, PyramidOutput):
                levels = [replace(each, heatmap=each.heatmap[classes.channels]) for each in given.levels]
                return replace(given, levels=levels)
            kept = classes.restrict(given)
            assert isinstance(kept, Detections | HeadOutput)
            return kept

        alone = restrict(seen.alone)
        assert isinstance(alone, Detections)
        yield replace(seen, alone=alone, given={key: restrict(each) for key, each in seen.given.items()})


def propagate(frames: list[Seen], given: str, config: PropagationConfig) -> tuple[list[Detections], float]:
    """Propagate over a clip; return what is found, in units of the network's boxes, and milliseconds a frame."""
    propagator = HeatmapPropagator(config)
    found, spent = [], 0.0
    for seen in frames:
        fitted, output = seen.fitted, seen.given[given]
        started = time.thread_time()
        if isinstance(output, Detections):
            boxes = BoxEvidence(output, (fitted.input_height, fitted.input_width))
            result = propagator.update(boxes, image_area=fitted.image_area(boxes.cell))
        else:
            cell = seen.stride if isinstance(output, HeadOutput) else 1
            result = propagator.update(output, image_area=fitted.image_area(cell))
        spent += time.thread_time() - started
        if isinstance(output, Detections):
            result = replace(result, boxes=result.boxes / np.float32(seen.stride))
        found.append(result)
    return found, 1e3 * spent / len(frames)


def score(dataset: VideoDataset, video: Video, frames: list[Seen], found: list[Detections]) -> Figures:
    """Return the figures of a clip, without the time."""
    labels = match_classes(load_model(MODELS[0]).card.classes, dataset.classes).labels
    shown = (
        replace(each, boxes=boxes_to_frame(each.boxes, seen.fitted, seen.stride), labels=labels[each.labels])
        for seen, each in zip(frames, found, strict=True)
    )
    table = DetectionTable.from_frames(zip(video.rows, shown, strict=True))
    videos = tuple(each if each is video else replace(each, evaluated=frozenset()) for each in dataset.videos)
    alone = replace(dataset, videos=videos)
    counts = np.array([1.0 if each is video else 0.0 for each in dataset.videos])
    at50, at75 = match_at(alone, table, 0.5), match_at(alone, table, 0.75)
    steadiness = flicker(at50, 0.3).figures(counts)
    ap = (100 * rank_coco(each).mean_average_precision(counts) for each in (at50, at75))
    return (*ap, steadiness["changes"], steadiness["false_positives"])


def forms_of(name: str) -> dict[str, tuple[str, PropagationConfig]]:
    """Return what is compared of a model, by title: what is given, and the settings."""
    if name == "mb3-coco":
        return {f"{form}, {given}": (given, CONFIGS[form]) for form in CONFIGS for given in ("heatmap", "boxes")}
    given = ("boxes after NMS .6", "boxes after NMS .65", "boxes after NMS .8", "boxes before NMS", "pyramid")
    chosen = [("paper", 0.3, each) for each in given] + [("paper", 0.6, given[0])]
    chosen += [("adaptive", overlap, each) for overlap in (0.6, 0.7) for each in given]
    return {
        f"{form}, {each}, then .{10 * overlap:.0f}": (each, replace(CONFIGS[form], nms_iou=overlap))
        for form, overlap, each in chosen
    }


def leave_one_out(rows: dict[str, list[Figures]], among: Callable[[str], bool], tuned: int) -> list[Figures]:
    """Return for each clip the figures of the form that is best by AP50 on the other clips of the first root."""
    titles = [title for title in rows if among(title)]
    chosen = []
    for clip in range(len(rows[titles[0]])):
        others = [each for each in range(tuned) if each != clip]
        best = max(titles, key=lambda title: np.mean([rows[title][each][0] for each in others]))
        chosen.append(rows[best][clip])
    return chosen


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--root", type=Path, action="append", required=True, help="CocoVID dataset; may be repeated"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--json", type=Path, help="where the figures of each clip go, too")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    datasets = [load_dataset("coco-video", root) for root in arguments.root]
    clips = [(dataset, video) for dataset in datasets for video in dataset.videos]
    tuned = len(datasets[0].videos)
    everything: dict[str, dict[str, dict[str, Figures]]] = {}
    for name in arguments.models:
        for size in arguments.sizes:
            rows: dict[str, list[Figures]] = {"alone": [], **{title: [] for title in forms_of(name)}}
            for dataset, video in clips:
                frames = list(watch(dataset, video, name, size))
                rows["alone"].append((*score(dataset, video, frames, [each.alone for each in frames]), 0.0))
                for title, (given, config) in forms_of(name).items():
                    found, spent = propagate(frames, given, config)
                    rows[title].append((*score(dataset, video, frames, found), spent))
            if name == "nanodet-coco":
                rows["adaptive, chosen without the clip"] = leave_one_out(
                    rows, lambda title: title.startswith("adaptive"), tuned
                )
            everything[f"{name} {size}"] = {
                title: {video.name: figures for (_, video), figures in zip(clips, each, strict=True)}
                for title, each in rows.items()
            }
            print_table(f"{name}, {size} pixels", rows, [video.name for _, video in clips], tuned)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(everything))


def print_table(title: str, rows: dict[str, list[Figures]], clips: list[str], tuned: int) -> None:
    """Print means over the clips of each part, and the least difference to the detector alone."""
    print(f"\n{title}\n")
    print("| | AP50 / AP75 | changes | false positives | worst clip | other clips | worst | ms |")
    print("| --- |" + " --- |" * 7, flush=True)
    alone = np.array(rows["alone"])
    for name, figures in rows.items():
        values = np.array(figures)
        first, others = values[:tuned].mean(axis=0), values[tuned:].mean(axis=0) if len(values) > tuned else None
        gains = values[:, 0] - alone[:, 0]
        text = f"| {name} | {first[0]:.1f} / {first[1]:.1f} | {first[2]:.1f} | {first[3]:.2f} | "
        text += f"{gains[:tuned].min():+.1f} {clips[int(np.argmin(gains[:tuned]))]} | "
        text += (
            "- | - |" if others is None else f"{others[0]:.1f} / {others[1]:.1f} | {gains[tuned:].min():+.1f} |"
        )
        print(f"{text} {first[4]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
