"""Which images a run learns from and validates on; what is missing is said before hours are spent."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatprop.lab.datasets import DatasetError, load_dataset
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.training.config import DataConfig
from heatprop.lab.training.datasets import (
    load_training_set,
    load_validation_set,
    require_images,
    spread_frames,
)
from lab.datasets.trees import CAR, DOG, write_image, write_vid, xml, xml_object
from lab.evaluation.small_datasets import make_dataset
from small_training_runs import write_shapes


def coco(*train: Path, validation: Path | str = "") -> DataConfig:
    return DataConfig(layout="coco-video", train=tuple(map(str, train)), validation=str(validation))


def refuse(text: str) -> None:
    raise AssertionError(text)


def objects(dataset: VideoDataset) -> set[tuple[str, int, tuple[float, ...]]]:
    truth = dataset.truth
    return {
        (dataset.frame_names[row], label, tuple(box))
        for row, label, box in zip(truth.frames.tolist(), truth.labels.tolist(), truth.boxes.tolist(), strict=True)
    }


def test_several_folders_are_joined(tmp_path: Path) -> None:
    roots = [write_shapes(tmp_path / name, count) for name, count in (("a", 3), ("b", 4))]
    joined = load_training_set(coco(*roots), 0, refuse)
    assert joined.frame_count == 7
    assert [Path(path).parent.name for path in joined.image_paths] == ["a"] * 3 + ["b"] * 4


@settings(deadline=None, max_examples=30)
@given(count=st.integers(1, 12), seed=st.integers(0, 3))
def test_spread_frames_keep_what_is_in_them(count: int, seed: int) -> None:
    dataset = _videos(seed)
    spread = spread_frames(dataset, count)
    assert spread.frame_count == min(count, dataset.frame_count)
    assert list(spread.frame_names) == [name for name in dataset.frame_names if name in spread.frame_names]
    assert objects(spread) == {each for each in objects(dataset) if each[0] in spread.frame_names}
    video_of = dict(zip(dataset.frame_names, dataset.video_of_rows().tolist(), strict=True))
    names = [spread.videos[number].name for number in spread.video_of_rows()]
    assert names == [dataset.videos[video_of[name]].name for name in spread.frame_names]
    assert [video.start for video in spread.videos] == [min(video.rows) for video in spread.videos]


def _videos(seed: int) -> VideoDataset:
    """Return three videos of a few frames with a few objects, without files."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 5, 3).tolist()
    rows = np.sort(random.integers(0, sum(lengths), 9)).tolist()
    objects = [(row, int(random.integers(3)), -1, (number, 0, number + 5, 7)) for number, row in enumerate(rows)]
    dataset = make_dataset(objects, lengths)
    return replace(dataset, image_paths=tuple(Path(name) for name in dataset.frame_names))


def test_all_frames_are_kept_where_none_is_skipped(tmp_path: Path) -> None:
    dataset = load_dataset("coco-video", write_shapes(tmp_path / "a", 3))
    assert spread_frames(dataset, 0) is dataset
    assert spread_frames(dataset, 3) is dataset


def test_a_validation_set_of_other_classes_is_refused(tmp_path: Path) -> None:
    root = write_shapes(tmp_path / "a", 3)
    config = coco(root, validation=root)
    assert load_validation_set(config, 0, ("box", "ball")) is not None
    assert load_validation_set(coco(root), 0, ("box", "ball")) is None
    with pytest.raises(DatasetError, match="'cat' is in one of them only"):
        load_validation_set(config, 0, ("box", "ball", "cat"))
    with pytest.raises(DatasetError, match="they stand in another order"):
        load_validation_set(config, 0, ("ball", "box"))


def test_missing_images_are_counted_and_few_are_forgiven(tmp_path: Path) -> None:
    root = write_shapes(tmp_path / "a", 3)
    (root / "2.png").unlink()
    dataset = load_dataset("coco-video", root)
    with pytest.raises(DatasetError, match=r"2\.png: there is no such image, and 1 of 3 are missing in all"):
        require_images(dataset, refuse)
    many = replace(
        dataset,
        frame_names=("1.png",) * 300,
        image_paths=(root / "2.png", *[root / "1.png"] * 299),
    )
    notes: list[str] = []
    require_images(many, notes.append)
    assert len(notes) == 1
    assert "1 of 300 are missing in all; others are learned from in their place" in notes[0]
    with pytest.raises(DatasetError, match="1 of 300"):
        require_images(many, None)


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"data\.train is empty"):
        load_training_set(DataConfig(), 0, refuse)
    with pytest.raises(DatasetError, match="nowhere: no such folder"):
        load_training_set(coco(tmp_path / "nowhere"), 0, refuse)
    with pytest.raises(DatasetError, match="nowhere: no such folder"):
        load_training_set(DataConfig(train=(str(tmp_path / "nowhere"),)), 0, refuse)


def test_other_classes_in_a_second_folder_are_refused(tmp_path: Path) -> None:
    roots = [write_shapes(tmp_path / name, 2) for name in ("a", "b")]
    path = roots[1] / "annotations.json"
    content = json.loads(path.read_text())
    content["categories"][0]["name"] = "cube"
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="2 datasets cannot be joined"):
        load_training_set(coco(*roots), 0, refuse)


def test_of_imagenet_vid_stills_and_spread_frames_are_learned_from(tmp_path: Path) -> None:
    root = write_vid(tmp_path, {"a": 6, "b": 2}, split="train", images=True)
    write_vid(root, {"v": 2}, images=True)
    notes: list[str] = []
    config = DataConfig(train=(str(root),), frames_a_video=3)
    alone = load_training_set(config, 0, notes.append)
    assert list(alone.frame_names) == ["a/000001", "a/000003", "a/000005", "b/000000", "b/000001"]
    assert notes == [f"{root}: no Annotations/DET in it, so VID alone is learned from"]
    every = load_training_set(replace(config, frames_a_video=0), 0, notes.append)
    assert every.frame_count == 8

    for name, wnid in (("p_1", CAR), ("p_2", DOG)):
        path = root / "Annotations/DET/train/ILSVRC2013_train" / f"{name}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(xml(xml_object(wnid)))
        write_image(root / "Data/DET/train/ILSVRC2013_train" / f"{name}.JPEG")
    whole = load_training_set(config, 0, refuse)
    assert list(whole.frame_names) == ["ILSVRC2013_train/p_1", "ILSVRC2013_train/p_2", *alone.frame_names]
    validation = load_validation_set(config, 1, whole.classes)
    assert validation is not None
    assert list(validation.frame_names) == ["v/000001"]
