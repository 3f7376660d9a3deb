"""Entries of a COCO file, whose fields are checked before they are used."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heatprop.lab.datasets.annotations import DatasetError, leads_out

_SINGULAR = {"images": "image", "videos": "video", "annotations": "annotation", "categories": "category"}
_LARGEST = 2**63 - 1
_LARGEST_FLOAT = 2.0**53


def as_whole(value: object) -> int | None:
    """Return a whole number that may be written as 640 or, as tools built on pandas do, as 640.0; else None.

    Texts and truth values are none, nor are numbers beyond 64 bits.

    Example:
        >>> [as_whole(value) for value in (640, 640.0, 640.5, "640", True, float("nan"))]
        [640, 640, None, None, None, None]
    """
    if isinstance(value, float) and abs(value) <= _LARGEST_FLOAT and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST:
        return None
    return value


class RepeatingObject(dict[str, Any]):
    """An object of JSON in which a name stands twice; it holds the last value of each, as Python reads it.

    Attributes:
        repeated: the names that stand there more than once.
    """

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated = tuple(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)


def object_of(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; which names are repeated is known of it. An ``object_pairs_hook``.

    Example:
        >>> import json
        >>> json.loads('{"a": 1, "b": 2, "a": 3}', object_pairs_hook=object_of).repeated
        ('a',)
    """
    found = dict(pairs)
    return found if len(found) == len(pairs) else RepeatingObject(pairs)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One object of a list in the file.

    Attributes:
        id: its ``id``; of an entry without one, its place in the list.
        fields: what stands in it.
        place: how a message names it, such as ``a.json, annotation 17``.
    """

    id: int
    fields: Mapping[str, Any]
    place: str

    def wrong(self, text: str) -> DatasetError:
        """Return the error that says what is wrong with it."""
        return DatasetError(f"{self.place}: {text}")

    def require_each_once(self) -> None:
        """Check that no name stands twice in it.

        Raises:
            DatasetError: one does; which of its values is meant cannot be known.
        """
        if isinstance(self.fields, RepeatingObject):
            raise self.wrong(f"{self.fields.repeated[0]!r:.60} stands twice in it; keep one")

    def whole(self, name: str, default: int | None = None) -> int:
        """Return a whole number, also where it is written as 640.0; null counts as missing.

        Raises:
            DatasetError: it is none, or is missing and has no default.
        """
        value = self.fields.get(name)
        if value is None and default is not None:
            return default
        number = as_whole(value)
        if number is None:
            raise self.wrong(f"{name} is {value!r:.60}; it must be a whole number")
        return number

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text that is not empty.

        Raises:
            DatasetError: it is none, or is missing and has no default.
        """
        value = self.fields.get(name, default)
        if not isinstance(value, str) or not value or "\0" in value:
            raise self.wrong(f"{name} is {value!r:.60}; it must be a text")
        return value

    def flag(self, name: str) -> bool:
        """Return a truth value, which may be written 0 or 1; False when missing.

        Raises:
            DatasetError: it is another thing.
        """
        value = self.fields.get(name)
        if value is None:
            return False
        if not isinstance(value, bool) and as_whole(value) is None:
            raise self.wrong(f"{name} is {value!r:.60}; it must be 0 or 1")
        return bool(value)

    def inner_path(self, name: str) -> str:
        """Return the path of a file below the folder of the dataset.

        Raises:
            DatasetError: it is no text, or leads out of the folder.
        """
        value = self.text(name)
        if leads_out(value):
            raise self.wrong(
                f"{name} is {value!r:.60}, which leads out of the dataset; give a path below its folder"
            )
        return value

    def numbers(self, name: str, count: int) -> tuple[float, ...]:
        """Return that many finite numbers.

        Raises:
            DatasetError: they are not.
        """
        value = self.fields.get(name)
        if (
            not isinstance(value, list)
            or len(value) != count
            or any(isinstance(one, bool) or not isinstance(one, (int, float)) for one in value)
            or any(abs(one) > _LARGEST or not math.isfinite(one) for one in value)
        ):
            raise self.wrong(f"{name} is {value!r:.60}; it must be {count} finite numbers")
        return tuple(float(one) for one in value)


@dataclass(frozen=True, slots=True)
class Entries:
    """A list of the file, entry by entry.

    Args:
        content: the object in the file.
        name: "images", "videos", "annotations" or "categories".
        path: the file.
        required: whether the list must be there.

    Raises:
        DatasetError: while iterating: the list is missing, is there twice, is no list, or an entry is no object.
    """

    content: Mapping[str, Any]
    name: str
    path: Path
    required: bool = True

    def __iter__(self) -> Iterator[Entry]:
        if isinstance(self.content, RepeatingObject) and self.name in self.content.repeated:
            raise DatasetError(f"{self.path}: its list {self.name!r} stands there twice; keep one, or join them")
        values = self.content.get(self.name, None if self.required else [])
        if not isinstance(values, list):
            what = "is missing" if values is None else f"is a {type(values).__name__}"
            raise DatasetError(f"{self.path}: its list {self.name!r} {what}; CocoVID needs it")
        singular = _SINGULAR[self.name]
        for position, fields in enumerate(values):
            if not isinstance(fields, dict):
                raise DatasetError(f"{self.path}: {self.name}[{position}] is {fields!r:.60}; it must be an object")
            number = as_whole(fields.get("id"))
            if number is None:
                yield Entry(position, fields, f"{self.path}, {self.name}[{position}]")
            else:
                yield Entry(number, fields, f"{self.path}, {singular} {number}")


def table_of(entries: Entries) -> dict[int, Entry]:
    """Return the entries by their id.

    Raises:
        DatasetError: one has no id, or the id of another, or a name twice.
    """
    table: dict[int, Entry] = {}
    for entry in entries:
        entry.require_each_once()
        number = entry.whole("id")
        if number in table:
            raise entry.wrong("its id stands there twice; ids must differ")
        table[number] = entry
    return table
