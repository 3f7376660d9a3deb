"""Where the files of ImageNet VID and DET are: folders of annotations, images and lists."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from heatprop.lab.datasets.annotations import DatasetError

_DEPTH = 4


@dataclass(frozen=True, slots=True)
class ImagenetTree:
    """Where the parts of a copy of ImageNet VID or DET are.

    Attributes:
        root: the folder that holds ``Annotations``, and usually ``Data`` and ``ImageSets``.
        task: "VID" or "DET".
    """

    root: Path
    task: str

    @property
    def annotations(self) -> Path:
        """The folder of the XML files."""
        return self.root / "Annotations" / self.task

    @property
    def images(self) -> Path:
        """The folder of the images; it need not be there."""
        return self.root / "Data" / self.task

    def list_file(self, name: str) -> Path | None:
        """Return the list file of that name, or None."""
        folder = self.root / "ImageSets"
        places = (folder / self.task / name, folder / name)
        return next((place for place in places if place.exists()), None)

    def splits(self) -> str:
        """Return the names of the splits that have annotations, for messages."""
        return ", ".join(sorted(child.name for child in self.annotations.iterdir() if child.is_dir())) or "none"


def find_tree(root: Path, task: str) -> ImagenetTree:
    """Return the copy of ImageNet `task` in `root`, or in a folder ``ILSVRC2015`` or ``ILSVRC`` there.

    Raises:
        DatasetError: there is none.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; give the folder of the dataset")
    for place in (root, root / "ILSVRC2015", root / "ILSVRC"):
        tree = ImagenetTree(place, task)
        if tree.annotations.is_dir():
            return tree
    raise DatasetError(f"{root}: no Annotations/{task} in it; give the folder ILSVRC2015 or the one that holds it")


def frame_names(folder: Path, suffix: str) -> list[str]:
    """Return the names, without suffix, of the files in a folder that end in `suffix`; shorter ones first.

    Raises:
        DatasetError: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            names = [entry.name[: -len(suffix)] for entry in entries if entry.name.endswith(suffix)]
    except OSError as error:
        raise DatasetError(f"{folder}: cannot look into this folder ({error.strerror}); restore it") from None
    return sorted(names, key=lambda name: (len(name), name))


def snippet_folders(folder: Path, suffix: str = ".xml", depth: int = _DEPTH) -> Iterator[Path]:
    """Yield the folders in `folder` that hold files ending in `suffix`, a few levels deep; links are followed."""
    subfolders = []
    with os.scandir(folder) as entries:
        has_files = False
        for entry in entries:
            if entry.name.endswith(suffix):
                has_files = True
            elif entry.is_dir():
                subfolders.append(folder / entry.name)
    if has_files:
        yield folder
    if depth:
        for subfolder in sorted(subfolders):
            yield from snippet_folders(subfolder, suffix, depth - 1)
