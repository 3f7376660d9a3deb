"""What is learned from, and in which order, depends on seed and epoch: not on threads, kills or processes."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heatprop.errors import SourceError
from heatprop.lab.datasets import load_dataset
from heatprop.lab.training.batch import Batch, Sample, Targets
from heatprop.lab.training.config import AugmentationConfig
from heatprop.lab.training.loading import batches, epoch_order, read_or_replace
from heatprop.lab.training.samples import DatasetSamples
from small_training_runs import write_shapes

USUAL = AugmentationConfig()
STILL = AugmentationConfig(flip=0, scale=(1, 1), shift=False, colour=0, lighting=0)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes(tmp_path_factory.mktemp("data") / "shapes", 12)


def samples_of(root: Path, augmentation: AugmentationConfig = USUAL, seed: int = 0) -> DatasetSamples:
    return DatasetSamples(load_dataset("coco-video", root), augmentation, side=64, seed=seed)


class Numbered:
    """Samples that are their number; some cannot be read."""

    classes = ("thing",)

    def __init__(self, count: int, unreadable: frozenset[int] = frozenset()) -> None:
        self._count, self._unreadable = count, unreadable

    def __len__(self) -> int:
        return self._count

    def sample(self, number: int, _epoch: int) -> Sample:
        if number in self._unreadable:
            raise SourceError(f"image {number}: damaged")
        image = np.full((4, 4, 3), number, np.uint8)
        none = np.zeros(0, np.int64)
        nothing = np.zeros((0, 2), np.float32)
        return Sample(image, Targets(np.zeros((1, 1, 1), np.float32), none, nothing, nothing, none), number)

    def describe(self, number: int) -> str:
        return f"image {number}"


def numbers_of(data: Numbered, epoch: int = 0, **options: int) -> list[list[int]]:
    loaded = batches(data, epoch, **{"seed": 0, "batch_size": 4, "workers": 1} | options)
    return [each.batch.numbers.tolist() for each in loaded]


@settings(deadline=None, max_examples=25)
@given(count=st.integers(8, 60), epoch=st.integers(0, 5), seed=st.integers(0, 5), workers=st.integers(1, 5))
def test_an_epoch_has_every_sample_once_in_an_order_of_its_own(
    count: int, epoch: int, seed: int, workers: int
) -> None:
    data = Numbered(count)
    order = numbers_of(data, epoch, seed=seed, workers=workers)
    assert [len(numbers) for numbers in order] == [4] * (count // 4)
    assert len({number for numbers in order for number in numbers}) == count // 4 * 4
    assert order == numbers_of(data, epoch, seed=seed)
    assert order != numbers_of(data, epoch + 1, seed=seed)
    assert order != numbers_of(data, epoch, seed=seed + 1)


@settings(deadline=None, max_examples=25)
@given(first=st.integers(0, 6), ranks=st.sampled_from([1, 2, 4]), workers=st.integers(1, 4))
def test_a_resumed_epoch_and_other_ranks_have_their_part_of_the_same_batches(
    first: int, ranks: int, workers: int
) -> None:
    data = Numbered(26)
    whole = numbers_of(data)
    parts = [numbers_of(data, first=first, rank=rank, ranks=ranks, workers=workers) for rank in range(ranks)]
    assert [list(chain(*each)) for each in zip(*parts, strict=True)] == whole[first:]


def test_a_sample_is_the_same_whoever_asks_and_when(shapes: Path) -> None:
    data = samples_of(shapes)
    alone = [data.sample(number, 3) for number in range(len(data))]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda number: samples_of(shapes).sample(number, 3), reversed(range(12))))
    for one, other in zip(alone, reversed(together), strict=True):
        for name in ("image", "targets", "number"):
            assert name == "targets" or np.array_equal(getattr(one, name), getattr(other, name))
        for name in Targets.__slots__:
            assert np.array_equal(getattr(one.targets, name), getattr(other.targets, name)), name
    assert not np.array_equal(alone[0].image, data.sample(0, 4).image)
    assert not np.array_equal(alone[0].image, samples_of(shapes, seed=1).sample(0, 3).image)


def test_crowds_and_what_lies_outside_are_no_objects(shapes: Path, tmp_path: Path) -> None:
    content = json.loads((shapes / "annotations.json").read_text())
    content["annotations"] = [
        {"id": number, "image_id": 1, "category_id": 1, "bbox": box, "iscrowd": crowd}
        for number, (box, crowd) in enumerate([([4, 4, 20, 20], 0), ([30, 30, 9, 9], 1)], start=1)
    ]
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    (tmp_path / "1.png").write_bytes((shapes / "1.png").read_bytes())
    sample = samples_of(tmp_path, STILL).sample(0, 0)
    assert sample.targets.cells.tolist() == [3 * 16 + 3]
    assert sample.targets.size.tolist() == [[5, 5]]
    zoomed = AugmentationConfig(flip=0, scale=(0.1, 0.1), shift=False)
    # In the middle of the image a crowd alone is seen.
    assert len(samples_of(tmp_path, zoomed).sample(0, 0).targets.cells) == 0


def test_what_cannot_be_read_is_replaced_by_the_same_other_sample_and_named() -> None:
    data = Numbered(40, frozenset({3, 7}))
    loaded = [list(batches(data, 1, seed=5, batch_size=8, workers=workers)) for workers in (1, 4)]
    names = [{number: text for each in run for number, text in each.unreadable.items()} for run in loaded]
    assert names[0] == names[1] == {3: "image 3: damaged", 7: "image 7: damaged"}
    order = [[each.batch.numbers.tolist() for each in run] for run in loaded]
    assert order[0] == order[1]
    wanted = epoch_order(40, 1, 5)
    got = np.array(list(chain(*order[0])))
    assert set(wanted[got != wanted].tolist()) == {3, 7}


def test_a_damaged_image_and_a_missing_one_are_named_with_their_path(tmp_path: Path) -> None:
    write_shapes(tmp_path / "bad", 3)
    (tmp_path / "bad" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (tmp_path / "bad" / "2.png").unlink()
    data = samples_of(tmp_path / "bad")
    for number in (0, 1):
        sample, problems = read_or_replace(data, number, 0, 0)
        assert sample.number == 2
        assert data.describe(number) in problems[number]


def test_when_nothing_can_be_read_it_ends() -> None:
    data = Numbered(8, frozenset(range(8)))
    with pytest.raises(SourceError, match=r"8 images in a row cannot be read, the first: image \d: damaged"):
        list(batches(data, 0, seed=0, batch_size=4, workers=2))


def test_a_loader_that_is_closed_early_stops() -> None:
    loading = batches(Numbered(100), 0, seed=0, batch_size=4, workers=2)
    assert isinstance(next(loading).batch, Batch)
    loading.close()
    assert torch.get_num_threads() > 0
