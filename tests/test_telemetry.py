"""No command looks up a host, opens a connection, or starts a process that could."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from heatprop.backends import available
from heatprop.types import ImageArray
from small_video_datasets import write_coco_video

# Heard for the whole process, beginning before heatprop is imported.
PROGRAM = """
import os, sys
heard = []
def hook(event, arguments):
    if event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.connect",
                 "socket.sendto", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system",
                 "subprocess.Popen"}:
        if event == "subprocess.Popen" and arguments[0] == "/sbin/ldconfig":
            return  # PyTorch asks for the libraries of this machine
        heard.append((event, str(arguments)[:200]))
sys.addaudithook(hook)
from heatprop.cli import main
code = main(sys.argv[1:])
print("heard", heard, file=sys.stderr)
sys.exit(code)
"""


def heard(arguments: list[str | Path], folder: Path) -> str:
    """Run a command and return what it did that could reach another machine."""
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()[-1].removeprefix("heard ")


@pytest.mark.parametrize("backend", [name for name in available() if name != "torch"])
def test_detect_reaches_nobody(backend: str, demo_clip: Path, tmp_path: Path) -> None:
    outputs = ["-o", "out.mp4", "--json", "out.jsonl"]
    assert heard(["detect", demo_clip, "--backend", backend, "--max-frames", "3", *outputs], tmp_path) == "[]"


def test_detect_with_pytorch_reaches_nobody(demo_clip: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from small_checkpoints import small_checkpoint

    model = ["--model", small_checkpoint(), "--backend", "torch"]
    assert heard(["detect", demo_clip, *model, "--max-frames", "2", "--json", "out.jsonl"], tmp_path) == "[]"


@pytest.mark.parametrize("backend", [name for name in available() if name != "torch"])
def test_evaluate_reaches_nobody(backend: str, street_image: ImageArray, tmp_path: Path) -> None:
    write_coco_video(tmp_path / "set", street_image, lengths=(2,))
    dataset = ["--dataset", "coco-video", "--root", "set", "-o", "results", "--cache", "cache"]
    assert heard(["evaluate", *dataset, "--backend", backend], tmp_path) == "[]"


@pytest.mark.parametrize("name", ["model.onnx", "model.xml"])
def test_export_reaches_nobody(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from small_checkpoints import small_checkpoint

    assert heard(["export", small_checkpoint(), "-o", name], tmp_path) == "[]"
