"""A backbone learns to tell single objects apart before it learns where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heatprop.cli import main
from heatprop.datasets import load_dataset
from heatprop.letterbox import InputFormat
from heatprop.networks import CenterNetConfig, build_network
from heatprop.training.config import AugmentationConfig, PretrainingConfig
from heatprop.training.pretraining import ObjectCrops, cut_out, pretrain
from heatprop.training.reports import Watcher
from heatprop.training.samples import DatasetSamples
from small_training_runs import tiny_config, write_shapes

INPUT = InputFormat(64, 32, "RGB", 1 / 255, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
STILL = AugmentationConfig(flip=0, colour=0, lighting=0)


class Listener(Watcher):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes(tmp_path_factory.mktemp("data") / "shapes", 24)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def pretrained(shapes: Path, epochs: int) -> tuple[dict[str, torch.Tensor], list[str]]:
    torch.manual_seed(5)
    network = build_network(CenterNetConfig(backbone="resnet18", classes=2, width=0.125, deformable=False))
    listener = Listener()
    pretrain(
        network.backbone,
        network.backbone.channels[-1],
        ObjectCrops(load_dataset("coco-video", shapes), STILL, 32, 0),
        2,
        PretrainingConfig(epochs=epochs, side=32, batch_size=8),
        seed=0,
        input_format=INPUT,
        device=torch.device("cpu"),
        workers=2,
        watcher=listener,
    )
    return network.backbone.state_dict(), listener.said


def test_objects_are_told_apart_in_the_end(shapes: Path) -> None:
    _, said = pretrained(shapes, epochs=20)

    assert len(said) == 10
    assert float(said[-1].split(": ")[1].split(" %")[0]) > 95


def test_the_same_seed_gives_the_same_weights(shapes: Path) -> None:
    once, again = pretrained(shapes, epochs=2)[0], pretrained(shapes, epochs=2)[0]

    assert all(torch.equal(once[name], again[name]) for name in once)


@given(st.integers(0, 2**32), st.floats(20, 200), st.floats(20, 200), st.floats(10, 60), st.floats(10, 60))
def test_what_is_cut_out_is_the_object(seed: int, x: float, y: float, width: float, height: float) -> None:
    image = np.zeros((300, 300, 3), np.uint8)
    x1, y1 = round(x), round(y)
    x2, y2 = x1 + round(width) - 1, y1 + round(height) - 1
    image[y1 : y2 + 1, x1 : x2 + 1] = 255

    cut = cut_out(image, np.array([x1, y1, x2, y2], np.float64), 64, 0.5, np.random.default_rng(seed))

    assert cut.shape == (64, 64, 3)
    assert cut[27:37, 27:37].max() == 255
    longer, shorter = max(x2 - x1, y2 - y1) + 1, min(x2 - x1, y2 - y1) + 1
    share = (cut[..., 0] > 127).mean()
    # Nearly all of it is there: its share of a square of 1 to 2.2 times its longer side.
    assert share <= 1.05 * shorter / longer + 0.03
    assert share >= 0.75 * shorter / longer / 2.2**2 - 0.03


def test_pictures_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    root = write_shapes(tmp_path / "damaged", 6)
    (root / "3.png").write_bytes(b"no picture")
    crops = ObjectCrops(load_dataset("coco-video", root), STILL, 32, 0)

    assert crops.rows.tolist() == list(range(6))
    assert [crops.crop(row, 0) is None for row in range(6)] == [False, False, True, False, False, False]


def test_pictures_of_which_none_can_be_read_are_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = write_shapes(tmp_path / "damaged", 8)
    for picture in root.glob("*.png"):
        picture.write_bytes(b"no picture")
    config = tiny_config(tmp_path / "run.toml", root, pretraining={"epochs": 1, "side": 32, "batch_size": 8})

    assert main(["train", "--config", str(config), "-o", str(tmp_path / "run")]) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "8 pictures in a row cannot be read" in said


def test_a_run_pretrains_once(shapes: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = tiny_config(
        tmp_path / "run.toml",
        shapes,
        pretraining={"epochs": 2, "side": 32, "batch_size": 8},
        validation={"every_epochs": 0},
    )
    arguments = ["train", "--config", str(config), "-o", str(tmp_path / "run")]

    assert main(arguments) == 0
    assert "told apart" in capfd.readouterr().err
    assert main(arguments) == 0
    assert "told apart" not in capfd.readouterr().err


def test_early_epochs_learn_from_smaller_inputs(shapes: Path, tmp_path: Path) -> None:
    config = tiny_config(
        tmp_path / "run.toml",
        shapes,
        schedule={"epochs": 2, "batch_size": 4, "early_epochs": 1, "early_side": 32},
        validation={"every_epochs": 1},
    )

    assert main(["train", "--config", str(config), "-o", str(tmp_path / "run"), "--quiet"]) == 0
    samples = DatasetSamples(load_dataset("coco-video", shapes), STILL, sides=[32, 64], seed=0)
    assert [samples.sample(0, epoch).image.shape[0] for epoch in range(4)] == [32, 64, 64, 64]
    assert samples.sample(0, 0).targets.heatmap.shape == (2, 8, 8)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"pretraining": {"epochs": 1, "side": 40}}, "pretraining.side is 40; it must be a multiple of 32"),
        (
            {"schedule": {"early_epochs": 1, "early_side": 40}},
            "schedule.early_side is 40; it must be a multiple of 32",
        ),
        ({"pretraining": {"epochs": -1}}, "pretraining.epochs is -1"),
        ({"schedule": {"early_epochs": 3}}, "schedule.early_epochs is 3"),
    ],
)
def test_impossible_settings_are_refused(
    shapes: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], changes: dict[str, dict[str, int]], named: str
) -> None:
    config = tiny_config(tmp_path / "run.toml", shapes, **changes)

    assert main(["train", "--config", str(config), "-o", str(tmp_path / "run")]) == 2
    assert named in capfd.readouterr().err
