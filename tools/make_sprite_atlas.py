"""Build the sprites of the synthetic videos: emoji of the 30 classes of ImageNet VID, in three drawings.

The sources are a Debian package (Noto) and two npm packages (Twemoji, Fluent). The result is a PNG sheet a
drawing and index.json, which says where on its sheet each sprite lies. Equal sources give equal bytes.

    python tools/make_sprite_atlas.py                   fetch with npm and apt-get, write into the package
    python tools/make_sprite_atlas.py --sources FOLDER  use the archives in FOLDER; fetch those it lacks
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import lzma
import re
import struct
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import resvg_py
from fontTools.ttLib import TTFont

from heatprop.errors import HeatpropError
from heatprop.io.outputs import OutputFile
from heatprop.lab.datasets.imagenet_classes import VID_CLASSES

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_SOURCES = ROOT / "build/sprite-sources"
DEFAULT_OUTPUT = ROOT / "src/heatprop/lab/synthesis/atlas"

LONGEST_SIDE = 96
MIN_ALPHA = 8  # what is fainter is cut away
SHEET_WIDTH = 1024
RASTERISED_WIDTH = 4 * LONGEST_SIDE
WATER = re.compile(r'<path fill="#55ACEE" d="M0 \d+h36v\d+H0z"/>')  # a band from side to side
FONT_FILE = "usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"

# A line a class: the names of its emoji and their code points, without fe0f, which only asks for the colour form.
_TABLE = """
    airplane: airplane 2708, small-airplane 1f6e9;
    antelope: deer 1f98c;
    bear: bear 1f43b, polar-bear 1f43b-200d-2744;
    bicycle: bicycle 1f6b2;
    bird: bird 1f426, black-bird 1f426-200d-2b1b, eagle 1f985, duck 1f986, dove 1f54a, swan 1f9a2, goose 1fabf,
        owl 1f989, flamingo 1f9a9, peacock 1f99a, parrot 1f99c, penguin 1f427, rooster 1f413, chicken 1f414,
        baby-chick 1f424, front-facing-baby-chick 1f425, turkey 1f983, dodo 1f9a4;
    bus: bus 1f68c, oncoming-bus 1f68d, trolleybus 1f68e, minibus 1f690;
    car: automobile 1f697, oncoming-automobile 1f698, taxi 1f695, oncoming-taxi 1f696,
        sport-utility-vehicle 1f699, police-car 1f693, oncoming-police-car 1f694, racing-car 1f3ce;
    cattle: cow 1f404, ox 1f402, cow-face 1f42e;
    dog: dog 1f415, poodle 1f429, guide-dog 1f9ae, service-dog 1f415-200d-1f9ba, dog-face 1f436;
    domestic_cat: cat 1f408, black-cat 1f408-200d-2b1b, cat-face 1f431;
    elephant: elephant 1f418, mammoth 1f9a3;
    fox: fox 1f98a;
    giant_panda: panda 1f43c;
    hamster: hamster 1f439;
    horse: horse 1f40e, horse-face 1f434;
    lion: lion 1f981;
    lizard: lizard 1f98e;
    monkey: monkey 1f412, monkey-face 1f435, see-no-evil-monkey 1f648, hear-no-evil-monkey 1f649,
        speak-no-evil-monkey 1f64a;
    motorcycle: motorcycle 1f3cd, motor-scooter 1f6f5;
    rabbit: rabbit 1f407, rabbit-face 1f430;
    red_panda: raccoon 1f99d;
    sheep: ewe 1f411, ram 1f40f;
    snake: snake 1f40d;
    squirrel: chipmunk 1f43f;
    tiger: tiger 1f405, tiger-face 1f42f;
    train: locomotive 1f682, railway-car 1f683, high-speed-train 1f684, bullet-train 1f685, train 1f686,
        light-rail 1f688, tram 1f68a, tram-car 1f68b, monorail 1f69d;
    turtle: turtle 1f422;
    watercraft: sailboat 26f5, speedboat 1f6a4, motor-boat 1f6e5, ferry 26f4, ship 1f6a2, passenger-ship 1f6f3,
        canoe 1f6f6;
    whale: whale 1f40b, spouting-whale 1f433, dolphin 1f42c;
    zebra: zebra 1f993
"""
EMOJI: dict[str, dict[str, str]] = {
    label.strip(): dict(entry.split() for entry in emoji.split(","))
    for label, emoji in (line.split(":") for line in _TABLE.split(";"))
}


class AtlasError(Exception):
    """A source is not what this tool was written for; one line says how."""


@dataclass(frozen=True)
class Source:
    """Where a drawing comes from: `sha256` is that of `file`, fetched by `command` into the current folder."""

    drawing: str
    package: str
    file: str
    sha256: str
    command: tuple[str, ...]
    read: Callable[[bytes, Iterable[str]], dict[str, np.ndarray]]


# Readers: each takes the archive and the code points wanted, and returns their images, RGBA.


def read_noto(archive: bytes, wanted: Iterable[str]) -> dict[str, np.ndarray]:
    """Return the bitmaps of the font in the Debian package."""
    font = TTFont(io.BytesIO(read_debian_file(archive, FONT_FILE)))
    characters, (bitmaps, *_) = font.getBestCmap(), font["CBDT"].strikeData
    sequences = {
        (first, *ligature.Component): ligature.LigGlyph
        for lookup in font["GSUB"].table.LookupList.Lookup
        if lookup.LookupType == 4
        for table in lookup.SubTable
        for first, ligatures in table.ligatures.items()
        for ligature in ligatures
    }
    images = {}
    for codes in wanted:
        glyphs = tuple(characters.get(int(code, 16), "") for code in codes.split("-"))
        glyph = glyphs[0] if len(glyphs) == 1 else sequences.get(glyphs, "")
        if glyph in bitmaps:
            images[codes] = decode_image(bitmaps[glyph].imageData)
    return images


def read_debian_file(archive: bytes, path: str) -> bytes:
    """Return one file of a Debian package: an `ar` archive whose member data.tar.xz holds the files."""
    position = 8  # after "!<arch>\n"
    while position + 60 <= len(archive):
        header = archive[position : position + 60]
        start, size = position + 60, int(header[48:58])
        if header[:16].rstrip() == b"data.tar.xz":
            files = read_tar(lzma.decompress(archive[start : start + size]), [f"./{path}"])
            if not files:
                raise AtlasError(f"the Debian package has no {path}")
            return files[f"./{path}"]
        position = start + size + size % 2
    raise AtlasError("the Debian package has no data.tar.xz")


def read_twemoji(archive: bytes, wanted: Iterable[str]) -> dict[str, np.ndarray]:
    """Return the drawings of the npm package, rasterised, its boats without the block of water under them."""
    images = {}
    for codes, content in read_npm_files(archive, "package", "svg", wanted).items():
        svg = WATER.sub("", content.decode())
        png = resvg_py.svg_to_bytes(svg_string=svg, width=RASTERISED_WIDTH, skip_system_fonts=True)
        images[codes] = decode_image(png)
    return images


def read_fluent(archive: bytes, wanted: Iterable[str]) -> dict[str, np.ndarray]:
    """Return the images of the npm package."""
    files = read_npm_files(archive, "package/assets", "webp", wanted)
    return {codes: decode_image(webp) for codes, webp in files.items()}


def read_npm_files(archive: bytes, folder: str, suffix: str, wanted: Iterable[str]) -> dict[str, bytes]:
    """Return the wanted emoji's files; some names end in fe0f, the character that asks for the colour form."""
    names = {f"{folder}/{codes}{form}.{suffix}": codes for codes in wanted for form in ("", "-fe0f")}
    return {names[path]: content for path, content in read_tar(archive, names).items()}


def read_tar(archive: bytes, wanted: Iterable[str]) -> dict[str, bytes]:
    """Return those of the wanted files that the archive has."""
    names = set(wanted)
    with tarfile.open(fileobj=io.BytesIO(archive)) as package:
        members = ((member.name, package.extractfile(member)) for member in package if member.name in names)
        return {name: stream.read() for name, stream in members if stream is not None}


def decode_image(content: bytes) -> np.ndarray:
    """Return a PNG or WebP file as RGBA."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype != np.uint8 or image.shape[2:] != (4,):
        raise AtlasError("an image of the package is damaged or has no transparency")
    return np.ascontiguousarray(image[..., [2, 1, 0, 3]])


SOURCES = (
    Source(
        "noto",
        "fonts-noto-color-emoji=2.042-0+deb12u1",
        "fonts-noto-color-emoji_2.042-0+deb12u1_all.deb",
        "a5ab0f69c7938423862320d9aca5dd187b3fd879d6a9a57dd52e17c3fa8d2751",
        ("apt-get", "download", "--quiet"),
        read_noto,
    ),
    Source(
        "twemoji",
        "@twemoji/svg@15.0.0",
        "twemoji-svg-15.0.0.tgz",
        "1d2907557a422c7c4e3feca50ef915c39da1db3d76b4a4d7e73fb59bce4403c3",
        ("npm", "pack", "--silent"),
        read_twemoji,
    ),
    Source(
        "fluent",
        "@lobehub/fluent-emoji-3d@1.1.0",
        "lobehub-fluent-emoji-3d-1.1.0.tgz",
        "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
        ("npm", "pack", "--silent"),
        read_fluent,
    ),
)


def fetch(source: Source, folder: Path) -> bytes:
    """Return the source's archive from `folder`, after fetching it if it is not there and checking its hash."""
    path = folder / source.file
    if not path.exists():
        command = [*source.command, source.package]
        folder.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        except FileNotFoundError:
            raise AtlasError(
                f"{command[0]} is not installed; install it, or put {source.file} into {folder}"
            ) from None
        except subprocess.CalledProcessError as error:
            reason = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise AtlasError(
                f"{command[0]} could not fetch {source.package}: {reason}; or put {source.file} into {folder}"
            ) from None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AtlasError(f"{path} cannot be read ({error.strerror}); put {source.package} there") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != source.sha256:
        raise AtlasError(
            f"{path}: its sha256 is {digest}; it must be {source.sha256}; delete the file to fetch it again"
        )
    return content


def make_sprite(image: np.ndarray, longest_side: int = LONGEST_SIDE) -> np.ndarray:
    """Return an image (RGBA, straight alpha) without margin, its longest side as given.

    Colours are averaged weighted by their alpha, so none of those of transparent pixels bleeds into the edge.
    """
    image = crop_margin(image)
    alpha = image[..., 3:] / 255.0
    height, width = image.shape[:2]
    scale = longest_side / max(height, width)
    rows = averaging_matrix(height, max(1, round(height * scale)))
    columns = averaging_matrix(width, max(1, round(width * scale)))
    weighted = np.concatenate([image[..., :3] * alpha, alpha], axis=-1)
    weighted = np.einsum("yj,jic,xi->yxc", rows, weighted, columns, optimize=True)
    alpha = weighted[..., 3:]
    colours = weighted[..., :3] / np.maximum(alpha, 1 / 255)
    pixels = np.rint(np.concatenate([colours, 255 * alpha], axis=-1) + 1e-6).clip(0, 255).astype(np.uint8)
    return crop_margin(pixels)


def crop_margin(image: np.ndarray) -> np.ndarray:
    """Return the image from its first to its last row and column that can be seen; the invisible becomes 0."""
    visible = image[..., 3] >= MIN_ALPHA
    if not visible.any():
        raise AtlasError("an image of the package is empty")
    top, bottom = np.flatnonzero(visible.any(axis=1))[[0, -1]]
    left, right = np.flatnonzero(visible.any(axis=0))[[0, -1]]
    return (image * visible[..., None])[top : bottom + 1, left : right + 1]


def averaging_matrix(before: int, after: int) -> np.ndarray:
    """Return the (after, before) matrix that averages `before` pixels over the area of each of `after` pixels."""
    edges = np.arange(after + 1) * before / after
    cells = np.arange(before)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    return overlap.clip(0) / (before / after)


def arrange(sizes: Sequence[tuple[int, int]], width: int) -> list[tuple[int, int]]:
    """Return the (x, y) of each (height, width), in rows from the tallest to the lowest."""
    places = [(0, 0)] * len(sizes)
    x = y = row_height = 0
    for number in sorted(range(len(sizes)), key=lambda each: (-sizes[each][0], -sizes[each][1], each)):
        if x + sizes[number][1] > width:
            x, y, row_height = 0, y + row_height, 0
        places[number] = (x, y)
        x, row_height = x + sizes[number][1], max(row_height, sizes[number][0])
    return places


def encode_png(pixels: np.ndarray) -> bytes:
    """Return RGBA pixels as a PNG file; each row has the filter that leaves the smallest differences."""
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, width * 4).astype(np.int16)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    left, above_left = (np.pad(each, ((0, 0), (4, 0)))[:, :-4] for each in (rows, above))
    to_left, to_above, to_corner = (
        abs(above - above_left),
        abs(left - above_left),
        abs(left + above - 2 * above_left),
    )
    paeth = np.where(
        (to_left <= to_above) & (to_left <= to_corner), left, np.where(to_above <= to_corner, above, above_left)
    )
    guesses = np.stack([np.zeros_like(rows), left, above, (left + above) // 2, paeth])
    filtered = (rows - guesses).astype(np.uint8)
    best = abs(filtered.view(np.int8).astype(np.int32)).sum(axis=2).argmin(axis=0)
    lines = np.empty((height, 1 + width * 4), np.uint8)
    lines[:, 0], lines[:, 1:] = best, filtered[best, np.arange(height)]
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def make_atlas(drawings: dict[str, dict[str, np.ndarray]]) -> dict[str, bytes]:
    """Return the files of the atlas, by name, from the image of each code point in each drawing.

    A drawing may lack an emoji, but not all of a class.
    """
    files: dict[str, bytes] = {}
    sheets: dict[str, dict[str, Any]] = {}
    entries: list[dict[str, Any]] = []
    for drawing, images in drawings.items():
        found = [
            (label, name, codes)
            for label in VID_CLASSES
            for name, codes in EMOJI[label].items()
            if codes in images
        ]
        if missing := [label for label in VID_CLASSES if label not in {label for label, *_ in found}]:
            raise AtlasError(f"the drawing {drawing} has no image of {', '.join(missing)}")
        sprites = [make_sprite(images[codes]) for _, _, codes in found]
        places = arrange([sprite.shape[:2] for sprite in sprites], SHEET_WIDTH)
        height = max(y + sprite.shape[0] for sprite, (_, y) in zip(sprites, places, strict=True))
        sheet = np.zeros((height, SHEET_WIDTH, 4), np.uint8)
        for (label, name, codes), sprite, (x, y) in zip(found, sprites, places, strict=True):
            sheet[y : y + sprite.shape[0], x : x + sprite.shape[1]] = sprite
            size = {"height": sprite.shape[0], "width": sprite.shape[1]}
            entries.append(
                {"drawing": drawing, "class": label, "name": name, "codepoints": codes, "x": x, "y": y, **size}
            )
        digest = hashlib.sha256(sheet.tobytes()).hexdigest()
        sheets[drawing] = {"file": f"{drawing}.png", "height": height, "width": SHEET_WIDTH, "sha256": digest}
        files[f"{drawing}.png"] = encode_png(sheet)
    lines = ",\n".join("    " + json.dumps(entry) for entry in entries)
    files["index.json"] = (
        f'{{\n  "sheets": {json.dumps(sheets, indent=4)},\n  "sprites": [\n{lines}\n  ]\n}}\n'.encode()
    )
    return files


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Build the sprites of the synthetic videos from their sources.")
    parser.add_argument("--sources", type=Path, default=DEFAULT_SOURCES, help="folder of the sources' archives")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="folder to write the atlas into")
    options = parser.parse_args(arguments)
    wanted = [codes for emoji in EMOJI.values() for codes in emoji.values()]
    try:
        drawings = {}
        for source in SOURCES:
            drawings[source.drawing] = source.read(fetch(source, options.sources), wanted)
            print(f"{source.drawing}: {len(drawings[source.drawing])} emoji of {source.package}")
        files = make_atlas(drawings)
        options.output.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            output = OutputFile(options.output / name, overwrite=True)
            output.partial.write_bytes(content)
            output.commit()
            print(f"{options.output / name}: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")
    except (AtlasError, HeatpropError) as error:
        print(f"make_sprite_atlas: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"make_sprite_atlas: {error.filename}: {error.strerror}; choose another folder", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
