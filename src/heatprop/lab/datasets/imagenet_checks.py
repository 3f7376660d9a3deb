"""What can be wrong with the lists and folders of ImageNet VID and DET, before any annotation is read."""

from __future__ import annotations

from pathlib import Path

from heatprop.lab.datasets.annotations import DatasetError
from heatprop.lab.datasets.findings import Finding, Report
from heatprop.lab.datasets.imagenet_det import PictureList, find_pictures, list_name, list_pictures
from heatprop.lab.datasets.imagenet_lists import SnippetList, find_snippets, list_folders
from heatprop.lab.datasets.imagenet_tree import ImagenetTree, snippet_folders


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
            text = f"is not in {listed.source}; its frames are left out"
            report(Finding("snippet not listed", str(tree.annotations / folder), text, is_damage=False))
        for folder in sorted(_folders(tree.images, split, ".JPEG") - annotated - names):
            text = "has pictures, but no annotations"
            report(Finding("snippet without annotations", str(tree.images / folder), text))
    return listed


def examine_pictures(tree: ImagenetTree, split: str, report: Report) -> PictureList:
    """Return the pictures of a split of DET, and report a list that is missing, or damaged: as `examine_snippets`.

    Raises:
        DatasetError: neither a list nor a folder says what the split is.
    """
    try:
        listed = find_pictures(tree, split)
    except DatasetError as error:
        if not (tree.annotations / split).is_dir():
            raise
        report(Finding("damaged list", *_place_and_text(error)))
        return list_pictures(tree, split)
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
