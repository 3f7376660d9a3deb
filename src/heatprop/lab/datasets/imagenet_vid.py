"""ImageNet VID as ILSVRC 2015 lays it out: one XML file a frame, one folder a snippet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from heatprop.lab.datasets.annotations import DatasetError, GroundTruth, TruthColumns, Video, VideoDataset
from heatprop.lab.datasets.findings import Finding, Progress, Report, refuse
from heatprop.lab.datasets.imagenet_classes import VID_CLASS_IDS, VID_CLASSES, VID_LABELS
from heatprop.lab.datasets.imagenet_lists import Snippet, SnippetList, find_snippets
from heatprop.lab.datasets.imagenet_tree import ImagenetTree, find_tree, frame_names, snippet_folders
from heatprop.lab.datasets.voc_xml import read_annotation
from heatprop.types import IntArray

IMAGE_SUFFIX = ".JPEG"
_STEP = 500


def load_imagenet_vid(
    root: str | Path, split: str = "val", *, report: Report = refuse, progress: Progress | None = None
) -> VideoDataset:
    """Read a split of ImageNet VID; the images need not be there.

    Which frames belong to it, and their numbers, is said by a list file or else by the folders
    (`imagenet_lists.find_snippets`). Boxes are as written, also where they reach beyond the image.

    Args:
        root: the folder ILSVRC2015, one that holds it, or any with ``Annotations/VID``.
        split: "val" or "train", or the name of a list, such as "VID_train_15frames".
        report: takes each finding; default: the first that is damage is raised. Where it returns, a frame whose
            annotation is damaged has no objects and the size 0x0.
        progress: called now and then with the frames read and their total.

    Raises:
        DatasetError: nothing of ImageNet VID is there, it holds no frame, list and folder disagree, an image has
            no annotation and no list leaves it out, or an annotation is damaged; the message names file and line.
    """
    tree = find_tree(Path(root), "VID")
    listed = find_snippets(tree, split)
    if listed.source is None:
        compare_with_images(tree, split, listed, report)
    return read_listed(tree, listed, report=report, progress=progress)


def read_listed(
    tree: ImagenetTree, listed: SnippetList, *, report: Report = refuse, progress: Progress | None = None
) -> VideoDataset:
    """Compare a list with the folders, then read what it lists; arguments and errors are `load_imagenet_vid`'s."""
    missing = compare_with_folders(tree, listed, report)

    def report_once(finding: Finding) -> None:
        if finding.place not in missing:
            report(finding)

    return read_snippets(tree, listed.snippets, report=report_once, progress=progress)


def read_snippets(
    tree: ImagenetTree, snippets: Sequence[Snippet], *, report: Report = refuse, progress: Progress | None = None
) -> VideoDataset:
    """Return the dataset of these snippets; arguments and errors are those of `load_imagenet_vid`."""
    videos: list[Video] = []
    names: list[str] = []
    images: list[Path] = []
    annotations: list[Path] = []
    for snippet in snippets:
        if snippet.frames:
            videos.append(Video(snippet.name, len(names), len(snippet.frames)))
        below_split = snippet.name.split("/", 1)[-1]
        image_folder, annotation_folder = tree.images / snippet.name, tree.annotations / snippet.name
        names += [f"{below_split}/{frame}" for frame in snippet.frames]
        images += [image_folder / f"{frame}{IMAGE_SUFFIX}" for frame in snippet.frames]
        annotations += [annotation_folder / f"{frame}.xml" for frame in snippet.frames]
    if not names:
        raise DatasetError(f"{tree.annotations}: no frame in it; check that the archive was unpacked whole")
    sizes, truth = read_annotations(annotations, report=report, progress=progress)
    return VideoDataset(
        layout="imagenet-vid",
        root=tree.root,
        classes=VID_CLASSES,
        class_ids=VID_CLASS_IDS,
        videos=tuple(videos),
        frame_names=tuple(names),
        frame_ids=np.array([number for snippet in snippets for number in snippet.ids], np.int64),
        image_paths=tuple(images),
        image_sizes=sizes,
        truth=truth,
        annotation_paths=tuple(annotations),
    )


def read_annotations(
    paths: Sequence[Path],
    *,
    skip_others: bool = False,
    report: Report = refuse,
    progress: Progress | None = None,
) -> tuple[IntArray, GroundTruth]:
    """Return (width, height) of each image, int64 ``(F, 2)``, and the objects, from one XML file a frame.

    Args:
        paths: a file for each row.
        skip_others: pass over objects of other than the 30 classes, which DET has.
        report: as in `load_imagenet_vid`.
        progress: as in `load_imagenet_vid`.

    Raises:
        DatasetError: a file is damaged, or lxml is not installed.
    """
    sizes = np.zeros((len(paths), 2), np.int64)
    objects = TruthColumns()
    for row, path in enumerate(paths):
        annotation = read_annotation(path, VID_LABELS, skip_others=skip_others, report=report)
        if annotation is not None:
            sizes[row] = annotation.width, annotation.height
            for found in annotation.objects:
                objects.add(
                    row, found.box, found.label,
                    track=found.track, occluded=found.occluded, generated=found.generated,
                )  # fmt: skip
        if progress is not None and (row + 1) % _STEP == 0:
            progress(row + 1, len(paths))
    if progress is not None:
        progress(len(paths), len(paths))
    return sizes, objects.build()


def compare_with_folders(tree: ImagenetTree, listed: SnippetList, report: Report = refuse) -> frozenset[str]:
    """Report where a list and the folders of annotations disagree about the frames of a listed snippet.

    A listed frame without annotation is reported; so is an annotated one that a list of all frames lacks.
    Snippets that are not listed at all are no disagreement: a list may name a part.

    Returns:
        The annotations that are missing, as `Finding.place` names them.

    Raises:
        DatasetError: by `report`.
    """
    missing: list[str] = []
    for snippet in listed.snippets if listed.source is not None else ():
        folder = tree.annotations / snippet.name
        annotated = set(frame_names(folder, ".xml")) if folder.is_dir() else set()
        for frame in (frame for frame in snippet.frames if frame not in annotated):
            missing.append(str(folder / f"{frame}.xml"))
            text = f"is not there, but {listed.source} lists it; restore the file or the list"
            report(Finding("missing annotation", missing[-1], text))
        if listed.is_complete:
            for frame in sorted(annotated.difference(snippet.frames)):
                text = f"is not in {listed.source}, which lists the other frames; restore the list"
                report(Finding("annotation not listed", str(folder / f"{frame}.xml"), text))
    return frozenset(missing)


def compare_with_images(tree: ImagenetTree, split: str, listed: SnippetList, report: Report = refuse) -> None:
    """Report images of a split without annotation, where the folders stand in for a list.

    A lost annotation would leave its frame out unseen, and move the numbers of all later ones.

    Raises:
        DatasetError: by `report`.
    """
    annotated = {snippet.name: frozenset(snippet.frames) for snippet in listed.snippets}
    top = tree.images / split
    for folder in snippet_folders(top, IMAGE_SUFFIX) if top.is_dir() else ():
        known = annotated.get(folder.relative_to(tree.images).as_posix(), frozenset())
        for frame in frame_names(folder, IMAGE_SUFFIX):
            if frame not in known:
                place = str(folder / f"{frame}{IMAGE_SUFFIX}")
                text = f"has no annotation; restore it, or list in ImageSets/VID/{split}.txt the frames that count"
                report(Finding("picture without annotation", place, text))
