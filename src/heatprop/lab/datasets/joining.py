"""Datasets made of others: some videos of one, or several in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from heatprop.lab.datasets.annotations import DatasetError, GroundTruth, Video, VideoDataset


def select_videos(dataset: VideoDataset, numbers: Sequence[int]) -> VideoDataset:
    """Return the dataset of the videos with these numbers, in ascending order; each number stands there once."""
    videos: list[Video] = []
    rows: list[int] = []
    for number in numbers:
        video = dataset.videos[number]
        videos.append(replace(video, start=len(rows)))
        rows += list(video.rows)
    new_row = np.full(dataset.frame_count, -1)
    new_row[rows] = np.arange(len(rows))
    truth = dataset.truth.select(new_row[dataset.truth.frames] >= 0)
    return replace(
        dataset,
        videos=tuple(videos),
        frame_names=tuple(dataset.frame_names[row] for row in rows),
        frame_ids=dataset.frame_ids[rows],
        image_paths=tuple(dataset.image_paths[row] for row in rows),
        image_sizes=dataset.image_sizes[rows],
        truth=replace(truth, frames=new_row[truth.frames]),
        annotation_paths=tuple(dataset.annotation_paths[row] for row in rows),
    )


def join_datasets(datasets: Sequence[VideoDataset]) -> VideoDataset:
    """Return datasets of the same classes and layout as one, video after video; frames are numbered from 1.

    Raises:
        DatasetError: there is none, or their classes or layouts differ.
    """
    if len({(dataset.classes, dataset.class_ids, dataset.layout) for dataset in datasets}) != 1:
        raise DatasetError(f"{len(datasets)} datasets cannot be joined; give some of the same classes and layout")
    starts = np.cumsum([0, *(dataset.frame_count for dataset in datasets)]).tolist()
    truth = GroundTruth(
        **{
            column.name: np.concatenate([getattr(dataset.truth, column.name) for dataset in datasets])
            for column in fields(GroundTruth)
            if column.name != "frames"
        },
        frames=np.concatenate([one.truth.frames + start for one, start in zip(datasets, starts, strict=False)]),
    )
    return replace(
        datasets[0],
        videos=tuple(
            replace(video, start=video.start + start)
            for dataset, start in zip(datasets, starts, strict=False)
            for video in dataset.videos
        ),
        frame_names=tuple(name for dataset in datasets for name in dataset.frame_names),
        frame_ids=np.arange(1, starts[-1] + 1),
        image_paths=tuple(path for dataset in datasets for path in dataset.image_paths),
        image_sizes=np.concatenate([dataset.image_sizes for dataset in datasets]),
        truth=truth,
        annotation_paths=tuple(path for dataset in datasets for path in dataset.annotation_paths),
    )
