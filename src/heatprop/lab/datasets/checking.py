"""Checks a dataset before hours are spent on it: what is there, what is missing, what is damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from heatprop.lab.datasets.annotations import DatasetError, VideoDataset
from heatprop.lab.datasets.coco_video import find_annotations, load_coco_video
from heatprop.lab.datasets.consistency import check_content, check_images, check_numbering, check_tracks
from heatprop.lab.datasets.dataset_report import DatasetReport, FindingLog, count_classes
from heatprop.lab.datasets.findings import Finding, Progress, Report
from heatprop.lab.datasets.imagenet_det import (
    ImageList,
    find_images,
    list_images,
    list_name,
    read_listed_images,
)
from heatprop.lab.datasets.imagenet_lists import SnippetList, find_snippets, list_folders
from heatprop.lab.datasets.imagenet_tree import ImagenetTree, find_tree, snippet_folders
from heatprop.lab.datasets.imagenet_vid import read_listed
from heatprop.lab.datasets.mot_challenge import find_sequences, load_mot_challenge

ImageCheck: TypeAlias = Literal["decoded", "quick", "not checked"]
StageProgress: TypeAlias = Callable[[str, int, int], None]
CheckedLayout: TypeAlias = Literal["imagenet-vid", "imagenet-det", "coco-video", "mot-challenge"]


def check_dataset(
    root: str | Path,
    layout: CheckedLayout | Literal["auto"] = "auto",
    split: str = "val",
    *,
    pictures: ImageCheck = "decoded",
    progress: StageProgress | None = None,
) -> DatasetReport:
    """Check a dataset and return what is there and everything that is wrong.

    Args:
        root: as in `load_dataset`.
        layout: as in `load_dataset`, or "imagenet-det": the images of ImageNet DET that the 30 classes are in;
            "auto": seen from the files.
        split: as in `load_dataset`; of ImageNet DET "train" or "val".
        pictures: "decoded": each image is decoded whole; "quick": only headers and ends are read; "not checked":
            none is opened, for scoring needs none.
        progress: called now and then with the stage ("annotations", "pictures"), the frames done, and their total.

    Raises:
        DatasetError: there is no such folder, nothing in it is of the layout, or the split is not there.
    """
    root = Path(root)
    log = FindingLog()
    name = find_layout(root) if layout == "auto" else layout
    if layout == "auto" and name == "imagenet-vid":
        _note_det(root, log)
    dataset, source = _READERS[name](root, split, log, _stage(progress, "annotations"))
    if dataset is None:
        return DatasetReport(name, str(root), None, source, 0, 0, 0, 0, 0, "not checked", (), log.groups())
    check_numbering(dataset, log)
    check_tracks(dataset, log)
    check_content(dataset, log)
    if pictures != "not checked":
        seen = check_images(
            dataset,
            quick=pictures == "quick",
            whole_folders=name != "imagenet-det",  # where images of 170 other classes lie too
            report=log,
            progress=_stage(progress, "pictures"),
        )
        pictures = pictures if seen else "not checked"
    classes = count_classes(dataset)
    return DatasetReport(
        layout=name,
        root=str(dataset.root),
        split=split if dataset.layout == "imagenet-vid" or dataset.root.name == split else None,
        frames_from=source,
        videos=len(dataset.videos),
        frames=dataset.frame_count,
        empty_frames=dataset.frame_count - len(np.unique(dataset.truth.frames)),
        boxes=len(dataset.truth),
        tracks=sum(one.tracks for one in classes),
        pictures=pictures,
        classes=classes,
        findings=log.groups(),
    )


def find_layout(root: Path) -> CheckedLayout:
    """Return which layout a folder, or a JSON file, has.

    Raises:
        DatasetError: there is nothing, or nothing of a known layout.
    """
    if not root.exists():
        raise DatasetError(f"{root}: no such folder; give the folder of the dataset")
    if root.is_file():
        return "coco-video"
    if _tree(root, "VID") is not None:
        return "imagenet-vid"
    if _tree(root, "DET") is not None:
        return "imagenet-det"
    if any(root.glob("*.json")):
        return "coco-video"
    if any(any(root.glob(f"{above}seqinfo.ini")) for above in ("", "*/", "*/*/")):
        return "mot-challenge"
    raise DatasetError(
        f"{root}: no dataset is recognised; wanted Annotations/VID (imagenet-vid), Annotations/DET "
        "(imagenet-det), a JSON file (coco-video) or sequences with seqinfo.ini (mot-challenge)"
    )


def _tree(root: Path, task: str) -> ImagenetTree | None:
    try:
        return find_tree(root, task)
    except DatasetError:
        return None


def _note_det(root: Path, log: FindingLog) -> None:
    tree = _tree(root, "DET")
    if tree is not None:
        text = "is there too, and was not checked; ask for the layout imagenet-det and the split train"
        log(Finding("another dataset", str(tree.annotations), text, is_damage=False))


Read: TypeAlias = tuple[VideoDataset | None, str]


def _imagenet_vid(root: Path, split: str, log: FindingLog, progress: Progress | None) -> Read:
    tree = find_tree(root, "VID")
    listed = examine_snippets(tree, split, log)
    source = "folders" if listed.source is None else str(listed.source)
    if not any(snippet.frames for snippet in listed.snippets):
        log(Finding("no frames", str(tree.annotations / split), "holds no annotation; unpack the archive again"))
        return None, source
    return read_listed(tree, listed, report=log, progress=progress), source


def _imagenet_det(root: Path, split: str, log: FindingLog, progress: Progress | None) -> Read:
    tree = find_tree(root, "DET")
    listed = examine_images(tree, split, log)
    source = "folders" if listed.source is None else str(listed.source)
    dataset = read_listed_images(tree, listed, report=log, progress=progress)
    if not dataset.frame_count:
        text = "holds no image of the 30 classes; unpack the archive again"
        log(Finding("no frames", str(tree.annotations / split), text))
        return None, source
    return dataset, source


def _coco_video(root: Path, _: str, log: FindingLog, progress: Progress | None) -> Read:
    path = find_annotations(root)
    try:
        dataset = load_coco_video(root, report=log)
    except DatasetError as error:
        log(Finding("damaged annotation file", str(path), str(error).removeprefix(str(path)).lstrip(",: ")))
        return None, str(path)
    if progress is not None:
        progress(dataset.frame_count, dataset.frame_count)
    return dataset, str(path)


def _mot_challenge(root: Path, split: str, log: FindingLog, progress: Progress | None) -> Read:
    top, _ = find_sequences(root, split)
    try:
        return load_mot_challenge(root, split, report=log, progress=progress), str(top)
    except DatasetError as error:
        log(Finding("no frames", *_place_and_text(error)))
        return None, str(top)


_READERS: dict[CheckedLayout, Callable[[Path, str, FindingLog, Progress | None], Read]] = {
    "imagenet-vid": _imagenet_vid,
    "imagenet-det": _imagenet_det,
    "coco-video": _coco_video,
    "mot-challenge": _mot_challenge,
}


def _stage(progress: StageProgress | None, stage: str) -> Progress | None:
    return None if progress is None else lambda done, total: progress(stage, done, total)


def examine_snippets(tree: ImagenetTree, split: str, report: Report) -> SnippetList:
    """Return the snippets of a split, and report what lists and folders lack.

    A damaged list is reported, and the folders take its place.

    Raises:
        DatasetError: neither a list nor a folder says what the split is.
    """
    has_folder = (tree.annotations / split).is_dir()
    try:
        listed = find_snippets(tree, split)
    except DatasetError as error:
        if not has_folder:
            raise
        report(Finding("damaged list", *_place_and_text(error)))
        listed = list_folders(tree, split)
    else:
        if listed.source is None:
            report(_missing_list(tree, f"{split}.txt"))
    names = {snippet.name for snippet in listed.snippets}
    if has_folder:
        annotated = _folders(tree.annotations, split, ".xml")
        for folder in sorted(annotated - names):
            text = f"is not in {listed.source}; its frames are skipped"
            report(Finding("snippet not listed", str(tree.annotations / folder), text, is_damage=False))
        for folder in sorted(_folders(tree.images, split, ".JPEG") - annotated - names):
            text = "has images, but no annotations"
            report(Finding("snippet without annotations", str(tree.images / folder), text))
    return listed


def examine_images(tree: ImagenetTree, split: str, report: Report) -> ImageList:
    """Return the images of a split of DET, and report a list that is missing, or damaged: as `examine_snippets`.

    Raises:
        DatasetError: neither a list nor a folder says what the split is.
    """
    try:
        listed = find_images(tree, split)
    except DatasetError as error:
        if not (tree.annotations / split).is_dir():
            raise
        report(Finding("damaged list", *_place_and_text(error)))
        return list_images(tree, split)
    if listed.source is None:
        report(_missing_list(tree, list_name(split)))
    return listed


def _missing_list(tree: ImagenetTree, name: str) -> Finding:
    place = str(tree.root / "ImageSets" / tree.task / name)
    return Finding("missing list", place, "is not there; the folders say what is in it", is_damage=False)


def _folders(top: Path, split: str, suffix: str) -> set[str]:
    if not (top / split).is_dir():
        return set()
    return {folder.relative_to(top).as_posix() for folder in snippet_folders(top / split, suffix)}


def _place_and_text(error: DatasetError) -> tuple[str, str]:
    place, colon, text = str(error).partition(": ")
    return (place, text) if colon else ("", place)
