"""The sprites that the package carries: all there, clean, and refused when damaged."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from heatprop.errors import InvalidConfigError, SourceError
from heatprop.lab import synthesis
from heatprop.lab.datasets.imagenet_classes import VID_CLASSES
from heatprop.lab.synthesis.sprites import DRAWINGS, Sprite, load_sprites, read_atlas

ATLAS = Path(synthesis.__file__).parent / "atlas"
INDEX = json.loads((ATLAS / "index.json").read_text())


def kind(sprite: Sprite) -> tuple[str, int, str]:
    return sprite.drawing, sprite.label, sprite.name


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_every_drawing_shows_every_class(drawing: str) -> None:
    sprites = load_sprites((drawing,))
    assert {sprite.drawing for sprite in sprites} == {drawing}
    assert {sprite.label for sprite in sprites} == set(range(len(VID_CLASSES)))


def test_the_drawings_show_the_same_things() -> None:
    shown = [[kind(sprite)[1:] for sprite in load_sprites((drawing,))] for drawing in DRAWINGS]
    assert shown[0] == shown[1] == shown[2]
    assert max(Counter(shown[0]).values()) == 1


def test_sprites_are_rgba_with_a_longest_side_of_96_and_cannot_be_written_to() -> None:
    for sprite in load_sprites():
        assert sprite.pixels.dtype == np.uint8
        assert sprite.pixels.shape[2:] == (4,)
        assert 95 <= max(sprite.pixels.shape) <= 96, kind(sprite)
        assert min(sprite.pixels.shape[:2]) >= 24, kind(sprite)
        assert sprite.pixels.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            sprite.pixels[0, 0, 0] = 0


def test_no_sprite_has_a_margin() -> None:
    for sprite in load_sprites():
        visible = sprite.pixels[..., 3] >= 8
        for edge in (visible[0], visible[-1], visible[:, 0], visible[:, -1]):
            assert edge.any(), kind(sprite)


def test_what_is_not_visible_is_zero() -> None:
    for sprite in load_sprites():
        assert not sprite.pixels[sprite.pixels[..., 3] < 8].any(), kind(sprite)


def test_every_sprite_is_an_object_on_a_clear_background() -> None:
    for sprite in load_sprites():
        alpha = sprite.pixels[..., 3]
        assert (alpha == 255).mean() > 0.15, kind(sprite)
        assert (alpha == 0).mean() > 0.005, kind(sprite)
        colours = sprite.pixels[alpha == 255][:, :3] // 32 @ np.array([1, 8, 64])
        assert len(np.unique(colours)) >= 4, f"{kind(sprite)} looks like an empty box"


def test_no_sprite_is_there_twice() -> None:
    digests = Counter(hashlib.sha256(sprite.pixels.tobytes()).hexdigest() for sprite in load_sprites())
    assert max(digests.values()) == 1


def test_channels_are_in_the_order_red_green_blue() -> None:
    sprites = {kind(sprite)[::2]: sprite for sprite in load_sprites()}
    for drawing in DRAWINGS:
        for name, order in {"fox": (0, 1, 2), "dolphin": (2, 1, 0)}.items():
            pixels = sprites[drawing, name].pixels
            means = pixels[pixels[..., 3] == 255][:, :3].mean(axis=0)
            assert tuple(np.argsort(-means)) == order, (drawing, name)


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_sheets_decode_to_the_bytes_that_the_index_promises(drawing: str) -> None:
    entry = INDEX["sheets"][drawing]
    sheet = cv2.imread(str(ATLAS / entry["file"]), cv2.IMREAD_UNCHANGED)
    assert sheet is not None
    assert sheet.shape == (entry["height"], entry["width"], 4)
    assert hashlib.sha256(cv2.cvtColor(sheet, cv2.COLOR_BGRA2RGBA).tobytes()).hexdigest() == entry["sha256"]


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_sprites_do_not_overlap_and_cover_everything_on_the_sheet(drawing: str) -> None:
    entry = INDEX["sheets"][drawing]
    owners = np.zeros((entry["height"], entry["width"]), int)
    for place in (place for place in INDEX["sprites"] if place["drawing"] == drawing):
        x, y = place["x"], place["y"]
        owners[y : y + place["height"], x : x + place["width"]] += 1
    sheet = cv2.imread(str(ATLAS / entry["file"]), cv2.IMREAD_UNCHANGED)
    assert sheet is not None
    assert owners.max() == 1
    assert not sheet[owners == 0].any()


def test_the_order_is_that_of_the_drawings_asked_for_then_of_the_classes() -> None:
    sprites = load_sprites(("fluent", "noto"))
    assert list(dict.fromkeys(sprite.drawing for sprite in sprites)) == ["fluent", "noto"]
    for drawing in ("fluent", "noto"):
        labels = [sprite.label for sprite in sprites if sprite.drawing == drawing]
        assert labels == sorted(labels)
    assert list(map(kind, sprites)) == [
        kind(sprite) for drawing in ("fluent", "noto") for sprite in load_sprites((drawing,))
    ]


def test_sprites_are_read_once() -> None:
    assert load_sprites() is load_sprites()


def test_the_whole_atlas_is_small() -> None:
    assert sum(path.stat().st_size for path in ATLAS.iterdir()) < 2_097_152


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_every_drawing_is_attributed_and_licensed(drawing: str) -> None:
    attribution = (ATLAS / "ATTRIBUTION.md").read_text()
    for file in (f"{drawing}.png", f"{drawing}.LICENSE.txt"):
        assert f"`{file}`" in attribution
        assert (ATLAS / file).is_file()
    assert "Copyright" in (ATLAS / f"{drawing}.LICENSE.txt").read_text()


def test_the_attribution_says_which_classes_are_shown_by_another_animal() -> None:
    attribution = (ATLAS / "ATTRIBUTION.md").read_text()
    assert {kind(sprite)[1:] for sprite in load_sprites() if sprite.name in ("deer", "raccoon")} == {
        (VID_CLASSES.index("antelope"), "deer"),
        (VID_CLASSES.index("red_panda"), "raccoon"),
    }
    assert "| `antelope` | deer |" in attribution
    assert "| `red_panda` | raccoon |" in attribution


@pytest.mark.parametrize("drawings", [("apple",), ("noto", "Fluent"), ("noto", "noto")])
def test_drawings_that_cannot_be_had_are_refused(drawings: tuple[str, ...]) -> None:
    with pytest.raises(InvalidConfigError, match=drawings[-1]):
        load_sprites(drawings)


def break_index(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def write(atlas: Path) -> None:
        index = json.loads((atlas / "index.json").read_text())
        change(index)
        (atlas / "index.json").write_text(json.dumps(index))

    return write


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no index": (lambda atlas: (atlas / "index.json").unlink(), "index.json"),
    "index cut off": (lambda atlas: (atlas / "index.json").write_bytes(b'{"sheets": {'), "atlas"),
    "index is a list": (lambda atlas: (atlas / "index.json").write_bytes(b"[]"), "atlas"),
    "index is no text": (lambda atlas: (atlas / "index.json").write_bytes(b"\xff\xfe"), "atlas"),
    "no sheet": (lambda atlas: (atlas / "noto.png").unlink(), "noto.png"),
    "empty sheet": (lambda atlas: (atlas / "noto.png").write_bytes(b""), "noto.png"),
    "another sheet": (lambda atlas: shutil.copy(atlas / "fluent.png", atlas / "noto.png"), "noto.png"),
    "sheet cut off": (lambda atlas: os.truncate(atlas / "noto.png", 300_000), "noto.png"),
    "no image": (lambda atlas: (atlas / "noto.png").write_bytes(b"<html>"), "noto.png"),
    "drawing missing": (break_index(lambda index: index["sheets"].pop("noto")), "noto"),
    "sprites missing": (break_index(lambda index: index.pop("sprites")), "sprites"),
    "class unknown": (break_index(lambda index: index["sprites"][0].update({"class": "unicorn"})), "unicorn"),
    "place outside": (break_index(lambda index: index["sprites"][0].update(x=1000)), "airplane"),
    "place without size": (break_index(lambda index: index["sprites"][0].update(width=0)), "airplane"),
    "place is no number": (break_index(lambda index: index["sprites"][0].update(x=None)), "atlas"),
    "class missing": (break_index(lambda index: index["sprites"].pop(2)), "antelope"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_installation_is_told_in_one_line(damage: str, tmp_path: Path) -> None:
    atlas = tmp_path / "atlas"
    shutil.copytree(ATLAS, atlas)
    assert list(map(kind, read_atlas(atlas, ("noto",)))) == list(map(kind, load_sprites(("noto",))))
    change, named = DAMAGES[damage]
    change(atlas)
    with pytest.raises(SourceError) as caught:
        read_atlas(atlas, ("noto",))
    message = str(caught.value)
    assert named in message
    assert message.endswith("; install heatprop again")
    assert "\n" not in message
