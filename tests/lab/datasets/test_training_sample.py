"""ImageNet DET as still images, and the sample that the paper trains on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from heatprop.errors import InvalidConfigError
from heatprop.lab.datasets import DatasetError, VideoDataset
from heatprop.lab.datasets.annotations import join_datasets
from heatprop.lab.datasets.imagenet_det import load_imagenet_det
from heatprop.lab.datasets.imagenet_lists import Snippet
from heatprop.lab.datasets.training_sample import balance_classes, sample_training_frames, thin_out
from lab.datasets.trees import CAR, DET_IMAGES, DOG, OTHER, ZEBRA, write_det, write_vid


def classes_of(dataset: VideoDataset) -> Counter[str]:
    """Return in how many frames each class is."""
    pairs = {(frame, label) for frame, label in zip(dataset.truth.frames, dataset.truth.labels, strict=True)}
    return Counter(dataset.classes[label] for _, label in pairs)


def test_without_a_list_the_images_with_one_of_the_30_classes_are_kept(tmp_path: Path) -> None:
    dataset = load_imagenet_det(write_det(tmp_path))
    assert [video.name for video in dataset.videos] == sorted(
        set(DET_IMAGES) - {"train/ILSVRC2013_train/n03/n03_1"}
    )
    assert all(video.length == 1 for video in dataset.videos)
    assert classes_of(dataset) == {"car": 3, "dog": 1, "zebra": 1}
    assert len(dataset.truth) == 6
    assert dataset.frame_names[0] == "ILSVRC2013_train/n02/n02_1"
    assert dataset.image_paths[0] == tmp_path / "Data/DET/train/ILSVRC2013_train/n02/n02_1.JPEG"


def test_a_list_says_which_images_and_each_counts_once(tmp_path: Path) -> None:
    names = list(DET_IMAGES)
    (write_det(tmp_path) / "ImageSets").mkdir()
    lines = [f"{names[4]} 1", f"{names[0].removeprefix('train/')} 1", f"{names[4]} 1"]
    (tmp_path / "ImageSets/DET_train_30classes.txt").write_text("\n".join(lines))
    dataset = load_imagenet_det(tmp_path)
    assert [video.name for video in dataset.videos] == [names[4], names[0]]
    assert dataset.frame_ids.tolist() == [1, 2]


def test_a_listed_image_without_annotation_is_named(tmp_path: Path) -> None:
    (write_det(tmp_path) / "ImageSets").mkdir()
    (tmp_path / "ImageSets/DET_train_30classes.txt").write_text("train/gone 1\n")
    with pytest.raises(DatasetError, match=r"train/gone.xml: cannot be read"):
        load_imagenet_det(tmp_path)


def test_no_det_and_no_image_of_the_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no Annotations/DET in it"):
        load_imagenet_det(tmp_path)
    write_det(tmp_path, {"train/a": (OTHER,)})
    with pytest.raises(DatasetError, match=r"no image of the 30 classes"):
        load_imagenet_det(tmp_path)
    with pytest.raises(DatasetError, match=r"DET/val: no such folder, and no list DET_val_30classes.txt"):
        load_imagenet_det(tmp_path, "val")


@pytest.mark.parametrize("most", [1, 3, 10, 1000])
def test_no_class_is_in_more_images_than_allowed_and_none_is_dropped_for_nothing(
    tmp_path: Path, most: int
) -> None:
    generator = np.random.default_rng(5)
    wnids = [CAR, DOG, ZEBRA]
    images = {
        f"train/p{number:03d}": tuple(
            wnids[one] for one in generator.choice(3, generator.integers(1, 3), p=[0.7, 0.2, 0.1])
        )
        for number in range(60)
    }
    dataset = load_imagenet_det(write_det(tmp_path, images))
    kept = balance_classes(dataset, most, seed=0)
    names = {CAR: "car", DOG: "dog", ZEBRA: "zebra"}
    counts = Counter(names[wnid] for row in kept for wnid in set(images[dataset.videos[row].name]))
    assert max(counts.values()) <= most
    full = {name for name, count in counts.items() if count == most}
    for row in set(range(60)) - set(kept):
        assert full & {names[wnid] for wnid in images[dataset.videos[row].name]}
    assert kept == sorted(set(kept)) == balance_classes(dataset, most, seed=0)
    if most == 3:
        assert kept != balance_classes(dataset, most, seed=1)


@pytest.mark.parametrize("length", [1, 9, 10, 11, 25, 300])
def test_ten_frames_spread_evenly(length: int) -> None:
    snippet = Snippet("train/a", tuple(f"{n:06d}" for n in range(length)), tuple(range(length)))
    chosen = thin_out(snippet, 10)
    assert len(chosen.frames) == min(length, 10) == len(set(chosen.frames))
    assert [int(frame) for frame in chosen.frames] == list(chosen.ids) == sorted(chosen.ids)
    if length > 10:
        gaps = np.diff(chosen.ids)
        assert gaps.max() - gaps.min() <= 1
        assert abs(chosen.ids[0] - (length - 1 - chosen.ids[-1])) <= 1


def test_the_sample_holds_det_images_and_ten_frames_a_video(tmp_path: Path) -> None:
    write_det(tmp_path)
    write_vid(tmp_path, {"ILSVRC2015_VID_train_0000/a": 25, "ILSVRC2015_VID_train_0001/b": 4}, split="train")
    sample = sample_training_frames(tmp_path, images_a_class=2, seed=3)
    lengths = [video.length for video in sample.videos]
    assert lengths[-2:] == [10, 4]
    assert set(lengths[:-2]) == {1}
    assert classes_of(sample)["car"] == 2 + 14
    assert sample.frame_ids.tolist() == list(range(1, sample.frame_count + 1))
    assert [video.start for video in sample.videos] == [0, *np.cumsum(lengths)[:-1].tolist()]
    again = sample_training_frames(tmp_path, images_a_class=2, seed=3)
    assert again.frame_names == sample.frame_names
    for row, path in enumerate(sample.annotation_paths):
        boxes = (sample.truth.frames == row).sum()
        assert boxes == sum(path.read_text().count(f"<name>{wnid}</name>") for wnid in (CAR, DOG, ZEBRA))


def test_counts_below_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigError, match="frames_a_video is 0"):
        sample_training_frames(tmp_path, frames_a_video=0)


def test_only_datasets_of_the_same_classes_are_joined() -> None:
    with pytest.raises(DatasetError, match="0 datasets cannot be joined"):
        join_datasets([])
