"""The datasets of a run: what is learned from, and what is validated on."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from heatprop.lab.datasets import DatasetError, VideoDataset, load_dataset
from heatprop.lab.datasets.annotations import Video, join_datasets
from heatprop.lab.datasets.imagenet_lists import find_snippets
from heatprop.lab.datasets.imagenet_tree import find_tree
from heatprop.lab.datasets.imagenet_vid import read_snippets
from heatprop.lab.datasets.training_sample import sample_training_frames, thin_out
from heatprop.lab.training.config import DataConfig

_MAX_MISSING = 0.01


def load_training_set(config: DataConfig, seed: int, note: Callable[[str], None]) -> VideoDataset:
    """Read what is learned from: of ImageNet VID the paper's sample of DET and VID, of other layouts all frames.

    Args:
        config: where it is.
        seed: decides which images of DET are taken.
        note: takes a line about what is skipped.

    Raises:
        DatasetError: it is missing or damaged, or more than one in a hundred of its images is missing.
    """
    if not config.train:
        raise DatasetError("data.train is empty; give the folder of a dataset")
    parts = [_load_one(config, root, seed, note) for root in config.train]
    dataset = join_datasets(parts) if len(parts) > 1 else parts[0]
    require_images(dataset, note)
    return dataset


def load_validation_set(config: DataConfig, frames: int, classes: tuple[str, ...]) -> VideoDataset | None:
    """Read what is validated on; None where there is nothing.

    Args:
        config: where it is.
        frames: how many frames to keep, evenly spread; 0 keeps all.
        classes: what the network finds.

    Raises:
        DatasetError: it is missing or damaged, has other classes, or lacks images.
    """
    root = config.validation or (config.train[0] if config.layout == "imagenet-vid" else "")
    if not root:
        return None
    dataset = load_dataset(config.layout, root, config.validation_split)
    if dataset.classes != classes:
        odd = sorted(set(dataset.classes) ^ set(classes))
        which = f"{odd[0]!r} is in one of them only" if odd else "they stand in another order"
        raise DatasetError(
            f"{root}: the classes of the validation set are not those of the training set: {which}; "
            "make the categories of both files alike"
        )
    dataset = spread_frames(dataset, frames)
    require_images(dataset, None)
    return dataset


def spread_frames(dataset: VideoDataset, count: int) -> VideoDataset:
    """Return a dataset of `count` of its frames, from the middles of as many equal parts; 0 or too many: all."""
    total = dataset.frame_count
    if count == 0 or count >= total:
        return dataset
    rows = [(2 * part + 1) * total // (2 * count) for part in range(count)]
    lengths = np.bincount(dataset.video_of_rows()[rows], minlength=len(dataset.videos)).tolist()
    starts = np.cumsum([0, *lengths]).tolist()
    kept = np.isin(dataset.truth.frames, rows)
    truth = dataset.truth.select(kept)
    return replace(
        dataset,
        videos=tuple(
            Video(video.name, start, length, video.evaluated)
            for video, start, length in zip(dataset.videos, starts, lengths, strict=False)
            if length
        ),
        frame_names=tuple(dataset.frame_names[row] for row in rows),
        frame_ids=dataset.frame_ids[rows],
        image_paths=tuple(dataset.image_paths[row] for row in rows),
        image_sizes=dataset.image_sizes[rows],
        truth=replace(truth, frames=np.searchsorted(rows, truth.frames)),
        annotation_paths=tuple(dataset.annotation_paths[row] for row in rows) if dataset.annotation_paths else (),
    )


def require_images(dataset: VideoDataset, note: Callable[[str], None] | None) -> None:
    """Check that the images are there, before hours are spent.

    Args:
        dataset: whose.
        note: where single missing ones may be skipped, takes a line about them; None: none may be missing.

    Raises:
        DatasetError: images are missing.
    """
    missing = [path for path in dataset.image_paths if not os.path.exists(path)]
    if not missing:
        return
    said = f"{missing[0]}: there is no such image, and {len(missing)} of {dataset.frame_count} are missing in all"
    if note is None or len(missing) > _MAX_MISSING * dataset.frame_count:
        raise DatasetError(f"{said}; put them there: heatprop dataset check names them")
    note(f"{said}; others are learned from in their place")


def _load_one(config: DataConfig, root: str, seed: int, note: Callable[[str], None]) -> VideoDataset:
    if config.layout != "imagenet-vid":
        return load_dataset(config.layout, root)
    tree = find_tree(Path(root), "VID")
    has_stills = (tree.root / "Annotations" / "DET").is_dir()
    if has_stills and config.train_split == "train" and config.frames_a_video:
        return sample_training_frames(
            root, images_a_class=config.images_a_class, frames_a_video=config.frames_a_video, seed=seed
        )
    if not has_stills:
        note(f"{root}: no Annotations/DET in it, so VID alone is learned from")
    listed = find_snippets(tree, config.train_split)
    snippets = list(listed.snippets)
    if config.frames_a_video:
        snippets = [thin_out(snippet, config.frames_a_video) for snippet in snippets]
    return read_snippets(tree, snippets)
