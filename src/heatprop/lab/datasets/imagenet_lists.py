"""Which frames belong to a split of ImageNet VID: said by list files or, where there is none, by the folders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from heatprop.io.regular_files import LARGEST_LIST, read_regular
from heatprop.lab.datasets.annotations import DatasetError, leads_out
from heatprop.lab.datasets.findings import at_line
from heatprop.lab.datasets.imagenet_tree import ImagenetTree, frame_names, snippet_folders

_SPLITS = ("train", "val", "test")
_CLASS_LISTS = 30


@dataclass(frozen=True, slots=True)
class Snippet:
    """Frames of one video.

    Attributes:
        name: its folder below ``Annotations/VID``, such as ``val/ILSVRC2015_val_00000000``.
        frames: names of the frames, such as ``000000``, in order.
        ids: official number of each frame.
    """

    name: str
    frames: tuple[str, ...]
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SnippetList:
    """The snippets of a split.

    Attributes:
        source: the list file they were read from; None: made from the folders.
        snippets: in order.
        is_complete: whether every frame of a listed snippet is meant, not a choice of them.
    """

    source: Path | None
    snippets: tuple[Snippet, ...]
    is_complete: bool


def find_snippets(tree: ImagenetTree, split: str) -> SnippetList:
    """Return the snippets of a split: the first of what is there of

    1. ``ImageSets/VID/SPLIT.txt``: lines of frame and number, or of snippet and label;
    2. ``train_1.txt`` to ``train_30.txt``, for train: the snippets of each class;
    3. ``VID_SPLIT_videos.txt``: lines of snippet, number of its first frame, 0, and length;
    4. the folders of ``Annotations/VID/SPLIT``, in the order of their names, numbered from 1.

    `split` may also be the name of a list, such as ``VID_train_15frames`` (snippet, 1, frame, length). Lists may
    stand in ``ImageSets/VID`` or ``ImageSets``.

    Raises:
        DatasetError: a list is damaged, or nothing says what the split is.
    """
    for name in (f"{split}.txt", f"VID_{split}_videos.txt"):
        path = tree.list_file(name)
        if path is not None:
            return _from_list(tree, split, path)
        if name == "train.txt" and (lists := _class_lists(tree)):
            names = {name for path in lists for name, _ in _labelled(path, split)}
            return SnippetList(lists[0], _from_folders(tree, sorted(names)), is_complete=True)
    if not (tree.annotations / split).is_dir():
        raise DatasetError(
            f"{tree.annotations}: no split {split!r} and no list {split}.txt; "
            f"splits that are there: {tree.splits()}"
        )
    return list_folders(tree, split)


def list_folders(tree: ImagenetTree, split: str) -> SnippetList:
    """Return the snippets that the folders of a split hold, by name, their frames numbered from 1.

    Raises:
        DatasetError: a folder cannot be read.
    """
    folders = sorted(snippet_folders(tree.annotations / split))
    names = [folder.relative_to(tree.annotations).as_posix() for folder in folders]
    return SnippetList(None, _from_folders(tree, names), is_complete=True)


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, text) of each line of a list file that is not blank.

    Raises:
        DatasetError: it cannot be read, or is no text.
    """
    try:
        lines = read_regular(path, LARGEST_LIST).decode("utf-8").splitlines()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); check the file") from None
    except UnicodeDecodeError:
        raise DatasetError(f"{path}: is not text in UTF-8; restore the list") from None
    return ((number, line.strip()) for number, line in enumerate(lines, 1) if line.strip())


def labelled_paths(path: Path) -> Iterator[tuple[int, str, int]]:
    """Yield (line number, path, number) of a list whose lines are a path, which may hold spaces, and a number.

    Raises:
        DatasetError: a line is not like that, or the path leads out of the dataset.
    """
    for line, text in read_lines(path):
        match = re.fullmatch(r"(\S.*?)\s+(-?\d{1,18})", text)
        if match is None:
            raise DatasetError(f"{at_line(path, line)}: {text!r:.60} is not a path and a number")
        yield line, _inside(match[1], path, line), int(match[2])


def _inside(name: str, path: Path, line: int) -> str:
    if leads_out(name):
        raise DatasetError(f"{at_line(path, line)}: {name!r:.60} leads out of the dataset")
    return name


def in_split(name: str, split: str) -> str:
    """Return a path of a list as one below ``Annotations/VID`` or ``DET``: some lists leave the split out.

    >>> in_split("ILSVRC2015_val_00000000", "val")
    'val/ILSVRC2015_val_00000000'
    """
    return name if name.split("/", 1)[0] in (*_SPLITS, split) else f"{split}/{name}"


def _class_lists(tree: ImagenetTree) -> list[Path]:
    found = (tree.list_file(f"train_{number}.txt") for number in range(1, _CLASS_LISTS + 1))
    return [path for path in found if path is not None]


def _labelled(path: Path, split: str) -> Iterator[tuple[str, int]]:
    """Yield the snippets of a list of one class; those marked -1 are said not to show it."""
    return ((in_split(name, split), label) for _, name, label in labelled_paths(path) if label >= 0)


def _from_list(tree: ImagenetTree, split: str, path: Path) -> SnippetList:
    if path.name.startswith("VID_"):
        is_complete = path.stem.endswith("_videos")
        rows = _expanded(path, split) if is_complete else _chosen(path, split)
        return SnippetList(path, _grouped(rows, path), is_complete)
    lines = list(labelled_paths(path))
    if not lines:
        raise DatasetError(f"{path}: lists no frames; restore the list, or remove it to read the folders")
    if all(name.rsplit("/", 1)[-1].isdecimal() for _, name, _ in lines):
        split_names = (_split_frame(name, path, line, split) for line, name, _ in lines)
        numbers = _frame_numbers([number for _, _, number in lines], path)
        rows = (
            (line, *names, number) for (line, _, _), names, number in zip(lines, split_names, numbers, strict=True)
        )
        return SnippetList(path, _grouped(rows, path), is_complete=True)
    names = dict.fromkeys(name for name, _ in _labelled(path, split))
    return SnippetList(path, _from_folders(tree, names), is_complete=True)


Row = tuple[int, str, str, int]  # line, snippet, frame, number


def _split_frame(name: str, path: Path, line: int, split: str) -> tuple[str, str]:
    snippet, slash, frame = name.rpartition("/")
    if not slash:
        raise DatasetError(f"{at_line(path, line)}: {name!r:.60} names no snippet; a frame is SNIPPET/FRAME")
    return in_split(snippet, split), frame


def _frame_numbers(numbers: list[int], path: Path) -> list[int]:
    """Return the official numbers; lists that write 1 in each line, as a label, are counted."""
    if len(numbers) > 1 and set(numbers) == {1}:
        return list(range(1, len(numbers) + 1))
    if len(set(numbers)) < len(numbers):
        seen: set[int] = set()
        twice = next(number for number in numbers if number in seen or seen.add(number))  # type: ignore[func-returns-value]
        raise DatasetError(f"{path}: frame number {twice} stands there twice; restore the list")
    return numbers


def _four_columns(path: Path) -> Iterator[tuple[int, str, tuple[int, int, int]]]:
    for line, text in read_lines(path):
        match = re.fullmatch(r"(\S.*?)\s+(\d{1,12})\s+(\d{1,12})\s+(\d{1,12})", text)
        if match is None:
            raise DatasetError(f"{at_line(path, line)}: {text!r:.60} is not a snippet and three numbers")
        yield line, _inside(match[1], path, line), (int(match[2]), int(match[3]), int(match[4]))


def _expanded(path: Path, split: str) -> Iterator[Row]:
    for line, snippet, (start, first, length) in _four_columns(path):
        if length > 10**7:
            raise DatasetError(f"{at_line(path, line)}: a snippet of {length} frames; restore the list")
        for number in range(length):
            yield line, in_split(snippet, split), f"{first + number:06d}", start + number


def _chosen(path: Path, split: str) -> Iterator[Row]:
    for number, (line, snippet, (_, frame, length)) in enumerate(_four_columns(path), 1):
        if frame >= length:
            raise DatasetError(f"{at_line(path, line)}: frame {frame} of a snippet of {length}; restore the list")
        yield line, in_split(snippet, split), f"{frame:06d}", number


def _grouped(rows: Iterable[Row], path: Path) -> tuple[Snippet, ...]:
    frames: dict[str, dict[str, int]] = {}
    current = ""
    for line, snippet, frame, number in rows:
        if snippet != current and snippet in frames:
            raise DatasetError(f"{at_line(path, line)}: {snippet} begins a second time; keep its frames together")
        current = snippet
        of_snippet = frames.setdefault(snippet, {})
        if frame in of_snippet:
            raise DatasetError(f"{at_line(path, line)}: {snippet}/{frame} is listed twice")
        of_snippet[frame] = number
    if not frames:
        raise DatasetError(f"{path}: lists no frames; restore the list, or remove it to read the folders")
    return tuple(Snippet(name, tuple(found), tuple(found.values())) for name, found in frames.items())


def _from_folders(tree: ImagenetTree, names: Iterable[str]) -> tuple[Snippet, ...]:
    """Return the snippets with the frames that their folders hold, numbered from 1 in this order."""
    snippets, number = [], 1
    for name in names:
        frames = frame_names(tree.annotations / name, ".xml")
        snippets.append(Snippet(name, tuple(frames), tuple(range(number, number + len(frames)))))
        number += len(frames)
    return tuple(snippets)
