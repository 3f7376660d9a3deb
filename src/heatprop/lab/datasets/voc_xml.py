"""One annotation of ImageNet VID or DET: the Pascal VOC XML of one image, read without trust."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from heatprop.io.regular_files import open_regular
from heatprop.lab.datasets.annotations import Box, DatasetError
from heatprop.lab.datasets.doubtful_boxes import SeenBoxes, doubts
from heatprop.lab.datasets.findings import Finding, Report, at_line, refuse
from heatprop.lab.datasets.voc_tags import DamageError, line_of, objects_astray, only_child, parts_of

if TYPE_CHECKING:
    from lxml import etree

_LONGEST = 1 << 24  # bytes; those of ImageNet have thousands
_LIMIT = 2**53
_NO_DOCTYPE = "a DOCTYPE is not allowed, for it can define entities; take it out"


@dataclass(frozen=True, slots=True)
class AnnotatedObject:
    """One object of an image.

    Attributes:
        label: class number, from 0.
        box: (x1, y1, x2, y2) in pixels, exactly as the file says.
        track: the same number is the same object within a video; -1 where the file says nothing.
        occluded: False where the file says nothing.
        generated: interpolated by a machine; False where the file says nothing.
        line: where it begins in the file, from 1.
    """

    label: int
    box: Box
    track: int
    occluded: bool
    generated: bool
    line: int


@dataclass(frozen=True, slots=True)
class Annotation:
    """What one file says: width and height of the image in pixels, and its objects in the file's order."""

    width: int
    height: int
    objects: tuple[AnnotatedObject, ...]


def read_annotation(
    path: Path, labels: Mapping[str, int], *, skip_others: bool = False, report: Report = refuse
) -> Annotation | None:
    """Read an annotation file; the arguments and errors are those of `parse_annotation`.

    Raises:
        DatasetError: moreover, the file is missing or cannot be read.
    """
    try:
        with open_regular(path) as file:
            data = file.read(_LONGEST + 1) if os.fstat(file.fileno()).st_size > _LONGEST else file.read()
    except OSError as error:
        kind = "missing annotation" if isinstance(error, FileNotFoundError) else "unreadable annotation"
        report(Finding(kind, str(path), f"cannot be read ({error.strerror}); restore the file"))
        return None
    return parse_annotation(data, path, labels, skip_others=skip_others, report=report)


def parse_annotation(
    data: bytes, path: Path | str, labels: Mapping[str, int], *, skip_others: bool = False, report: Report = refuse
) -> Annotation | None:
    """Return what the bytes of an annotation file say.

    Nothing is fetched or expanded: a DOCTYPE, and so every entity, is refused. A box may reach beyond the
    image, as some of ImageNet's do; that is reported but no damage.

    Args:
        data: content of the file.
        path: name of the file, for messages.
        labels: class number of each name (WordNet id) that objects may have.
        skip_others: pass over objects of other names, instead of reporting them as unknown classes.
        report: takes each finding; default: the first that is damage is raised. Where it returns, the object
            is skipped, or, when nothing of the file can be used, None is returned.

    Raises:
        DatasetError: by `report`: the file is cut off or no annotation, a tag is missing, stands twice or is
            misspelled, an object is out of place, a number is none or not finite, a box is inverted, or a class is
            unknown. Or lxml is not installed.

    Example:
        >>> text = b"<annotation><size><width>8</width><height>6</height></size></annotation>"
        >>> parse_annotation(text, "000000.xml", {})
        Annotation(width=8, height=6, objects=())
    """
    try:
        root = _parse(data)
        width, height = _size(root)
    except DamageError as fault:
        report(fault.finding(path))
        return None
    for astray in objects_astray(root):
        report(astray.finding(path))
    objects = []
    seen = SeenBoxes()
    for element in root.iterchildren("object"):
        try:
            found = _object(element, labels, skip_others)
        except DamageError as fault:
            report(fault.finding(path))
            continue
        if found is None:
            continue
        objects.append(found)
        place = at_line(path, found.line)
        for kind, text in doubts(found.box, width, height):  # pixels may count from 0 or from 1
            report(Finding(kind, place, text, is_damage=False))
        twice = seen.finding(0, found.label, found.box, place, f"the one in line {found.line}")
        if twice is not None:
            report(twice)
    return Annotation(width, height, tuple(objects))


@cache
def _lxml() -> tuple[ModuleType, etree.XMLParser]:
    try:
        from lxml import etree  # noqa: PLC0415
    except ImportError:
        raise DatasetError("annotations in XML need lxml; install it: pip install 'heatprop[evaluate]'") from None
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, dtd_validation=False, no_network=True, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    return etree, parser


def _parse(data: bytes) -> etree._Element:
    lxml, parser = _lxml()
    if len(data) > _LONGEST:
        text = f"is larger than {_LONGEST >> 20} MB, an annotation has a few kB; restore the file"
        raise DamageError("damaged annotation", None, text)
    if not data.strip():
        raise DamageError("damaged annotation", None, "is empty; restore the file")
    doctype = data.find(b"<!DOCTYPE")
    if doctype >= 0:
        raise DamageError("forbidden XML", data.count(b"\n", 0, doctype) + 1, _NO_DOCTYPE)
    try:
        root: etree._Element = lxml.fromstring(data, parser)
    except lxml.XMLSyntaxError as error:
        what = str(error.msg).split(", line ")[0]
        raise DamageError(
            "damaged annotation", error.lineno, f"is not whole XML ({what}); restore the file"
        ) from None
    if root.getroottree().docinfo.internalDTD is not None:  # in an encoding that hides it from the search above
        raise DamageError("forbidden XML", None, _NO_DOCTYPE)
    if root.tag != "annotation":
        raise DamageError("damaged annotation", line_of(root), f"holds <{root.tag}>, not <annotation>")
    return root


def _number(element: etree._Element) -> float:
    text = element.text or ""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if len(element):
        text = f"{element.tag} holds <{element[0].tag}>; it must be a number and nothing else"
        raise DamageError("bad number", line_of(element), text)
    if not abs(value) <= _LIMIT or "_" in text:
        raise DamageError(
            "bad number",
            line_of(element),
            f"{element.tag} is {text!r:.40}; it must be a finite number, at most 2^53",
        )
    return value


def _whole(element: etree._Element) -> int:
    value = _number(element)
    if not value.is_integer():
        raise DamageError("bad number", line_of(element), f"{element.tag} is {value:g}; it must be a whole number")
    return int(value)


def _size(root: etree._Element) -> tuple[int, int]:
    size = only_child(root, "size")
    width, height = _whole(only_child(size, "width")), _whole(only_child(size, "height"))
    if width < 1 or height < 1:
        raise DamageError("bad number", line_of(size), f"the image is {width}x{height}; sides are at least 1")
    return width, height


def _object(element: etree._Element, labels: Mapping[str, int], skip_others: bool) -> AnnotatedObject | None:
    parts = parts_of(element)
    name = parts.get("name")
    if name is None or "bndbox" not in parts:
        raise DamageError(
            "missing tag", line_of(element), f"<object> has no <{'name' if name is None else 'bndbox'}>"
        )
    wnid = (name.text or "").strip()
    label = labels.get(wnid)
    if label is None:
        if skip_others:
            return None
        raise DamageError("unknown class", line_of(name), f"class {wnid!r:.40} is none of the {len(labels)} known")
    return AnnotatedObject(
        label,
        _box(parts["bndbox"]),
        -1 if (track := parts.get("trackid")) is None else _whole(track),
        (flag := parts.get("occluded")) is not None and _whole(flag) != 0,
        (flag := parts.get("generated")) is not None and _whole(flag) != 0,
        line_of(element),
    )


def _box(element: etree._Element) -> Box:
    parts = parts_of(element)
    try:
        xmin, ymin, xmax, ymax = (_number(parts[side]) for side in ("xmin", "ymin", "xmax", "ymax"))
    except KeyError as error:
        raise DamageError("missing tag", line_of(element), f"<bndbox> has no <{error.args[0]}>") from None
    if xmax < xmin or ymax < ymin:
        text = f"box is inverted: x from {xmin:g} to {xmax:g}, y from {ymin:g} to {ymax:g}"
        raise DamageError("inverted box", line_of(element), text)
    return xmin, ymin, xmax, ymax
