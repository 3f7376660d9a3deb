"""Pipes, devices, folders and enormous files where a file is meant: refused at once, in one line."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from cli.conftest import Run
from small_video_datasets import write_coco_video

COMMANDS = {
    "detections": ("score", "--dataset", "coco-video", "--root", "dataset", "UNFIT"),
    "annotations": ("score", "--dataset", "coco-video", "--root", "UNFIT", "found.json"),
    "evaluate": ("evaluate", "--dataset", "coco-video", "--root", "UNFIT", "-o", "out"),
    "check": ("dataset", "check", "UNFIT", "--layout", "coco-video", "--json"),
    "list": ("dataset", "check", "vid", "--layout", "imagenet-vid", "--json"),
    "settings": ("train", "--config", "UNFIT", "-o", "out"),
    "model": ("detect", "CLIP", "--model", "UNFIT", "--json", "-"),
    "model.xml": ("detect", "CLIP", "--model", "link.xml", "--json", "-"),
    "checkpoint": ("export", "link.pth", "-o", "model.onnx"),
    "classes": ("export", "any.pth", "--classes", "UNFIT", "-o", "model.onnx"),
}


@pytest.mark.parametrize("unfit", ["pipe", "/dev/zero", "large"])
@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_refused_in_one_line(run: Run, short_clip: Path, command: str, unfit: str) -> None:
    """A pipe that nobody writes to would hang, a device has no end, and a terabyte has no room."""
    if COMMANDS[command][0] in ("train", "export"):
        pytest.importorskip("torch")
    write_coco_video(Path("dataset"), np.zeros((48, 64, 3), np.uint8))
    Path("found.json").write_text("[]")
    os.mkfifo("pipe")
    with Path("large").open("wb") as file:
        file.truncate(10**12)
    lists = Path("vid", "ImageSets", "VID")
    lists.mkdir(parents=True)
    Path("vid", "Data", "VID", "val").mkdir(parents=True)
    Path("vid", "Annotations", "VID", "val").mkdir(parents=True)
    for name in ("link.xml", "link.pth", lists / "val.txt"):
        Path(name).symlink_to(Path(unfit).absolute())

    done = run(*({"UNFIT": unfit, "CLIP": short_clip}.get(word, word) for word in COMMANDS[command]))

    if command in ("check", "list"):
        assert done.code in (1, 2), done
    else:
        assert done.code == 2, done
        assert done.err.count("\n") == 1, done
    said = {"pipe": r"a pipe|no regular file", "/dev/zero": r"a device|no regular file", "large": r"1e\+03 GB"}[
        unfit
    ]
    assert re.search(said, done.err + done.out), done
    assert not Path("out").exists()
