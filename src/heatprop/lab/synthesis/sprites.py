"""The sprites of the synthetic videos: emoji of the classes of ImageNet VID, in three independent drawings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from heatprop.errors import InvalidConfigError, SourceError
from heatprop.lab.datasets.imagenet_classes import VID_CLASSES

DRAWINGS = ("noto", "twemoji", "fluent")

_ATLAS = Path(__file__).parent / "atlas"


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """An object without background.

    Attributes:
        label: class, an index into `VID_CLASSES`.
        drawing: who drew it, one of `DRAWINGS`.
        name: what it shows within its class, such as ``"small-airplane"``.
        pixels: (height, width, 4) uint8, RGBA with straight alpha, without margin, read-only.
    """

    label: int
    drawing: str
    name: str
    pixels: npt.NDArray[np.uint8]


@cache
def load_sprites(drawings: tuple[str, ...] = DRAWINGS) -> tuple[Sprite, ...]:
    """Return the embedded sprites, drawing after drawing as asked for, each in the order of the classes.

    Every drawing has sprites of every class, of some classes several.

    Raises:
        InvalidConfigError: there is no such drawing, or one is named twice.
        SourceError: the installation is damaged.

    Example:
        >>> sprite = load_sprites(("noto",))[0]
        >>> sprite.label, sprite.name, sprite.pixels.shape[2]
        (0, 'airplane', 4)
    """
    for drawing in drawings:
        if drawing not in DRAWINGS:
            raise InvalidConfigError(f"there is no drawing {drawing!r}; there are {', '.join(DRAWINGS)}")
        if drawings.count(drawing) > 1:
            raise InvalidConfigError(f"the drawing {drawing!r} is named twice; name each once")
    return read_atlas(_ATLAS, drawings)


def read_atlas(folder: Path, drawings: Sequence[str]) -> tuple[Sprite, ...]:
    """Return the sprites of an atlas in `folder`, as `tools/make_sprite_atlas.py` writes it.

    Raises:
        SourceError: a file is missing or damaged, or a drawing lacks a class.
    """
    try:
        index = json.loads((folder / "index.json").read_bytes())
        return tuple(sprite for drawing in drawings for sprite in _read_drawing(folder, index, drawing))
    except OSError as error:
        reason = f"{error.filename} cannot be read: {error.strerror}"
    except KeyError as error:
        reason = f"{folder / 'index.json'} lacks {error}"
    except (ValueError, TypeError) as error:
        reason = f"{folder} is damaged: {error}"
    raise SourceError(f"sprites: {reason}; install heatprop again")


def _read_drawing(folder: Path, index: dict[str, Any], drawing: str) -> list[Sprite]:
    entry = index["sheets"][drawing]
    path = folder / entry["file"]
    content = np.frombuffer(path.read_bytes(), np.uint8)
    sheet = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    shape = (entry["height"], entry["width"], 4)
    if sheet is None or sheet.shape != shape or sheet.dtype != np.uint8:
        raise ValueError(f"{path.name} is no whole image of {shape[1]}x{shape[0]} with alpha")
    labels = {name: label for label, name in enumerate(VID_CLASSES)}
    sprites = []
    for place in (place for place in index["sprites"] if place["drawing"] == drawing):
        x, y, width, height = (int(place[key]) for key in ("x", "y", "width", "height"))
        if not (0 <= x < x + width <= shape[1] and 0 <= y < y + height <= shape[0]):
            raise ValueError(f"{place['name']} lies outside {path.name}")
        pixels = np.array(sheet[y : y + height, x : x + width, [2, 1, 0, 3]], np.uint8, order="C")  # from BGRA
        pixels.flags.writeable = False
        sprites.append(Sprite(labels[place["class"]], drawing, str(place["name"]), pixels))
    if missing := sorted(set(labels.values()) - {sprite.label for sprite in sprites}):
        raise ValueError(f"{path.name} has no {VID_CLASSES[missing[0]]}")
    return sprites
