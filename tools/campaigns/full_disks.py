"""Disks that fill up, and limits to the size of files, under commands that write.

A run then fails in a line that names the reason, keeps what it has finished as unfinished, and the same command
with more room ends as if nothing had happened.
"""

from __future__ import annotations

import hashlib
import os
import random
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from campaigns.outcomes import Tally, run_heatprop

_REASONS = ("No space left", "File too large", "space left", "room")
# A video of fewer bytes may hold no whole second yet.
_MIN_PLAYABLE = 60_000
_VIDEO_FRAMES = 75
_SIZES = {"detect": 900_000, "synthesize": 260_000, "evaluate": 120_000}


def run(runs: int, seed: int, folder: Path) -> Tally:
    """Let `runs` commands meet the end of the disk at a random moment, and run them again with room."""
    draw = random.Random(seed)
    tally = Tally("full_disks")
    video = _noisy_video(folder / "noise.mp4")
    dataset = folder / "synthetic"
    run_heatprop(["synthesize", dataset, "--videos", "1", "--frames", "8", "--stills", "2", "--quiet"], folder)
    arguments: dict[str, list[str | Path]] = {
        "detect": [
            *("detect", video, "-o", "out.mp4", "--json", "out.jsonl", "--csv", "out.csv"),
            *("--input-size", "64", "--score-threshold", "0.1"),
        ],
        "synthesize": ["synthesize", "out", "--videos", "1", "--frames", "8", "--stills", "2", "--seed", "1"],
        "evaluate": [
            *("evaluate", "--dataset", "imagenet-vid", "--root", dataset, "--split", "test", "-o", "out"),
            *("--model", "synthvid", "--input-size", "64", "--cache", "cache"),
        ],
    }
    commands = [_whole(name, command, folder) for name, command in arguments.items()]
    kinds = [_limited, _small_disk] if _may_mount(folder) else [_limited]
    for number in range(runs):
        command = draw.choice(commands)
        place = folder / f"{number}-{command.name}"
        place.mkdir()
        with kinds[number % len(kinds)](place, draw.randint(2_000, _SIZES[command.name])) as make_room:
            outcome, fault, said = _once(command, place, make_room)
        tally.count(outcome, fault, f"{place.name}: {said}")
    return tally


@dataclass(frozen=True, slots=True)
class _Command:
    """A command, and what it writes where there is room."""

    name: str
    arguments: list[str | Path]
    contents: dict[str, str]


def _whole(name: str, arguments: list[str | Path], folder: Path) -> _Command:
    place = folder / f"whole-{name}"
    place.mkdir()
    ended = run_heatprop(arguments, place)
    if ended.code != 0:
        raise RuntimeError(f"{name} fails where there is room: {ended.stderr}")
    return _Command(name, arguments, _contents(place))


def _once(command: _Command, place: Path, make_room: Callable[[], None]) -> tuple[str, str | None, str]:
    """Run a command without and with room; return how the first ended, what was wrong, and what was said."""
    ended = run_heatprop(command.arguments, place)
    outcome = {0: "had room", 1: "failed", 2: "refused"}.get(-1 if ended.code is None else ended.code, "other")
    fault = ended.fault()
    if fault is None and ended.code != 0 and not any(reason in ended.stderr for reason in _REASONS):
        fault = "does not name the reason"
    if fault is None and command.name == "detect":
        fault = _unplayable(place)
    if fault is not None:
        return outcome, fault, ended.stderr.strip()[-300:]
    make_room()
    again = run_heatprop([*command.arguments, *(["--resume"] if command.name == "detect" else [])], place)
    fault = again.fault(allowed=(0,))
    if fault is None and _contents(place) != command.contents:
        fault = "with room it ends otherwise"
    return outcome, fault, again.stderr.strip()[-300:]


def _unplayable(place: Path) -> str | None:
    """Return what is wrong with the videos that are left, None if nothing is."""
    for video in place.glob("*.mp4"):
        if video.stat().st_size < _MIN_PLAYABLE:
            continue
        try:
            with av.open(str(video)) as container:
                if not any(True for _ in container.decode(video=0)):
                    return f"{video.name} has no frame"
        except av.FFmpegError as error:
            return f"{video.name} does not play ({error.strerror})"
    return None


def _contents(place: Path) -> dict[str, str]:
    """Return what is in a folder: the names of its files and what they hold, except those that tell the time."""
    contents = {}
    for path in sorted(place.rglob("*")):
        if path.is_file() and path.suffix not in {".json", ".lock", ".zip"}:
            data = path.read_bytes()
            if path.suffix == ".jsonl":
                data = data.partition(b"\n")[2]
            elif path.suffix == ".mp4":
                data = _packets_of(path)  # without room for its index at the head, a video stays in fragments
            contents[str(path.relative_to(place))] = hashlib.sha256(data).hexdigest()
    return contents


def _packets_of(video: Path) -> bytes:
    with av.open(str(video)) as container:
        return b"".join(f"{packet.pts} ".encode() + bytes(packet) for packet in container.demux(video=0))


@contextmanager
def _limited(_: Path, size: int) -> Iterator[Callable[[], None]]:
    """Limit the size of files until what is given is called."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def lift() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield lift
    finally:
        lift()


@contextmanager
def _small_disk(place: Path, size: int) -> Iterator[Callable[[], None]]:
    """Make the folder a disk of so many bytes, and a large one when what is given is called."""
    _mount(place, f"size={size}")
    try:
        yield lambda: _mount(place, "remount,size=64m")
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _mount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True, capture_output=True)


def _may_mount(folder: Path) -> bool:
    if os.name != "posix" or os.geteuid() != 0:
        return False
    place = folder / "disk"
    place.mkdir()
    try:
        with _small_disk(place, 100_000):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def _noisy_video(path: Path) -> Path:
    """Write a video that nothing makes small."""
    noise = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"crf": "30", "preset": "superfast"})
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        for _ in range(_VIDEO_FRAMES):
            frame = av.VideoFrame.from_ndarray(noise.integers(0, 256, (120, 160, 3), np.uint8))
            container.mux(video.encode(frame.reformat(format="yuv420p")))
        container.mux(video.encode(None))
    return path
