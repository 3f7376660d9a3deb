"""What a network learns, held to the authors' own numbers and to slow, obvious code.

`golden/targets.json` and `.npz`: boxes of four images, and what the published code makes of them: each heatmap's
cells above 0, sizes, offsets and places; and the losses of random predictions.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heatprop.errors import InvalidConfigError
from heatprop.lab.networks.centernet import NetworkOutput
from heatprop.lab.networks.preprocessing import fix_res
from heatprop.lab.training.batch import MAX_OBJECTS, Batch, Sample, Targets, make_targets
from heatprop.lab.training.gaussians import gaussian_radius
from heatprop.lab.training.losses import Counts, Losses, LossWeights, center_net_loss, count
from reference import targets as slow

FOLDER = Path(__file__).parents[2] / "golden"
GOLDEN: dict[str, Any] = json.loads((FOLDER / "targets.json").read_text())
GRID = (128, 128)


@cache
def golden_targets(number: int) -> Targets:
    case = GOLDEN["sets"][number]
    height, width = case["image_hw"]
    warp = fix_res(width, height, GRID[0])
    boxes = np.array(case["boxes_xyxy_px"], np.float64).reshape(-1, 4) * warp.scale
    boxes += np.array([warp.shift_x, warp.shift_y] * 2)
    return make_targets(boxes, np.array(case["classes"], np.int64), GOLDEN["num_classes"], GRID)


def sample(targets: Targets, number: int = 0) -> Sample:
    return Sample(np.zeros((4, 4, 3), np.uint8), targets, number)


@pytest.mark.parametrize("number", range(4), ids=[case["name"] for case in GOLDEN["sets"]])
def test_targets_are_the_published_ones(number: int) -> None:
    targets = golden_targets(number)
    with np.load(FOLDER / "targets.npz") as golden:
        wanted = np.zeros(targets.heatmap.size, np.float32)
        wanted[golden[f"cells_{number}"]] = golden[f"values_{number}"]
        np.testing.assert_allclose(targets.heatmap.reshape(-1), wanted, rtol=0, atol=1e-7)
        np.testing.assert_array_equal(targets.cells, golden[f"index_{number}"])
        np.testing.assert_allclose(targets.size, golden[f"size_{number}"], rtol=0, atol=1e-5)
        np.testing.assert_allclose(targets.offset, golden[f"offset_{number}"], rtol=0, atol=1e-5)


def test_the_radius_is_the_published_one() -> None:
    for height, width, radius in GOLDEN["gaussian_radius"]:
        assert gaussian_radius(height, width) == pytest.approx(radius, abs=1e-12)


@cache
def predictions() -> tuple[torch.Tensor, ...]:
    random = np.random.Generator(np.random.PCG64(GOLDEN["prediction_seed"]))
    heads = (
        random.standard_normal((4, 30, *GRID)) * 1.5 - 3,
        np.abs(random.standard_normal((4, 2, *GRID))) * 20,
        random.uniform(0, 1, (4, 2, *GRID)),
    )
    for head, total in zip(heads, GOLDEN["prediction_sums"].values(), strict=True):
        assert head.astype(np.float32).astype(np.float64).sum() == pytest.approx(total)
    return tuple(torch.from_numpy(head.astype(np.float32)) for head in heads)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("all_four", [0, 1, 2, 3]),
        ("first_three", [0, 1, 2]),
        *((case["name"], [number]) for number, case in enumerate(GOLDEN["sets"])),
    ],
)
def test_losses_are_the_published_ones(name: str, numbers: list[int]) -> None:
    output = NetworkOutput(*(head[numbers] for head in predictions()))
    have = center_net_loss(output, Batch.of([sample(golden_targets(number)) for number in numbers]))
    wanted = GOLDEN["loss_fp32"][name]
    for part, key in zip(have[:4], ("loss", "hm_loss", "wh_loss", "off_loss"), strict=True):
        assert float(part) == pytest.approx(wanted[key], rel=1e-5)


boxes = st.lists(
    st.tuples(st.floats(-9, 20), st.floats(-9, 20), st.floats(0, 15), st.floats(0, 15), st.integers(0, 1)),
    max_size=6,
)


@given(boxes)
def test_targets_equal_slow_code_for_any_boxes(drawn: list[tuple[float, float, float, float, int]]) -> None:
    labels = [label for *_, label in drawn]
    corners = np.array([(x, y, x + w, y + h) for x, y, w, h, _ in drawn], np.float32).reshape(-1, 4)
    targets = make_targets(corners, np.array(labels, np.int64), 2, (8, 12))
    np.testing.assert_allclose(
        targets.heatmap, slow.heatmap_of(corners.astype(np.float64), labels, 2, (8, 12)), rtol=0, atol=1e-6
    )
    # Wherever an object is said to be, the heatmap of its class is 1.
    assert (targets.heatmap.reshape(2, -1)[targets.labels, targets.cells] == 1).all()
    assert (targets.heatmap == 1).sum() == len(set(zip(targets.labels, targets.cells, strict=True)))
    assert ((targets.offset >= 0) & (targets.offset < 1)).all()
    assert (targets.size > 0).all()


@given(boxes, boxes, st.integers(0, 2**32 - 1))
def test_losses_equal_slow_code(
    first: list[tuple[float, float, float, float, int]],
    second: list[tuple[float, float, float, float, int]],
    seed: int,
) -> None:
    samples = []
    for drawn in (first, second):
        corners = np.array([(x, y, x + w, y + h) for x, y, w, h, _ in drawn], np.float32).reshape(-1, 4)
        samples.append(sample(make_targets(corners, np.array([each[4] for each in drawn], np.int64), 2, (8, 12))))
    batch = Batch.of(samples)
    random = np.random.default_rng(seed)
    heads = [random.normal(0, 3, (2, channels, 8, 12)) for channels in (2, 2, 2)]
    have = center_net_loss(NetworkOutput(*(torch.from_numpy(head).float() for head in heads)), batch)
    for part, wanted in zip(have[1:4], slow.losses_of(heads[0], heads[1], heads[2], batch), strict=True):
        assert float(part) == pytest.approx(wanted, rel=1e-4, abs=1e-6)


def test_parts_of_a_batch_sum_to_the_loss_of_the_whole() -> None:
    samples = [sample(golden_targets(number)) for number in range(4)]
    output, batch = NetworkOutput(*predictions()), Batch.of(samples)
    whole = center_net_loss(output, batch)
    parts = [
        center_net_loss(
            NetworkOutput(*(head[half] for head in predictions())), Batch.of(samples[half]), counts=count(batch)
        )
        for half in (slice(0, 1), slice(1, 4))
    ]
    for name in Losses._fields:
        total = sum(float(getattr(part, name)) for part in parts)
        assert total == pytest.approx(float(getattr(whole, name)), rel=1e-5)


def test_losses_are_float32_whatever_the_network_computes_in() -> None:
    batch = Batch.of([sample(golden_targets(0))])
    output = NetworkOutput(*(head[:1].bfloat16() for head in predictions()))
    assert all(part.dtype == torch.float32 for part in center_net_loss(output, batch))
    assert count(batch) == Counts(torch.tensor(14.0), torch.tensor(14.0))


def test_a_network_without_offset_learns_none() -> None:
    heatmap, size, _ = (head[:1] for head in predictions())
    have = center_net_loss(NetworkOutput(heatmap, size, None), Batch.of([sample(golden_targets(0))]))
    assert float(have.offset) == 0
    assert float(have.total) == pytest.approx(float(have.heatmap) + 0.1 * float(have.size))


def test_the_classes_at_the_objects_cells_are_told_apart_by_cross_entropy() -> None:
    batch = Batch.of([sample(golden_targets(number)) for number in range(4)])
    output = NetworkOutput(*predictions())
    logits, labels = [], []
    for row in range(4):
        targets = golden_targets(row)
        for cell, label in zip(targets.cells.tolist(), targets.labels.tolist(), strict=True):
            logits.append(output.heatmap_logits[row, :, cell // 128, cell % 128])
            labels.append(label)
    wanted = torch.nn.functional.cross_entropy(torch.stack(logits), torch.tensor(labels))

    published = center_net_loss(output, batch)
    losses = center_net_loss(output, batch, LossWeights(classification=2))

    assert published.classification.item() == pytest.approx(wanted.item(), rel=1e-5)
    assert losses.total.item() == pytest.approx(published.total.item() + 2 * wanted.item(), rel=1e-5)


def test_objects_after_the_128th_are_skipped() -> None:
    corners = np.array([(x, y, x + 1.5, y + 1.5) for y in range(12) for x in range(12)], np.float64)
    targets = make_targets(corners, np.zeros(144, np.int64), 1, (16, 16))
    assert len(targets.cells) == MAX_OBJECTS
    assert (targets.heatmap == 1).sum() == MAX_OBJECTS


def test_a_batch_has_places_for_the_fullest_and_says_which_are_taken() -> None:
    batch = Batch.of([sample(golden_targets(3), 7), sample(golden_targets(0), 9)])
    assert batch.mask.sum(dim=1).tolist() == [0, 14]
    assert batch.cells.shape == (2, 14)
    assert batch.numbers.tolist() == [7, 9]


def test_a_weight_below_zero_is_refused() -> None:
    with pytest.raises(InvalidConfigError, match="loss weight size is -1"):
        LossWeights(size=-1)
