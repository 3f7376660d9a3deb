"""What `heatprop bench` measured, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from heatprop.cli.summary import Summary
from heatprop.runtime.machine import Machine

STAGES = {
    "reading": "decode",
    "letterbox": "letterbox",
    "network": "network",
    "propagation": "propagate",
    "drawing": "draw",
    "encoding": "encode",
    "JSON Lines": "record",
}
"""What is printed, and the field of `StageTimings` that has it."""


@dataclass(frozen=True, slots=True)
class Round:
    """What was measured once, one after another.

    Attributes:
        bare: the network alone, in frames a second.
        records: the command that writes JSON Lines.
        everything: the command that writes an annotated video besides.
    """

    bare: float
    records: Summary
    everything: Summary


@dataclass(frozen=True, slots=True)
class BenchReport:
    """A measurement of this machine; its figures are medians over the rounds.

    Attributes:
        source: what the video is called.
        size: of its frames, width and height in pixels.
        model: its name.
        input_size: of what the network is given, width and height in pixels.
        backend: what ran the network.
        concurrency: how many frames the network works on at once.
        loading: seconds that model and backend took to load.
        machine: where.
        rounds: what was measured.
    """

    source: str
    size: tuple[int, int]
    model: str
    input_size: tuple[int, int]
    backend: str
    concurrency: int
    loading: float
    machine: Machine
    rounds: Sequence[Round]

    @property
    def stages(self) -> dict[str, float]:
        """Milliseconds of a frame in each stage."""
        return {
            name: median(
                1e3 * getattr(each.everything.timings, field) / each.everything.frames for each in self.rounds
            )
            for name, field in STAGES.items()
        }

    @property
    def speeds(self) -> dict[str, tuple[float, float]]:
        """Frames a second of the network and of the commands, and their share of the network's of their round."""
        bare = [each.bare for each in self.rounds]
        rates = {
            "bare network": bare,
            "detect --json": [_rate(each.records) for each in self.rounds],
            "detect --json -o": [_rate(each.everything) for each in self.rounds],
        }
        return {
            name: (median(values), median(value / one for value, one in zip(values, bare, strict=True)))
            for name, values in rates.items()
        }

    def lines(self) -> list[str]:
        """Return it as lines of text."""
        last = self.rounds[-1].everything
        rounds = "once" if len(self.rounds) == 1 else f"median of {len(self.rounds)} rounds"
        machine = self.machine
        stages, speeds = self.stages, self.speeds
        total = sum(stages.values()) or 1.0
        key_frames = [] if last.key_frames is None else [f"  network    on {last.key_frames:,} key frames"]
        return [
            f"{self.source}: {last.frames:,} frames of {self.size[0]} x {self.size[1]}, "
            f"{last.objects / last.frames:.1f} objects a frame; {rounds}",
            f"  machine    {machine.processor}, {machine.usable} of {machine.processors} processors, "
            f"{machine.system}, Python {machine.python}",
            f"  backend    {self.backend}; {self.concurrency} frames at once",
            f"  model      {self.model}, input {self.input_size[0]} x {self.input_size[1]}, "
            f"loaded in {self.loading:.1f} s",
            *key_frames,
            "",
            "  stage          ms a frame  share",
            *(f"  {name:<14} {ms:>10.2f} {ms / total:>6.0%}" for name, ms in stages.items()),
            "  Stages run side by side and share the processors, so a frame takes less than their sum.",
            "",
            "  whole             frames/s  of the bare network",
            *(f"  {name:<16} {rate:>9.1f} {share:>6.0%}" for name, (rate, share) in speeds.items()),
        ]

    def to_json(self) -> dict[str, Any]:
        """Return all numbers by name; JSON can hold them."""
        last = self.rounds[-1].everything
        stages = self.stages
        total = sum(stages.values()) or 1.0
        return {
            "source": self.source,
            "width": self.size[0],
            "height": self.size[1],
            "frames": last.frames,
            "key_frames": last.frames if last.key_frames is None else last.key_frames,
            "objects": last.objects,
            "rounds": len(self.rounds),
            "model": self.model,
            "input_width": self.input_size[0],
            "input_height": self.input_size[1],
            "backend": self.backend,
            "frames_at_once": self.concurrency,
            "loading_seconds": round(self.loading, 3),
            "machine": asdict(self.machine),
            "stages": {
                name: {"ms_per_frame": round(ms, 3), "share": round(ms / total, 4)} for name, ms in stages.items()
            },
            "speeds": {
                name: {"frames_per_second": round(rate, 2), "share_of_network": round(share, 4)}
                for name, (rate, share) in self.speeds.items()
            },
        }


def _rate(summary: Summary) -> float:
    return summary.frames / summary.seconds
