"""Commands that write folders and files and may be run again, and what they leave when nothing disturbs them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campaigns.outcomes import run_heatprop
from campaigns.videos import make_video

_SETTINGS = """
[data]
train = ["{data}"]
frames_a_video = 0
workers = 1
[model]
backbone = "resnet18"
width = 0.125
deformable = false
head_width = 8
input_side = 64
[schedule]
epochs = 2
batch_size = 4
[validation]
every_epochs = 0
[run]
threads = 1
device = "cpu"
checkpoint_steps = 2
tensorboard = false
"""


@dataclass(frozen=True, slots=True)
class Resumable:
    """A command, and what it leaves.

    Attributes:
        name: of the command.
        arguments: of the first run.
        again: of the run that goes on.
        seconds: that it takes alone.
        contents: of the folder where it ran; see `contents_of`.
    """

    name: str
    arguments: list[str]
    again: list[str]
    seconds: float
    contents: Mapping[str, str]


def resumable_commands(folder: Path) -> list[Resumable]:
    """Run each command once, undisturbed; training only where PyTorch is installed."""
    data, video = folder / "data", folder / "clip.mp4"
    made = run_heatprop(["synthesize", data, "--videos", "2", "--frames", "8", "--stills", "2", "--quiet"], folder)
    if made.code != 0:
        raise RuntimeError(f"synthesize fails undisturbed: {made.stderr}")
    make_video(video, "libx264", "aac")
    settings = folder / "run.toml"
    settings.write_text(_SETTINGS.format(data=data))
    detect = [
        *("detect", f"{video}", "-o", "out.mp4", "--json", "out.jsonl", "--csv", "out.csv"),
        *("--parquet", "out.parquet", "--crops", "seen"),
        *("--input-size", "64", "--score-threshold", "0.02", "--quiet"),
    ]
    arguments = {
        "detect": detect,
        "synthesize": ["synthesize", "out", "--videos", "2", "--frames", "12", "--stills", "4", "--quiet"],
        "evaluate": [
            *("evaluate", "--dataset", "imagenet-vid", "--root", f"{data}", "--split", "test", "-o", "out"),
            *("--model", "synthvid", "--input-size", "64", "--cache", "cache", "--metric", "official", "--quiet"),
        ],
    }
    if importlib.util.find_spec("torch") is not None:
        arguments["train"] = ["train", "--config", f"{settings}", "-o", "out", "--quiet"]
    found = []
    for name, words in arguments.items():
        place = folder / f"whole-{name}"
        place.mkdir()
        began = time.monotonic()
        ended = run_heatprop(words, place)
        if ended.code != 0:
            raise RuntimeError(f"{name} fails undisturbed: {ended.stderr}")
        again = [*words, "--resume"] if name == "detect" else words
        found.append(Resumable(name, words, again, time.monotonic() - began, contents_of(place)))
    return found


def difference(one: Mapping[str, str], other: Mapping[str, str]) -> str | None:
    """Return the name of a file that is in one folder only, or differs; None where all are the same."""
    return next((name for name in sorted({**one, **other}) if one.get(name) != other.get(name)), None)


def contents_of(folder: Path) -> dict[str, str]:
    """Return the names of all files in a folder, and hashes of what they hold, except what tells the time."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(_content(path)).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _content(path: Path) -> bytes:
    if path.suffix in {".zip", ".npz"}:  # both say when their entries were written
        with zipfile.ZipFile(path) as archive:
            return b"".join(name.encode() + archive.read(name) for name in sorted(archive.namelist()))
    if path.suffix == ".pt":
        return _weights(path)
    if path.name == "log.jsonl":
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return json.dumps([line["step"] for line in lines]).encode()
    data = path.read_bytes()
    return data.partition(b"\n")[2] if path.suffix == ".jsonl" else data


def _weights(path: Path) -> bytes:
    import torch  # noqa: PLC0415 - where there are such files, it is installed

    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    return b"".join(name.encode() + tensor.numpy().tobytes() for name, tensor in sorted(state.items()))
