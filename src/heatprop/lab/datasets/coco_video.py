"""CocoVID: one JSON file for all videos; COCO's, with ``videos``, and ``video_id`` and ``frame_id`` in images."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from heatprop.io.regular_files import LARGEST_ANNOTATIONS, read_regular
from heatprop.lab.datasets.annotations import Box, DatasetError, TruthColumns, Video, VideoDataset
from heatprop.lab.datasets.coco_entries import Entries, Entry, object_of, table_of
from heatprop.lab.datasets.doubtful_boxes import AreasOfCorners, SeenBoxes, doubts
from heatprop.lab.datasets.findings import Finding, Report, refuse

_DEFAULT_FILE = "annotations.json"


def load_coco_video(
    root: str | Path, annotations: str | Path | None = None, *, report: Report = refuse
) -> VideoDataset:
    """Read a CocoVID file, or a plain COCO file, each of whose images is then a video of its own.

    Frames are sorted by ``frame_id`` within their video, videos stand in the file's order, and those without
    frames are skipped. ``instance_id`` or ``track_id`` names the track; a video's ``evaluated_categories``
    (names) are the classes that are annotated in it. Images lie at ``file_name`` in the folder, and need not be
    there.

    Args:
        root: folder of the dataset, or the JSON file itself.
        annotations: the JSON file; default: ``annotations.json`` in the folder, or the only JSON file there.
        report: takes each finding in an annotation; default: the first that is damage is raised. Where it
            returns, the annotation is skipped.

    Raises:
        DatasetError: the file is missing, not JSON, or an entry of it is wrong, or a list or a name in an entry
            stands there twice; the message names both.

    Example:
        >>> load_coco_video("no")
        Traceback (most recent call last):
        heatprop.lab.datasets.annotations.DatasetError: no: no such folder or file; give the folder of the dataset
    """
    path = find_annotations(Path(root), annotations)
    folder = Path(root) if Path(root).is_dir() else path.parent
    content = read_json(path)
    for name in getattr(content, "repeated", ()):  # a list that is read is refused where it is read
        text = f"{name!r:.60} stands there twice; the last counts"
        report(Finding("name twice", str(path), text, is_damage=False))
    classes, label_of = _categories(Entries(content, "categories", path))
    videos, images = _frames(content, path, {name: label for label, name in enumerate(classes)})
    row_of = {image.id: row for row, image in enumerate(images)}
    sizes = np.array([_size(image) for image in images], np.int64).reshape(-1, 2)
    objects = _Objects(row_of, label_of, images, report)
    for entry in Entries(content, "annotations", path, required=False):
        objects.add(entry)
    corners = objects.areas.finding(str(path))
    if corners is not None:
        report(corners)
    names = tuple(image.inner_path("file_name") for image in images)
    return VideoDataset(
        layout="coco-video",
        root=folder,
        classes=classes,
        class_ids=tuple(label_of),
        videos=videos,
        frame_names=names,
        frame_ids=np.array(list(row_of), np.int64),
        image_paths=tuple(folder / name for name in names),
        image_sizes=sizes,
        truth=objects.columns.build(),
        annotation_paths=(path,) * len(names),
    )


def find_annotations(root: Path, annotations: str | Path | None = None) -> Path:
    """Return the JSON file of a dataset; the arguments are those of `load_coco_video`.

    Raises:
        DatasetError: there is none, or more than one could be meant.
    """
    if not root.exists():
        raise DatasetError(f"{root}: no such folder or file; give the folder of the dataset")
    if annotations is not None:
        inside = root / annotations
        return inside if inside.exists() else Path(annotations)
    if not root.is_dir():
        return root
    if (root / _DEFAULT_FILE).is_file():
        return root / _DEFAULT_FILE
    found = sorted(root.glob("*.json"))
    if len(found) != 1:
        what = f"{len(found)} JSON files" if found else "no JSON file"
        raise DatasetError(f"{root}: {what} in it and no {_DEFAULT_FILE}; give the annotation file itself")
    return found[0]


def read_json(path: Path) -> Mapping[str, Any]:
    """Return the object in a JSON file.

    Raises:
        DatasetError: the file is missing, cut off, not JSON in UTF-8, or holds no object.
    """
    try:
        content = json.loads(read_regular(path, LARGEST_ANNOTATIONS), object_pairs_hook=object_of)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); check the file") from None
    except json.JSONDecodeError as error:
        place = f"{path}, line {error.lineno}, column {error.colno}"
        raise DatasetError(f"{place}: is not whole JSON ({error.msg}); restore the file") from None
    except UnicodeDecodeError:
        raise DatasetError(f"{path}: is not text in UTF-8; restore the file") from None
    except (RecursionError, ValueError) as error:
        raise DatasetError(f"{path}: is nested too deep or holds too long a number ({error})") from None
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: holds a {type(content).__name__}; CocoVID is an object with images")
    return content


def _categories(entries: Entries) -> tuple[tuple[str, ...], dict[int, int]]:
    """Return the names of the classes, and the class number of each category id."""
    categories = table_of(entries)
    names = tuple(category.text("name") for category in categories.values())
    if not names:
        raise DatasetError(f"{entries.path}: has no categories; name the classes there")
    counts = Counter(names)
    for category, name in zip(categories.values(), names, strict=True):
        if counts[name] > 1:
            raise category.wrong(f"has the name {name!r:.60}, as another has; names must differ")
    return names, {number: label for label, number in enumerate(categories)}


def _frames(
    content: Mapping[str, Any], path: Path, labels: Mapping[str, int]
) -> tuple[tuple[Video, ...], list[Entry]]:
    """Return the videos and the images in order of rows."""
    images = table_of(Entries(content, "images", path))
    if not images:
        raise DatasetError(f"{path}: has no images; a dataset needs at least one frame")
    if "videos" not in content and not any("video_id" in image.fields for image in images.values()):
        lone = [Video(image.inner_path("file_name"), row, 1) for row, image in enumerate(images.values())]
        return tuple(lone), list(images.values())
    videos = table_of(Entries(content, "videos", path))
    of_video: dict[int, list[Entry]] = {number: [] for number in videos}
    for image in images.values():
        number = image.whole("video_id")
        if number not in of_video:
            raise image.wrong(f"is of video {number}, which is not among the videos")
        of_video[number].append(image)
    found: list[Video] = []
    rows: list[Entry] = []
    for number, frames in of_video.items():
        if frames:
            evaluated = _evaluated(videos[number], labels)
            found.append(Video(videos[number].text("name", f"{number}"), len(rows), len(frames), evaluated))
            rows += _in_order(frames)
    return tuple(found), rows


def _in_order(frames: list[Entry]) -> list[Entry]:
    """Return the frames of a video by ``frame_id``; as they stand in the file where none has one."""
    if all(frame.fields.get("frame_id") is None for frame in frames):
        return frames
    ordered = sorted(frames, key=lambda frame: frame.whole("frame_id"))
    for frame, following in pairwise(ordered):
        if frame.whole("frame_id") == following.whole("frame_id"):
            raise following.wrong(
                f"has the frame_id {following.whole('frame_id')} of image {frame.id} in its video"
            )
    return ordered


def _evaluated(video: Entry, labels: Mapping[str, int]) -> frozenset[int] | None:
    names = video.fields.get("evaluated_categories")
    if names is None:
        return None
    if not isinstance(names, list):
        raise video.wrong(f"evaluated_categories is {names!r:.60}; it must be a list of names")
    unknown = [name for name in names if not isinstance(name, str) or name not in labels]
    if unknown:
        raise video.wrong(f"evaluated_categories holds {unknown[0]!r:.60}, which is not the name of a category")
    return frozenset(labels[name] for name in names)


def _size(image: Entry) -> tuple[int, int]:
    width, height = image.whole("width"), image.whole("height")
    if width < 1 or height < 1:
        raise image.wrong(f"is {width}x{height}; sides are at least 1")
    return width, height


class _Objects:
    """Turns annotations into columns, one by one."""

    def __init__(
        self,
        row_of: Mapping[int, int],
        label_of: Mapping[int, int],
        images: Sequence[Entry],
        report: Report,
    ) -> None:
        self.columns = TruthColumns()
        self._row_of, self._label_of, self._images, self._report = row_of, label_of, images, report
        self._ids: set[int] = set()
        self._seen = SeenBoxes()
        self.areas = AreasOfCorners()

    def add(self, entry: Entry) -> None:
        """Add what an annotation says, or report why it cannot be used."""
        try:
            self._add(entry)
        except DatasetError as error:
            self._report(Finding("damaged annotation", entry.place, str(error).removeprefix(f"{entry.place}: ")))

    def _add(self, entry: Entry) -> None:
        entry.require_each_once()
        if "id" in entry.fields and entry.whole("id") in self._ids:
            raise entry.wrong("its id stands there twice; ids must differ")
        self._ids.add(entry.id)
        image, category = entry.whole("image_id"), entry.whole("category_id")
        row, label = self._row_of.get(image), self._label_of.get(category)
        if row is None:
            raise entry.wrong(f"is of image {image}, which is not among the images{_shifted(image, self._row_of)}")
        if label is None:
            shifted = _shifted(category, self._label_of)
            raise entry.wrong(f"is of category {category}, which is not among the categories{shifted}")
        video = self._images[row].fields.get("video_id")
        if entry.fields.get("video_id", video) != video:
            raise entry.wrong(f"is of video {entry.fields['video_id']!r:.60}, but its image is of video {video}")
        box = self._box(entry, self._images[row])
        twice = self._seen.finding(row, label, box, entry.place, f"annotation {entry.id}")
        if twice is not None:
            self._report(twice)
        self.areas.add(entry.fields["bbox"], entry.fields.get("area"))
        self.columns.add(
            row, box, label,
            track=entry.whole("instance_id", entry.whole("track_id", -1)),
            occluded=entry.flag("occluded"),
            generated=entry.flag("generated"),
            crowd=entry.flag("iscrowd"),
        )  # fmt: skip

    def _box(self, entry: Entry, image: Entry) -> Box:
        x, y, width, height = entry.numbers("bbox", 4)
        if width < 0 or height < 0:
            raise entry.wrong(f"bbox has the sides {width:g} and {height:g}; none may be negative")
        box = (x, y, x + width, y + height)
        for kind, text in doubts(box, image.whole("width"), image.whole("height")):
            self._report(Finding(kind, entry.place, text, is_damage=False))
        return box


def _shifted(number: int, known: Mapping[int, int]) -> str:
    """Return a hint where numbers seem to be counted from 0 in one place and from 1 in another."""
    is_next = (number == min(known) - 1 == 0) or (number == max(known) + 1 and min(known) == 0)
    return "; does one of the two lists count from 0, the other from 1?" if is_next else ""
