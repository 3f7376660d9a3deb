"""The first epochs may learn from small inputs, each cut out around one object."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heatprop.cli import main
from heatprop.lab.datasets import load_dataset
from heatprop.lab.training.augmentation import draw_cut_out, place_boxes, place_image, visible_shares
from heatprop.lab.training.config import AugmentationConfig
from heatprop.lab.training.samples import DatasetSamples
from small_training_runs import tiny_config, write_shapes

STILL = AugmentationConfig(flip=0, colour=0, lighting=0, scale=(1, 1))


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes(tmp_path_factory.mktemp("data") / "shapes", 24)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@given(st.integers(0, 2**32), st.integers(0, 280), st.integers(0, 180), st.sampled_from([32, 64, 96]))
def test_what_is_cut_out_shows_the_object_as_large_as_later(seed: int, x: int, y: int, side: int) -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    image[y : y + 20, x : x + 20] = 255
    box = np.array([x, y, x + 20, y + 20], np.float64)
    config = AugmentationConfig(flip=0.5, scale=(0.5, 2))

    placement = draw_cut_out(
        300, 200, box, side=side, whole_side=150, config=config, random=np.random.default_rng(seed)
    )

    assert 0.25 <= placement.scale <= 1  # of 300 pixels, 150 to 600 fill 150
    assert abs(placement.scale_x) == placement.scale
    (x1, y1, x2, y2) = place_boxes(box[None], placement)[0]
    assert x2 - x1 == pytest.approx(20 * placement.scale)
    middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
    assert 0.15 * side <= min(middle_x, middle_y)
    assert max(middle_x, middle_y) <= 0.85 * side
    assert place_image(image, placement, side)[int(middle_y), int(middle_x)].min() > 200


@given(st.lists(st.lists(st.floats(-100, 164), min_size=4, max_size=4), max_size=4))
def test_the_visible_share_is_the_area_inside(numbers: list[list[float]]) -> None:
    boxes = np.array(numbers, np.float64).reshape(-1, 4)
    boxes = np.concatenate([fold(boxes[:, :2], boxes[:, 2:]) for fold in (np.minimum, np.maximum)], axis=1)
    shares = visible_shares(boxes, 64)
    for (x1, y1, x2, y2), share in zip(boxes.tolist(), shares.tolist(), strict=True):
        area = (x2 - x1) * (y2 - y1)
        width, height = (max(0.0, min(high, 64) - max(low, 0)) for low, high in ((x1, x2), (y1, y2)))
        assert share == pytest.approx(width * height / area if area > 0 else 0)


def test_only_the_first_epochs_are_small(shapes: Path) -> None:
    samples = DatasetSamples(load_dataset("coco-video", shapes), STILL, side=64, early_sides=(32, 32), seed=0)

    assert [samples.sample(0, epoch).image.shape[0] for epoch in range(4)] == [32, 32, 64, 64]
    assert samples.sample(0, 0).targets.heatmap.shape == (2, 8, 8)
    assert all(len(samples.sample(number, 1).targets.labels) >= 1 for number in range(len(samples)))


def test_an_image_without_objects_is_cut_out_too(tmp_path: Path) -> None:
    root = write_shapes(tmp_path / "data", 4)
    dataset = load_dataset("coco-video", root)
    dataset = replace(dataset, truth=dataset.truth.select(dataset.truth.frames != 2))
    samples = DatasetSamples(dataset, STILL, side=64, early_sides=(32,), seed=0)

    sample = samples.sample(2, 0)
    assert sample.image.shape == (32, 32, 3)
    assert len(sample.targets.labels) == 0


def test_slivers_at_the_border_are_skipped(shapes: Path) -> None:
    dataset = load_dataset("coco-video", shapes)
    numbers = {
        share: sum(
            len(samples.sample(number, epoch).targets.labels)
            for number in range(len(samples))
            for epoch in range(8)
        )
        for share in (0.0, 0.5, 1.0)
        for samples in [
            DatasetSamples(dataset, AugmentationConfig(scale=(0.3, 0.5), least_visible=share), side=64, seed=0)
        ]
    }
    assert numbers[0.0] > numbers[0.5] > numbers[1.0] > 0


def test_a_run_goes_through_small_and_large_inputs(shapes: Path, tmp_path: Path) -> None:
    config = tiny_config(
        tmp_path / "run.toml", shapes, schedule={"epochs": 2, "batch_size": 4, "early_sides": [32]}
    )

    assert main(["train", "--config", str(config), "-o", str(tmp_path / "run"), "--quiet"]) == 0
    assert (tmp_path / "run" / "last.pt").exists()


@pytest.mark.parametrize(
    ("schedule", "named"),
    [
        ({"early_sides": [40]}, "schedule.early_sides is 40; it must be a multiple of 32"),
        ({"early_sides": [2]}, "schedule.early_sides is 2"),
        ({"early_sides": [32, 32, 32]}, "number of schedule.early_sides is 3"),
    ],
)
def test_impossible_settings_are_refused(
    shapes: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], schedule: dict[str, Any], named: str
) -> None:
    config = tiny_config(tmp_path / "run.toml", shapes, schedule=schedule)

    assert main(["train", "--config", str(config), "-o", str(tmp_path / "run")]) == 2
    assert named in capfd.readouterr().err
