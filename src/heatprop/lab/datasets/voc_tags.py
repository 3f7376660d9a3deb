"""Tags of an annotation in Pascal VOC XML: each that is read stands once, spelled right, in its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heatprop.lab.datasets.findings import Finding, at_line

if TYPE_CHECKING:
    from lxml import etree

_READ = frozenset(
    {"size", "width", "height", "object", "name", "bndbox", "trackid", "occluded", "generated"}
    | {"xmin", "ymin", "xmax", "ymax"}
)
_BOX_OR_PART = frozenset({"bndbox", "part"})  # a part may have a name and a box of its own: a person's head


class DamageError(Exception):
    """Damage found, `line` lines into the file; None where no line can be named."""

    def __init__(self, kind: str, line: int | None, text: str) -> None:
        super().__init__(text)
        self.kind, self.line, self.text = kind, line, text

    def finding(self, path: Path | str) -> Finding:
        """Return what is to be reported of the file."""
        return Finding(self.kind, at_line(path, self.line) if self.line else str(path), self.text)


def line_of(element: etree._Element) -> int:
    """Return where an element begins in its file, from 1."""
    line: Any = element.sourceline  # the stubs know no type for it
    return int(line or 1)


def parts_of(element: etree._Element) -> dict[str, etree._Element]:
    """Return what stands in an element, by tag.

    Raises:
        DamageError: a tag that is read stands there twice, or in another spelling than read.
    """
    parts: dict[str, etree._Element] = {child.tag: child for child in element}
    if len(parts) < len(element) or not _READ.issuperset(parts):
        _refuse_confused(element)
    return parts


def only_child(element: etree._Element, tag: str) -> etree._Element:
    """Return the one child of this tag.

    Raises:
        DamageError: there is none, or more than one.
    """
    found = element.findall(tag)
    if not found:
        raise DamageError("missing tag", line_of(element), f"<{element.tag}> has no <{tag}>")
    if len(found) > 1:
        raise _twice(found[1])
    return found[0]


def objects_astray(root: etree._Element) -> Iterator[DamageError]:
    """Yield what is wrong with objects and boxes that stand where none are read: ``<objects><object>``."""
    for child in root:
        if child.tag == "object":
            for inner in child:
                if len(inner) and inner.tag not in _BOX_OR_PART:
                    yield from _objects_in(inner)
        elif _plain(child) == "object":
            yield _misspelled(child)
        elif len(child):
            yield from _objects_in(child)


def _objects_in(element: etree._Element) -> Iterator[DamageError]:
    for inner in element.iter():
        if _plain(inner) in {"object", "bndbox"} and (parent := inner.getparent()) is not None:
            if _plain(inner) == "bndbox" and _plain(parent) == "object":
                continue
            text = f"<{inner.tag}> in <{parent.tag}> is not read; objects stand in <annotation>, as <object>"
            yield DamageError("object out of place", line_of(inner), text)


def _plain(element: etree._Element) -> str:
    """Return the tag without a namespace, in small letters."""
    return element.tag.rpartition("}")[2].lower()


def _refuse_confused(element: etree._Element) -> None:
    seen: set[str] = set()
    for child in element:
        tag = _plain(child)
        if tag in _READ:
            if child.tag != tag:
                raise _misspelled(child)
            if tag in seen:
                raise _twice(child)
            seen.add(tag)


def _misspelled(element: etree._Element) -> DamageError:
    text = f"<{element.tag}> is not read; write <{_plain(element)}>"
    return DamageError("tag in another spelling", line_of(element), text)


def _twice(element: etree._Element) -> DamageError:
    parent = element.getparent()
    where = "" if parent is None else f" in <{parent.tag}>"
    return DamageError("tag twice", line_of(element), f"<{element.tag}> stands twice{where}; keep one")
