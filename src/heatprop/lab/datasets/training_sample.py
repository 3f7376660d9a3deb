"""The frames that the paper trains on: some of every video of VID, and images of DET, balanced by class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from heatprop.errors import check_count
from heatprop.lab.datasets.annotations import VideoDataset, join_datasets, select_videos
from heatprop.lab.datasets.findings import Progress
from heatprop.lab.datasets.imagenet_det import load_imagenet_det
from heatprop.lab.datasets.imagenet_lists import Snippet, find_snippets
from heatprop.lab.datasets.imagenet_tree import find_tree
from heatprop.lab.datasets.imagenet_vid import compare_with_folders, read_snippets


def sample_training_frames(
    root: str | Path,
    *,
    images_a_class: int = 2000,
    frames_a_video: int = 10,
    seed: int = 0,
    progress: Progress | None = None,
) -> VideoDataset:
    """Return the training sample of the paper: images of DET, then frames of VID.

    The same files and seed give the same sample.

    Args:
        root: the folder ILSVRC2015 with VID and DET, or the one that holds it.
        images_a_class: of DET, no class is in more images than this.
        frames_a_video: of VID, that many frames of each video, evenly spread; all of a shorter one.
        seed: decides which images of DET are taken.
        progress: as in `load_imagenet_vid`, for DET and then for VID.

    Returns:
        A dataset of layout "imagenet-vid", with frames numbered from 1: each image of DET is a video of one
        frame; the frames of a VID snippet are a video, though not adjacent in time.

    Raises:
        DatasetError: VID or DET is missing, a list is damaged, or an annotation is.
        InvalidConfigError: a count is below 1.
    """
    check_count("images_a_class", images_a_class, 1)
    check_count("frames_a_video", frames_a_video, 1)
    tree = find_tree(Path(root), "VID")
    listed = find_snippets(tree, "train")
    compare_with_folders(tree, listed)
    images = load_imagenet_det(root, "train", progress=progress)
    images = select_videos(images, balance_classes(images, images_a_class, seed))
    snippets = [thin_out(snippet, frames_a_video) for snippet in listed.snippets]
    return join_datasets([images, read_snippets(tree, snippets, progress=progress)])


def balance_classes(dataset: VideoDataset, most: int, seed: int) -> list[int]:
    """Return which rows to keep, ascending, so that no class is in more than `most` of them.

    Rows come in a random order; one is kept unless one of its classes is full.

    Args:
        dataset: of any videos.
        most: the largest number of rows a class may be in.
        seed: of the random order.
    """
    truth = dataset.truth
    bounds = truth.bounds(dataset.frame_count)
    room = np.full(len(dataset.classes), most)
    kept = []
    for row in np.random.default_rng(seed).permutation(dataset.frame_count).tolist():
        present = np.unique(truth.labels[bounds[row] : bounds[row + 1]])
        if (room[present] > 0).all():
            room[present] -= 1
            kept.append(row)
    return sorted(kept)


def thin_out(snippet: Snippet, count: int) -> Snippet:
    """Return `count` frames of a snippet, from the middles of as many equal parts; all where there are no more.

    >>> thin_out(Snippet("train/a", ("000000", "000001", "000002", "000003"), (1, 2, 3, 4)), 2).frames
    ('000001', '000003')
    """
    length = len(snippet.frames)
    if length <= count:
        return snippet
    chosen = [(2 * part + 1) * length // (2 * count) for part in range(count)]
    return replace(
        snippet,
        frames=tuple(snippet.frames[index] for index in chosen),
        ids=tuple(snippet.ids[index] for index in chosen),
    )
