"""The experiments that are published with the project, and those its guide shows, can be read and built."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from heatprop.lab.datasets.imagenet_classes import VID_CLASSES
from heatprop.lab.networks import CenterNet
from heatprop.lab.training.config import ScheduleConfig
from heatprop.lab.training.config_files import read_config

ROOT = Path(__file__).parents[3]
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.toml"))


def test_there_are_the_experiments_of_the_paper() -> None:
    assert {"imagenet-vid-r101.toml", "imagenet-vid-dla34.toml"} <= {path.name for path in EXPERIMENTS}


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_an_experiment_says_how_it_is_run_and_its_network_can_be_built(path: Path) -> None:
    config = read_config(path)

    assert f"heatprop train --config experiments/{path.name} -o runs/" in path.read_text()
    with torch.device("meta"):
        network = CenterNet(config.model.network(VID_CLASSES))
    assert config.model.input_side % network.multiple == 0


@pytest.mark.parametrize("name", ["r101", "dla34"])
def test_the_schedule_is_the_papers(name: str) -> None:
    config = read_config(ROOT / "experiments" / f"imagenet-vid-{name}.toml")

    assert config.schedule == ScheduleConfig(epochs=80, batch_size=32, kind="steps", drops=(50,), factor=0.1)
    assert (config.optimiser.kind, config.optimiser.learning_rate) == ("sgd", 1e-4)
    assert (config.data.images_a_class, config.data.frames_a_video) == (2000, 10)
    assert (config.augmentation.scale, config.augmentation.flip) == ((0.6, 1.4), 0.5)
    assert config.model.input_side == 512


def test_the_guides_configuration_can_be_read(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "guides" / "training.md").read_text(), re.DOTALL)
    (tmp_path / "own.toml").write_text(block)

    config = read_config(tmp_path / "own.toml")

    assert config.data.layout == "coco-video"
    assert config.model.start.endswith(".pth")
