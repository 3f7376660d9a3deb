"""ImageNet DET, of which the 30 classes of VID are kept: still images, each a video of one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from heatprop.lab.datasets.annotations import DatasetError, Video, VideoDataset, select_videos
from heatprop.lab.datasets.findings import Progress, Report, refuse
from heatprop.lab.datasets.imagenet_classes import VID_CLASS_IDS, VID_CLASSES
from heatprop.lab.datasets.imagenet_lists import in_split, labelled_paths
from heatprop.lab.datasets.imagenet_tree import ImagenetTree, find_tree, frame_names, snippet_folders
from heatprop.lab.datasets.imagenet_vid import IMAGE_SUFFIX, read_annotations

_LIST = "DET_{split}_30classes.txt"


@dataclass(frozen=True, slots=True)
class ImageList:
    """The images of a split.

    Attributes:
        source: the list file they were read from; None: made from the folders, so that all 200 classes are in it.
        names: their paths below ``Annotations/DET``, without suffix, each once.
    """

    source: Path | None
    names: tuple[str, ...]


def load_imagenet_det(
    root: str | Path, split: str = "train", *, report: Report = refuse, progress: Progress | None = None
) -> VideoDataset:
    """Read the images of ImageNet DET that the 30 classes of VID are in; objects of the other 170 are skipped.

    Which images these are is said by ``DET_SPLIT_30classes.txt`` (in ``ImageSets/DET`` or ``ImageSets``; lines
    of path and label, of which the published one has 378 twice: each image is taken once). Without that list
    all annotations are read, and those with such an object kept.

    Args:
        root: the folder ILSVRC2015, one that holds it, or any with ``Annotations/DET``.
        split: "train" or "val".
        report: as in `load_imagenet_vid`.
        progress: as in `load_imagenet_vid`.

    Returns:
        A dataset of layout "imagenet-vid" whose videos have one frame each; images are numbered from 1.

    Raises:
        DatasetError: nothing of ImageNet DET is there, or an annotation is missing or damaged.
    """
    tree = find_tree(Path(root), "DET")
    dataset = read_listed_images(tree, find_images(tree, split), report=report, progress=progress)
    if not dataset.frame_count:
        raise DatasetError(f"{tree.annotations / split}: no image of the 30 classes; unpack the archive again")
    return dataset


def list_name(split: str) -> str:
    """Return the name of the list file of a split."""
    return _LIST.format(split=split)


def find_images(tree: ImagenetTree, split: str) -> ImageList:
    """Return the images of a split, as its list names them or else the folders hold them.

    Raises:
        DatasetError: the list is damaged, or there is neither list nor folder.
    """
    path = tree.list_file(list_name(split))
    if path is None:
        return list_images(tree, split)
    names = (in_split(name, split) for _, name, _ in labelled_paths(path))
    return ImageList(path, tuple(dict.fromkeys(names)))


def list_images(tree: ImagenetTree, split: str) -> ImageList:
    """Return all images that the folders of a split hold annotations of.

    Raises:
        DatasetError: there is no such folder.
    """
    top = tree.annotations / split
    if not top.is_dir():
        raise DatasetError(
            f"{top}: no such folder, and no list {list_name(split)}; splits that are there: {tree.splits()}"
        )
    folders = [folder.relative_to(tree.annotations).as_posix() for folder in sorted(snippet_folders(top))]
    names = (f"{folder}/{name}" for folder in folders for name in frame_names(tree.annotations / folder, ".xml"))
    return ImageList(None, tuple(names))


def read_listed_images(
    tree: ImagenetTree, listed: ImageList, *, report: Report = refuse, progress: Progress | None = None
) -> VideoDataset:
    """Return the dataset of a list; of one made from the folders the images with one of the 30 classes.

    Raises:
        DatasetError: by `report`: an annotation is missing or damaged.
    """
    dataset = read_images(tree, listed.names, report=report, progress=progress)
    if listed.source is None:
        dataset = select_videos(dataset, np.unique(dataset.truth.frames).tolist())
    return dataset


def read_images(
    tree: ImagenetTree, names: Sequence[str], *, report: Report = refuse, progress: Progress | None = None
) -> VideoDataset:
    """Return the dataset of images named by their path below ``Annotations/DET``, without suffix.

    Raises:
        DatasetError: by `report`: an annotation is missing or damaged.
    """
    annotations = tuple(tree.annotations / f"{name}.xml" for name in names)
    sizes, truth = read_annotations(annotations, skip_others=True, report=report, progress=progress)
    return VideoDataset(
        layout="imagenet-vid",
        root=tree.root,
        classes=VID_CLASSES,
        class_ids=VID_CLASS_IDS,
        videos=tuple(Video(name, row, 1) for row, name in enumerate(names)),
        frame_names=tuple(name.split("/", 1)[-1] for name in names),
        frame_ids=np.arange(1, len(names) + 1),
        image_paths=tuple(tree.images / f"{name}{IMAGE_SUFFIX}" for name in names),
        image_sizes=sizes,
        truth=truth,
        annotation_paths=annotations,
    )
