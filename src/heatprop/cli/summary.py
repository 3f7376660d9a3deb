"""What `heatprop detect` says at the end: frames, objects, and where the time went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from heatprop.counting import LEAST_FRAMES
from heatprop.runtime.timings import StageTimings

_MOST_CLASSES = 8


@dataclass(frozen=True, slots=True)
class Distinct:
    """How many different objects there were.

    Attributes:
        counts: by name of class.
        least_frames: in how many frames each was seen at least.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    least_frames: int = LEAST_FRAMES

    def __str__(self) -> str:
        frames = "frame" if self.least_frames == 1 else "frames"
        return f"{by_class(self.counts)} (each seen in at least {self.least_frames:,} {frames})"


def by_class(counts: Mapping[str, int]) -> str:
    """Return numbers by class in words, the largest first; of many classes the small ones together.

    Example:
        >>> by_class({"bicycle": 3, "car": 0, "person": 1200})
        '1,200 person, 3 bicycle'
    """
    ranked = sorted((-count, name) for name, count in counts.items() if count)
    shown = _MOST_CLASSES if len(ranked) > _MOST_CLASSES + 1 else len(ranked)
    said = [f"{-count:,} {name}" for count, name in ranked[:shown]]
    if rest := ranked[shown:]:
        said.append(f"{-sum(count for count, _ in rest):,} of {len(rest)} other classes")
    return ", ".join(said)


@dataclass(frozen=True, slots=True)
class Summary:
    """One run in numbers.

    Attributes:
        name: the source.
        frames: how many were finished.
        skipped: damaged frames or packets.
        objects: detections in all frames.
        seconds: from the first frame asked for to the last output closed.
        backend: what ran the network.
        timings: where the time went.
        outputs: the files written.
        sound: what was lost of the sound; None when nothing was.
        dropped: frames of a camera or stream that came while earlier ones were worked on.
        reconnections: how often a stream was lost and found again.
        key_frames: on how many frames the network ran; None where it runs on each.
        notes: what is worth knowing of how the source was read.
        model: what a file without a card was taken for.
        distinct: different objects.
    """

    name: str
    frames: int
    skipped: int
    objects: int
    seconds: float
    backend: str
    timings: StageTimings
    outputs: Sequence[Path]
    sound: str | None = None
    dropped: int = 0
    reconnections: int = 0
    key_frames: int | None = None
    notes: Sequence[str] = ()
    model: str = ""
    distinct: Distinct = Distinct()

    def lines(self) -> list[str]:
        """Return the summary as lines of text.

        Example:
            >>> timings = StageTimings(decode=0.1, network=1.5)
            >>> distinct = Distinct({"car": 3, "person": 12})
            >>> run = Summary(
            ...     "camera:0", 100, 1, 250, 5.0, "ONNX Runtime", timings, [], dropped=50, distinct=distinct
            ... )
            >>> print(*run.lines(), sep="\\n")
            camera:0: 100 frames in 5.0 s, 20.0 fps, 1 damaged skipped, 50 dropped to keep up
              objects  250, 2.5 a frame
              distinct 12 person, 3 car (each seen in at least 5 frames)
              backend  ONNX Runtime
              stages   decode 1.0, network 15.0, propagate 0.0 ms a frame; they overlap
        """
        frames = max(self.frames, 1)
        fps = self.frames / self.seconds if self.seconds > 0 else 0.0
        spent = {
            "decode": self.timings.decode,
            "network": self.timings.letterbox + self.timings.network,
            "propagate": self.timings.propagate,
        }
        if self.timings.draw:
            spent |= {"draw": self.timings.draw, "encode": self.timings.encode}
        stages = ", ".join(f"{name} {seconds / frames * 1000:.1f}" for name, seconds in spent.items())
        keys, key_frames = self.key_frames, []
        if keys is not None:
            key_frames = [f"  network  on {keys:,} key frames, one in {frames / max(keys, 1):.1f} frames"]
        lost = f"{self.skipped:,} damaged skipped" if self.skipped else "none damaged"
        if self.dropped:
            lost += f", {self.dropped:,} dropped to keep up"
        if self.reconnections:
            lost += f", lost and found again {self.reconnections:,} times"
        return [
            f"{self.name}: {self.frames:,} frames in {self.seconds:.1f} s, {fps:.1f} fps, {lost}",
            f"  objects  {self.objects:,}, {self.objects / frames:.1f} a frame",
            *([f"  distinct {self.distinct}"] if any(self.distinct.counts.values()) else []),
            *key_frames,
            *([f"  model    {self.model}; see heatprop models inspect"] if self.model else []),
            f"  backend  {self.backend}",
            f"  stages   {stages} ms a frame; they overlap",
            *(f"  wrote    {path} ({_size(path)})" for path in self.outputs),
            *([] if self.sound is None else [f"  sound    {self.sound}"]),
            *(f"  note     {note}" for note in self.notes),
        ]


def _size(path: Path) -> str:
    if path.is_dir():
        count = sum(each.suffix == ".jpg" for each in path.iterdir())
        return f"{count:,} picture{'s' if count != 1 else ''}"
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(size / 1e3, 0.1):.1f} kB"
