"""MOTChallenge, MOT15 to MOT20: a folder a sequence, with images, ``seqinfo.ini`` and ``gt/gt.txt``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from heatprop.lab.datasets.annotations import (
    DatasetError,
    Distractors,
    GroundTruth,
    Video,
    VideoDataset,
    leads_out,
)
from heatprop.lab.datasets.findings import Finding, Progress, Report, refuse
from heatprop.lab.datasets.mot_sequence_info import INFO_NAME, SequenceInfo, read_info
from heatprop.lab.datasets.mot_truth import SequenceTruth, read_truth

_TRUTH = Path("gt") / "gt.txt"


def load_mot_challenge(
    root: str | Path, split: str = "train", *, report: Report = refuse, progress: Progress | None = None
) -> VideoDataset:
    """Read sequences in MOTChallenge's layout; the images need not be there.

    One class is scored, pedestrian. In MOT16, MOT17 and MOT20, which name classes, that is class 1; detections
    that match a distractor are taken away when tracks are scored, and forgiven, as in a crowd, by the metrics of
    COCO. In MOT15, which names none, it is every box. Boxes whose flag is 0 are not scored. Pixels are counted as
    written. Source of the format: the development kit of motchallenge.net.

    Args:
        root: the folder of the splits, of the sequences, or of one sequence.
        split: name of the folder in `root` with the sequences; without meaning where they lie in `root` itself.
        report: takes each finding; default: the first that is damage is raised. Where it returns, the line, or the
            sequence, is skipped.
        progress: called now and then with the frames read and their total.

    Raises:
        DatasetError: there is no such folder or split, no sequence in it, or a sequence is incomplete or damaged;
            the message names file and line.
    """
    top, folders = find_sequences(Path(root), split)
    known = [(folder, info) for folder in folders if (info := _info_or_none(folder, report)) is not None]
    if not known:
        raise DatasetError(f"{top}: no sequence in it can be read; see heatprop dataset check")
    total = sum(info.length for _, info in known)
    videos: list[Video] = []
    truths: list[SequenceTruth] = []
    names: list[str] = []
    images: list[Path] = []
    annotations: list[Path] = []
    for folder, info in known:
        path = folder / _TRUTH
        start = len(names)
        truths.append(read_truth(path, start, info, report))
        videos.append(Video(folder.name, start, info.length))
        names += [f"{folder.name}/{frame:06d}" for frame in range(1, info.length + 1)]
        images += _image_paths(folder / info.image_folder, info)
        annotations += [path] * info.length
        if progress is not None:
            progress(len(names), total)
    return VideoDataset(
        layout="mot-challenge",
        root=top,
        classes=("pedestrian",),
        class_ids=(1,),
        videos=tuple(videos),
        frame_names=tuple(names),
        frame_ids=np.arange(1, len(names) + 1),
        image_paths=tuple(images),
        image_sizes=np.repeat(
            np.array([(info.width, info.height) for _, info in known], np.int64),
            [info.length for _, info in known],
            axis=0,
        ),
        truth=GroundTruth.joined([each.objects for each in truths]),
        annotation_paths=tuple(annotations),
        distractors=Distractors.joined([each.distractors for each in truths]),
    )


def find_sequences(root: Path, split: str) -> tuple[Path, list[Path]]:
    """Return the folder that holds the sequences, and their folders, by name.

    Raises:
        DatasetError: there is no such folder or split, or no sequence in it.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; give the folder of the dataset")
    if (root / INFO_NAME).is_file():
        return root, [root]
    top = root / split if not leads_out(split) else root
    for place in (top, root):
        folders = _sequences_in(place)
        if folders:
            return place, folders
    splits = [child.name for child in _folders_in(root) if _sequences_in(child)]
    if splits:
        raise DatasetError(f"{root}: has no split {split!r}; there are {', '.join(splits)}: name one as split")
    raise DatasetError(
        f"{root}: no sequence in it: a sequence is a folder with {INFO_NAME} and {_TRUTH.as_posix()}"
    )


def _info_or_none(folder: Path, report: Report) -> SequenceInfo | None:
    try:
        return read_info(folder)
    except DatasetError as error:
        place, _, text = str(error).partition(": ")
        report(Finding("damaged sequence", place, text))
        return None


def _image_paths(folder: Path, info: SequenceInfo) -> list[Path]:
    """Return the path of each image, by its number: of six digits, or of as many as the folder has them."""
    found: dict[int, str] = {}
    try:
        for name in sorted(os.listdir(folder), reverse=True):
            stem, suffix = os.path.splitext(name)
            if suffix.lower() == info.suffix.lower() and stem.isascii() and stem.isdigit() and len(stem) < 19:
                found[int(stem)] = name
    except OSError:
        pass  # there are none
    return [folder / found.get(frame, f"{frame:06d}{info.suffix}") for frame in range(1, info.length + 1)]


def _sequences_in(folder: Path) -> list[Path]:
    return [child for child in _folders_in(folder) if (child / INFO_NAME).is_file() or (child / _TRUTH).is_file()]


def _folders_in(folder: Path) -> Sequence[Path]:
    try:
        return sorted(child for child in folder.iterdir() if child.is_dir())
    except OSError:
        return []
