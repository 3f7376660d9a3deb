"""What can be wrong between the parts of a dataset that reads well: images, numbering, tracks."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np

from heatprop.backends.base import usable_processors
from heatprop.io.image_files import ImageState, inspect_image
from heatprop.io.suffixes import IMAGE_SUFFIXES
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.datasets.doubtful_boxes import corners_for_sides
from heatprop.lab.datasets.findings import Finding, Progress, Report

_CHUNK = 256


def check_images(
    dataset: VideoDataset, *, quick: bool, whole_folders: bool, report: Report, progress: Progress | None = None
) -> bool:
    """Report images that are missing, damaged, of another size than annotated, or in no annotation.

    Args:
        dataset: whose images to check.
        quick: as in `inspect_image`.
        whole_folders: whether all images of its folders should be in it, and others are reported.
        report: takes each finding.
        progress: called now and then with the images done and their total.

    Returns:
        Whether there are any: where not a single one is there, only that is reported, once.
    """
    names_in = {
        folder: _images_in(folder) for folder in dict.fromkeys(path.parent for path in dataset.image_paths)
    }
    if not any(path.name in names_in[path.parent] for path in dataset.image_paths):
        text = "none of the images is there; detections can be scored, but nothing can be detected or learned"
        report(Finding("no pictures", str(dataset.root), text, is_damage=False))
        return False
    sizes = dataset.image_sizes.tolist()
    for row, state in enumerate(_inspect(dataset, quick, progress)):
        place, (width, height) = str(dataset.image_paths[row]), sizes[row]
        if state.problem is not None:
            report(Finding("missing picture" if state.is_missing else "damaged picture", place, state.problem))
        elif width and state.size != (width, height):
            seen = "{}x{}".format(*state.size) if state.size else "unreadable"
            report(Finding("size of the picture", place, f"is {seen}, but annotated as {width}x{height}"))
        if state.holds_several:
            text = "holds several images; the first is read"
            report(Finding("several pictures in a file", place, text, is_damage=False))
    for path in dataset.image_paths:
        names_in[path.parent].discard(path.name)
    is_damage = dataset.layout == "imagenet-vid"
    for folder, names in names_in.items() if whole_folders else ():
        for name in sorted(names):
            text = "has no annotation, or is not listed"
            report(Finding("picture without annotation", str(folder / name), text, is_damage=is_damage))
    return True


def check_numbering(dataset: VideoDataset, report: Report) -> None:
    """Report videos whose frames are named by numbers that leave some out; no damage, for some are thinned out."""
    for video in dataset.videos:
        numbers = [_last_number(dataset.frame_names[row]) for row in video.rows]
        known = [number for number in numbers if number is not None]
        if len(known) < len(numbers):
            continue
        back = next(((a, b) for a, b in pairwise(known) if b <= a), None)
        if back is not None:
            text = f"frame {back[1]} follows frame {back[0]}: by their names they are out of order"
            report(Finding("frames out of order", video.name, text, is_damage=False))
            continue
        gaps = [(a, b) for a, b in pairwise(known) if b - a != 1]
        if gaps and len({b - a for a, b in pairwise(known)}) > 1:
            (before, after), more = gaps[0], f", and {len(gaps) - 1} more gaps" if len(gaps) > 1 else ""
            text = f"frame {after} follows frame {before}{more}"
            report(Finding("gap in the numbering", video.name, text, is_damage=False))


def check_content(dataset: VideoDataset, report: Report) -> None:
    """Report what leaves figures without a meaning, though each entry is right by itself; no damage."""

    def note(kind: str, place: object, text: str) -> None:
        report(Finding(kind, str(place), text, is_damage=False))

    truth, place = dataset.truth, dataset.annotation_paths[0] if dataset.annotation_paths else dataset.root
    if not len(truth):
        note("no objects", place, "not a single object is annotated; nothing can be scored or learned")
    elif truth.crowd.all():
        note("only crowds", place, f"all {len(truth)} boxes are crowds, which are neither scored nor learned")
    rows: dict[Path, int] = {}
    for row, path in enumerate(dataset.image_paths):
        first = rows.setdefault(path, row)
        if first != row:
            text = f"is the image of frame {dataset.frame_ids[first]} and of frame {dataset.frame_ids[row]}"
            note("picture listed twice", path, text)
    if dataset.layout == "coco-video":
        _check_coco(dataset, note)
    elif dataset.frame_ids.min() == 0:
        note("numbered from 0", dataset.root, "frames are numbered from 0, the official lists from 1")


def _check_coco(dataset: VideoDataset, note: Callable[[str, object, str], None]) -> None:
    place, truth = dataset.annotation_paths[0], dataset.truth
    if min(dataset.class_ids) == 0:
        note(
            "numbered from 0", place, "categories are numbered from 0, those of COCO from 1; so must detections be"
        )
    there = np.bincount(truth.labels[~truth.crowd], minlength=len(dataset.classes)) > 0
    if there.any():
        for label in np.flatnonzero(~there).tolist():
            number, name = dataset.class_ids[label], dataset.classes[label]
            note("class without objects", place, f"category {number} ({name}) has none; it is not scored")
        corners = corners_for_sides(dataset)
        if corners is not None:
            note(corners.kind, corners.place, corners.text)


def check_tracks(dataset: VideoDataset, report: Report) -> None:
    """Report what makes objects hard to follow; no damage.

    A track number may stand in a frame twice: the motion of its object cannot be known there. A track may change
    its class: identities are scored class by class, so it counts as one of each.
    """
    truth = dataset.truth
    tracked = np.stack([truth.frames, truth.tracks], axis=1)[truth.tracks >= 0]
    pairs, counts = np.unique(tracked, axis=0, return_counts=True)
    for frame, track in pairs[counts > 1].tolist():
        text = f"track {track} stands twice in frame {dataset.frame_names[frame]}"
        report(Finding("track twice in a frame", str(dataset.annotation_paths[frame]), text, is_damage=False))
    videos = dataset.video_of_rows()[truth.frames]
    kinds = np.unique(np.stack([videos, truth.tracks, truth.labels], axis=1)[truth.tracks >= 0], axis=0)
    of_several, counts = np.unique(kinds[:, :2], axis=0, return_counts=True)
    for video, track in of_several[counts > 1].tolist():
        labels = kinds[(kinds[:, 0] == video) & (kinds[:, 1] == track), 2].tolist()
        names = " and ".join(dataset.classes[label] for label in labels)
        text = f"track {track} is {names}; identities are scored class by class"
        report(Finding("track of several classes", dataset.videos[video].name, text, is_damage=False))


def _last_number(name: str) -> int | None:
    match = re.search(r"(\d{1,18})(?:\.\w+)?$", name)
    return int(match[1]) if match else None


def _images_in(folder: Path) -> set[str]:
    try:
        return {name for name in os.listdir(folder) if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES}
    except OSError:
        return set()


def _inspect(dataset: VideoDataset, quick: bool, progress: Progress | None) -> Iterator[ImageState]:
    """Yield what is seen of each image, in order of rows; with as many threads as processors."""
    total = dataset.frame_count
    with ThreadPoolExecutor(usable_processors()) as pool:
        for start in range(0, total, _CHUNK):
            paths = dataset.image_paths[start : start + _CHUNK]
            yield from pool.map(lambda path: inspect_image(path, quick=quick), paths)
            if progress is not None:
                progress(min(start + _CHUNK, total), total)
