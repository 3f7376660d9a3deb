"""Names of classes: as exporters write them into metadata, those of COCO, and those that nobody named."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence

from heatprop.errors import LayoutError, shortened

_COCO_BY_ID = (
    "person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant - stop_sign "
    "parking_meter bench bird cat dog horse sheep cow elephant bear zebra giraffe - backpack umbrella - - handbag "
    "tie suitcase frisbee skis snowboard sports_ball kite baseball_bat baseball_glove skateboard surfboard "
    "tennis_racket bottle - wine_glass cup fork knife spoon bowl banana apple sandwich orange broccoli carrot "
    "hot_dog pizza donut cake chair couch potted_plant bed - dining_table - - toilet - tv laptop mouse remote "
    "keyboard cell_phone microwave oven toaster sink refrigerator - book clock vase scissors teddy_bear "
    "hair_drier toothbrush"
)
_BY_ID = ("background", *(name.replace("_", " ") for name in _COCO_BY_ID.split()))
COCO_91 = tuple(f"class {number}" if name == "-" else name for number, name in enumerate(_BY_ID))
"""By COCO's category numbers, 0 to 90; those that name nothing are called by their number."""
COCO_80 = tuple(name for name in _BY_ID[1:] if name != "-")
_LONGEST = 1 << 20


def default_names(classes: int) -> tuple[str, ...]:
    """Return COCO's names where their number says so, else "class 0" and so on.

    >>> default_names(80)[2], default_names(90)[2], default_names(91)[3], default_names(2)
    ('car', 'car', 'car', ('class 0', 'class 1'))
    """
    known = {len(each): each for each in (COCO_80, COCO_91[1:], COCO_91)}
    return known.get(classes) or tuple(f"class {number}" for number in range(classes))


def names_in_metadata(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the names of the classes that an exporter wrote; None where it wrote none that can be read.

    Known are a dictionary or a list, as Python or JSON writes it, below ``names``, ``class_names``, ``classes`` or
    ``labels``; lines or a list with commas; and OpenVINO's ``labels``, where underscores stand for spaces.

    >>> names_in_metadata({"names": "{0: 'car', 1: 'traffic light'}"})
    ('car', 'traffic light')
    >>> names_in_metadata({"labels": "car traffic_light"})
    ('car', 'traffic light')
    """
    for key in ("names", "class_names", "classes", "labels"):
        text = metadata.get(key, "").strip()
        if text and len(text) <= _LONGEST:
            names = _named(_parsed(text))
            if names:
                return names
    return None


def _parsed(text: str) -> object:
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    for separator in ("\n", ","):
        if separator in text:
            return text.split(separator)
    return [word.replace("_", " ") for word in text.split()]


def _named(value: object) -> tuple[str, ...] | None:
    if isinstance(value, dict):
        try:
            by_number = {int(key): name for key, name in value.items()}
        except (TypeError, ValueError):
            return None
        if sorted(by_number) != list(range(len(by_number))):
            return None
        value = [by_number[number] for number in range(len(by_number))]
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        return None
    return distinct([" ".join(each.split()) or f"class {number}" for number, each in enumerate(value)])


def distinct(names: list[str]) -> tuple[str, ...]:
    """Return names each of which is there once; one that was there before gets its number.

    >>> distinct(["car", "dog", "car"])
    ('car', 'dog', 'car 2')
    """
    seen: set[str] = set()
    renamed = []
    for number, name in enumerate(names):
        shown = name if name not in seen else f"{name} {number}"
        seen.add(shown)
        renamed.append(shown)
    return tuple(renamed)


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return names that a person gave for the classes.

    Raises:
        LayoutError: there are none, or one is empty, of several lines, or there twice.
    """
    if isinstance(names, str) or not names:
        raise LayoutError(f"class names are {names!r}; give a list of names, one for each class")
    for name in names:
        if not isinstance(name, str) or not name.strip() or "\n" in name or list(names).count(name) > 1:
            raise LayoutError(
                f"class name {shortened(repr(name))} is empty, of several lines or there twice; "
                "name each class once, on a line"
            )
    return tuple(names)


def names_given(count: int) -> str:
    """Say how many names a person gave, at the beginning of a message.

    >>> names_given(1)
    'there is 1 class name'
    """
    return f"there is {count} class name" if count == 1 else f"there are {count} class names"
