"""What `heatprop detect` says at the end: frames, objects, and where the time went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Summary:
    """One run in numbers.

    Attributes:
        name: the source.
        frames: how many were finished.
        skipped: damaged pictures or packets left out.
        objects: detections in all frames.
        seconds: from the first frame asked for to the last output closed.
        backend: what ran the network.
        stages: seconds of each stage over all frames; stages overlap.
        outputs: the files written.
        sound: what was lost of the sound; None when nothing was.
    """

    name: str
    frames: int
    skipped: int
    objects: int
    seconds: float
    backend: str
    stages: Mapping[str, float]
    outputs: Sequence[Path]
    sound: str | None = None

    def lines(self) -> list[str]:
        """Return the summary as lines of text.

        Example:
            >>> run = Summary("a.mp4", 100, 1, 250, 2.0, "ONNX Runtime", {"decode": 0.1, "network": 1.5}, [])
            >>> print(*run.lines(), sep="\\n")
            a.mp4: 100 frames in 2.0 s, 50.0 fps, 1 damaged left out
              objects  250, 2.5 a frame
              backend  ONNX Runtime
              stages   decode 1.0, network 15.0 ms a frame; they overlap
        """
        frames = max(self.frames, 1)
        fps = self.frames / self.seconds if self.seconds > 0 else 0.0
        stages = ", ".join(f"{name} {seconds / frames * 1000:.1f}" for name, seconds in self.stages.items())
        skipped = f"{self.skipped:,} damaged left out" if self.skipped else "none damaged"
        return [
            f"{self.name}: {self.frames:,} frames in {self.seconds:.1f} s, {fps:.1f} fps, {skipped}",
            f"  objects  {self.objects:,}, {self.objects / frames:.1f} a frame",
            f"  backend  {self.backend}",
            f"  stages   {stages} ms a frame; they overlap",
            *(f"  wrote    {path} ({_size(path)})" for path in self.outputs),
            *([] if self.sound is None else [f"  sound    {self.sound}"]),
        ]


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(size / 1e3, 0.1):.1f} kB"
