"""The maker of the sprites, on made images and on its real sources.

HEATPROP_SPRITE_SOURCES names a folder with the three packages, else npm and apt-get fetch them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import itertools
import json
import lzma
import os
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatprop.lab import synthesis
from heatprop.lab.datasets.imagenet_classes import VID_CLASSES
from heatprop.lab.synthesis.sprites import DRAWINGS, read_atlas

TOOL = Path(__file__).parents[2] / "tools" / "make_sprite_atlas.py"
ATLAS = Path(synthesis.__file__).parent / "atlas"


def load_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_sprite_atlas", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


tool = load_tool()


def made_image(seed: int, height: int = 20, width: int = 30) -> np.ndarray:
    """Return noise with a transparent margin of 3 pixels."""
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    inside = np.zeros((height, width, 1), np.uint8)
    inside[3:-3, 3:-3] = 1
    image[3:-3, 3:-3, 3] |= 128
    return np.asarray(image * inside)


def made_drawings() -> dict[str, dict[str, np.ndarray]]:
    codes = [next(iter(tool.EMOJI[label].values())) for label in VID_CLASSES] + ["1f6e9"]
    return {
        drawing: {code: made_image(100 * number + seed) for seed, code in enumerate(codes)}
        for number, drawing in enumerate(DRAWINGS)
    }


# The real sources


def test_the_real_sources_give_the_shipped_files_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given_folder = os.environ.get("HEATPROP_SPRITE_SOURCES")
    sources = Path(given_folder) if given_folder else tmp_path / "sources"
    if not given_folder:
        try:
            for source in tool.SOURCES:
                tool.fetch(source, sources)
        except tool.AtlasError as error:
            pytest.skip(f"a source package cannot be had, and HEATPROP_SPRITE_SOURCES names no folder: {error}")
    output = tmp_path / "atlas"
    assert tool.main(["--sources", str(sources), "--output", str(output)]) == 0
    for path in output.iterdir():
        assert path.read_bytes() == (ATLAS / path.name).read_bytes(), path.name
    assert {path.name for path in output.iterdir()} == {"index.json", *(f"{drawing}.png" for drawing in DRAWINGS)}
    printed = capsys.readouterr().out
    for source in tool.SOURCES:
        assert source.package in printed
    assert hashlib.sha256((ATLAS / "index.json").read_bytes()).hexdigest() in printed


def test_without_arguments_the_embedded_files_are_built() -> None:
    assert ATLAS.resolve() == tool.DEFAULT_OUTPUT


def test_the_attribution_quotes_every_source() -> None:
    attribution = (ATLAS / "ATTRIBUTION.md").read_text()
    for source in tool.SOURCES:
        assert source.sha256 in attribution
        assert source.file in attribution
        assert f"`{source.drawing}.png`" in attribution


def test_emoji_are_named_once_and_belong_to_one_class() -> None:
    assert tuple(tool.EMOJI) == VID_CLASSES
    names = [name for emoji in tool.EMOJI.values() for name in emoji]
    codes = [code for emoji in tool.EMOJI.values() for code in emoji.values()]
    assert len(set(names)) == len(names)
    assert len(set(codes)) == len(codes)


# The atlas


def test_an_atlas_gives_the_sprites_back(tmp_path: Path) -> None:
    drawings = made_drawings()
    for name, content in tool.make_atlas(drawings).items():
        (tmp_path / name).write_bytes(content)
    sprites = read_atlas(tmp_path, DRAWINGS)
    assert len(sprites) == 3 * 31
    for sprite in sprites:
        codes = tool.EMOJI[VID_CLASSES[sprite.label]][sprite.name]
        np.testing.assert_array_equal(sprite.pixels, tool.make_sprite(drawings[sprite.drawing][codes]))


def test_two_atlases_of_the_same_images_are_the_same_bytes() -> None:
    shuffled = {drawing: dict(reversed(images.items())) for drawing, images in made_drawings().items()}
    assert tool.make_atlas(made_drawings()) == tool.make_atlas(shuffled)


def test_the_index_is_one_line_a_sprite() -> None:
    lines = tool.make_atlas(made_drawings())["index.json"].decode().splitlines()
    entries = [json.loads(line.rstrip(",")) for line in lines if '"codepoints"' in line]
    assert len(entries) == 3 * 31
    assert {
        "drawing": "noto",
        "class": "airplane",
        "name": "small-airplane",
        "codepoints": "1f6e9",
    }.items() <= entries[1].items()


def test_a_drawing_without_a_class_is_refused() -> None:
    drawings = made_drawings()
    del drawings["twemoji"]["1f993"], drawings["twemoji"]["1f98c"]
    with pytest.raises(tool.AtlasError, match="drawing twemoji has no image of antelope, zebra"):
        tool.make_atlas(drawings)


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=1, max_size=30), st.integers(20, 60))
def test_places_do_not_overlap_and_stay_inside(sizes: list[tuple[int, int]], sheet_width: int) -> None:
    places = tool.arrange(sizes, sheet_width)
    owners = np.zeros((20 * len(sizes), sheet_width), int)
    for (height, width), (x, y) in zip(sizes, places, strict=True):
        assert 0 <= x <= sheet_width - width
        owners[y : y + height, x : x + width] += 1
    assert owners.max() == 1
    assert owners.sum() == sum(height * width for height, width in sizes)


# A sprite


@given(st.integers(1, 40), st.integers(1, 40))
def test_averaging_equals_the_mean_of_a_finely_divided_row(before: int, after: int) -> None:
    values = np.random.default_rng(before).random(before)
    slow = np.repeat(values, after).reshape(after, before).mean(axis=1)
    np.testing.assert_allclose(tool.averaging_matrix(before, after) @ values, slow, atol=1e-12)


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(8, 30), st.integers(8, 30), st.integers(1, 24))
def test_a_sprite_equals_slow_averaging(seed: int, height: int, width: int, side: int) -> None:
    image = made_image(seed, height, width)
    inside = image[3:-3, 3:-3].astype(float)
    scale = side / max(inside.shape[:2])
    wanted = [max(1, round(length * scale)) for length in inside.shape[:2]]
    fine = inside.repeat(wanted[0], axis=0).repeat(wanted[1], axis=1)
    sprite = tool.make_sprite(image, side)
    assert sprite.shape == (*wanted, 4)
    for row, column in itertools.product(*map(range, wanted)):
        rows, columns = inside.shape[:2]
        block = fine[row * rows : (row + 1) * rows, column * columns : (column + 1) * columns].reshape(-1, 4)
        alpha = block[:, 3]
        expected = [*(np.average(block[:, channel], weights=alpha) for channel in range(3)), alpha.mean()]
        assert abs(sprite[row, column] - np.array(expected)).max() <= 0.5 + 1e-5


def test_the_colour_of_transparent_pixels_does_not_bleed() -> None:
    image = np.full((40, 40, 4), (0, 255, 0, 0), np.uint8)
    image[7:33, 7:33] = (200, 10, 30, 255)
    image[20, 7:33, 3] = 128
    sprite = tool.make_sprite(image, 11)
    assert sprite.shape == (11, 11, 4)
    assert (sprite[..., :3] == (200, 10, 30)).all()
    assert sprite[..., 3].min() < 255


def test_what_can_hardly_be_seen_is_cut_away() -> None:
    image = np.zeros((9, 9, 4), np.uint8)
    image[1:8, 1:8] = (50, 60, 70, 7)
    image[2:6, 3:7] = (90, 80, 70, 8)
    cropped = tool.crop_margin(image)
    assert cropped.shape == (4, 4, 4)
    assert (cropped == (90, 80, 70, 8)).all()
    with pytest.raises(tool.AtlasError, match="empty"):
        tool.crop_margin(image[:2])


# Files


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 1000), st.sampled_from([(), (0,), (1,), (0, 1)]))
def test_an_encoded_png_decodes_to_the_same_pixels(
    height: int, width: int, seed: int, smooth: tuple[int, ...]
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    for axis in smooth:  # so that every filter of PNG has rows it fits best
        pixels = np.cumsum(pixels // 64, axis=axis, dtype=np.uint8)
    decoded = cv2.imdecode(np.frombuffer(tool.encode_png(pixels), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decoded[..., [2, 1, 0, 3]], pixels)
    np.testing.assert_array_equal(tool.decode_image(tool.encode_png(pixels)), pixels)


def packed(files: dict[str, bytes], mode: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def test_a_file_is_found_in_a_debian_package() -> None:
    data = lzma.compress(packed({"./usr/share/a": b"A", "./usr/share/b": b"B"}, "w:"))
    debian = b"!<arch>\n"
    for name, content in {"debian-binary": b"2.0", "control.tar.xz": b"odd", "data.tar.xz": data}.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n"
        debian += header.encode() + content + b"\n" * (len(content) % 2)
    assert tool.read_debian_file(debian, "usr/share/b") == b"B"
    with pytest.raises(tool.AtlasError, match=r"data\.tar\.xz"):
        tool.read_debian_file(debian[:140], "usr/share/b")
    with pytest.raises(tool.AtlasError, match="usr/share/c"):
        tool.read_debian_file(debian, "usr/share/c")


def test_twemoji_is_rasterised_and_its_boats_lose_the_water() -> None:
    circle = '<circle cx="18" cy="18" r="9" fill="#f00"/>'
    water = '<path fill="#55ACEE" d="M0 24h36v12H0z"/>'
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 36 36">{}</svg>'
    archive = packed(
        {
            "package/26f5.svg": svg.format(circle + water).encode(),
            "package/1f43b-200d-2744-fe0f.svg": svg.format(circle).encode(),
            "package/1f9ff.svg": b"nothing we want",
        },
        "w:gz",
    )
    images = tool.read_twemoji(archive, ["26f5", "1f43b-200d-2744", "1f6e9"])
    assert sorted(images) == ["1f43b-200d-2744", "26f5"]
    boat = images["26f5"]
    np.testing.assert_array_equal(boat, images["1f43b-200d-2744"])
    middle, side = boat.shape[0] // 2, boat.shape[1]
    assert tuple(boat[middle, middle]) == (255, 0, 0, 255)
    assert boat[middle, [0, side // 5, side - 1], 3].max() == 0
    assert boat[..., 3].mean() / 255 == pytest.approx(np.pi / 16, rel=0.01)


def test_an_image_without_transparency_is_refused() -> None:
    encoded = cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()
    for content in (encoded, b"no image"):
        with pytest.raises(tool.AtlasError, match="no transparency"):
            tool.decode_image(content)


# Errors


def one_line_error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert tool.main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("make_sprite_atlas: ")
    assert error.count("\n") == 1
    return error


def test_a_package_of_another_version_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noto = tool.SOURCES[0]
    (tmp_path / noto.file).write_bytes(b"another version")
    error = one_line_error(capsys, "--sources", str(tmp_path), "--output", str(tmp_path / "atlas"))
    assert noto.file in error
    assert noto.sha256 in error
    assert not (tmp_path / "atlas").exists()


def test_a_missing_client_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = one_line_error(capsys, "--sources", str(tmp_path / "new"), "--output", str(tmp_path / "atlas"))
    assert "apt-get is not installed" in error
    assert tool.SOURCES[0].file in error


def test_a_client_that_fails_gives_its_last_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = tmp_path / "apt-get"
    client.write_text("#!/bin/sh\necho 'first line' >&2\necho \"E: no $3\" >&2\nexit 100\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    error = one_line_error(capsys, "--sources", str(tmp_path / "new"), "--output", str(tmp_path / "atlas"))
    assert f"could not fetch {tool.SOURCES[0].package}: E: no {tool.SOURCES[0].package}; or put" in error


def test_a_client_that_leaves_nothing_is_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = tmp_path / "apt-get"
    client.write_text("#!/bin/sh\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert tool.SOURCES[0].file in one_line_error(capsys, "--sources", str(tmp_path / "new"))


def test_a_folder_that_is_a_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taken").write_text("")
    error = one_line_error(capsys, "--sources", str(tmp_path / "taken/sources"))
    assert str(tmp_path / "taken") in error
