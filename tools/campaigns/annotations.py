"""Altered annotations, images and detections through `dataset check`, `evaluate` and `score`."""

from __future__ import annotations

import copy
import importlib
import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from campaigns.forked import run_forked
from campaigns.outcomes import Ended, Tally

_WIDTH, _HEIGHT = 96, 64
_FRAMES = 3
_CLASSES = ({"id": 1, "name": "horse"}, {"id": 2, "name": "dog"})
_WNIDS = ("n02374451", "n02084071")
# What stands in the place of a value.
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 1.0, 0.5, 1e300, 10**30, 2**63, float("nan"), float("inf"), -0.0, "", "1"),
    *("../0.jpg", "/etc/hostname", "..\\0.jpg", "a\0b", "ä" * 300, [], {}, [[]], [1, 2, 3, 4], {"id": 1}, "horse"),
)
_WORDS = (b"", b"nan", b"-5", b"1e999", b"99999", b"0", b"n02084071", b"../../x", b"&a;", b"<x>", b"\xff", b"1.0")
# Damage of which `evaluate` knows nothing, for it uses neither.
_ONLY_CHECKED = frozenset({"size of the picture", "snippet without annotations", "picture without annotation"})


def run(runs: int, seed: int, folder: Path) -> Tally:
    """Check, and detect in or score, `runs` datasets that are altered."""
    for module in ("dataset", "evaluate", "score"):
        importlib.import_module(f"heatprop.cli.{module}")
    draw = random.Random(seed)
    tally = Tally("annotations")
    for number in range(runs):
        kind = draw.choice(list(_KINDS))
        place = folder / f"{number}-{kind}"
        place.mkdir()
        outcome, fault, example = _KINDS[kind](place, draw)
        tally.count(outcome, fault, f"{place.name}: {example}")
        if fault is None:
            shutil.rmtree(place)
    return tally


Result = tuple[str, str | None, str]


def _coco(place: Path, draw: random.Random) -> Result:
    """Alter CocoVID, plain COCO, or an image of it."""
    write_coco(place, draw.random() < 0.5)
    path = place / "annotations.json"
    if draw.random() < 0.2:
        _alter_bytes(draw.choice([path, *place.glob("*.jpg")]), draw)
    else:
        content = json.loads(path.read_text())
        for _ in range(draw.choice((1, 1, 1, 2, 5))):
            alter_json(content, draw)
        path.write_text(json.dumps(content))
    return _checked_and_evaluated(place, "coco-video")


def _xml(place: Path, draw: random.Random) -> Result:
    """Alter the XML of ImageNet VID, a list, or an image."""
    write_vid(place, with_list=draw.random() < 0.5)
    path = draw.choice([one for one in sorted(place.rglob("*")) if one.is_file()])
    if draw.random() < 0.4 or path.suffix == ".JPEG":
        _alter_bytes(path, draw)
    elif draw.random() < 0.1:
        path.unlink()
    else:
        _alter_words(path, draw)
    return _checked_and_evaluated(place, "imagenet-vid")


def _detections(place: Path, draw: random.Random) -> Result:
    """Alter a file of detections in one of its forms."""
    write_coco(place, with_videos=True)
    path, form = place / "found", draw.choice(("text", "lines", "list", "wrapped"))
    entries: list[Any] = [
        {"image_id": number, "category_id": 1, "score": 0.5, "bbox": [10, 10, 30, 20]}
        for number in range(1, _FRAMES + 1)
    ]
    if form == "text":
        path.write_text("".join(f"{number} 1 0.5 10 10 40 30\n" for number in range(1, _FRAMES + 1)))
        _alter_words(path, draw)
    else:
        if form == "lines":
            sides = {"x1": 10, "y1": 10, "x2": 40, "y2": 30}
            entries = [{"frame_id": number, "class": 1, "score": 0.5} | sides for number in range(1, _FRAMES + 1)]
        content = {"results": entries, "info": {}} if form == "wrapped" else entries
        for _ in range(draw.choice((0, 1, 1, 3))):
            alter_json(content, draw)
        lines = isinstance(content, list) and form == "lines"
        path.write_text("\n".join(map(json.dumps, content)) if lines else json.dumps(content))
        if draw.random() < 0.2:
            _alter_bytes(path, draw)
    ended = run_forked(["score", "found", "--dataset", "coco-video", "--root", ".", "--json"], place)
    fault = ended.fault((0, 2))
    if fault is None and ended.code == 0:
        try:
            json.loads(ended.stdout)
        except ValueError:
            fault = "standard output is no JSON"
    return ("scored" if ended.code == 0 else "refused"), fault, _said(ended)


_KINDS: dict[str, Callable[[Path, random.Random], Result]] = {
    "coco": _coco,
    "xml": _xml,
    "detections": _detections,
}


def _checked_and_evaluated(place: Path, layout: str) -> Result:
    checked = run_forked(["dataset", "check", ".", "--layout", layout, "--json"], place)
    options = ["--model", "synthvid", "--backend", "onnx", "-o", "results", "--quiet"]
    evaluated = run_forked(["evaluate", "--dataset", layout, "--root", ".", *options], place)
    # What a check has to say of damage is its result, on standard output.
    said = replace(checked, stderr=checked.stderr or checked.stdout)
    fault = said.fault() or evaluated.fault() or _disagreement(checked, evaluated)
    outcome = {0: "usable", 1: "damaged"}.get(-1 if checked.code is None else checked.code, "refused")
    return outcome, fault, f"check: {_said(checked)} evaluate {evaluated.code}: {_said(evaluated)}"


def _disagreement(checked: Ended, evaluated: Ended) -> str | None:
    """Return what is wrong where one says damaged what the other takes."""
    if checked.code == 2:
        return None if evaluated.code else "check refuses what evaluate takes"
    try:
        findings = json.loads(checked.stdout)["findings"]
    except (ValueError, KeyError):
        return "standard output is no JSON"
    damage = {finding["kind"] for finding in findings if finding["damage"]} - _ONLY_CHECKED
    if evaluated.code == 0:
        return "evaluate takes what check calls damaged" if damage else None
    has_no_images = any(finding["kind"] == "no pictures" for finding in findings)
    is_other = has_no_images or "in common" in evaluated.stderr  # by the names of the classes
    return None if checked.code == 1 or is_other else "evaluate refuses what check calls usable"


def _said(ended: Ended) -> str:
    return (ended.stderr or ended.stdout).strip()[-300:]


def alter_json(content: Any, draw: random.Random) -> None:
    """Change one value somewhere in a content, or take it out, double it, or shift it."""
    places = list(_places(content))
    if not places:
        return
    parent, key = draw.choice(places)
    way = draw.random()
    if way < 0.15:
        del parent[key]
    elif way < 0.3 and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[key]))
    elif way < 0.5 and type(parent[key]) in (int, float):
        parent[key] = draw.choice((float(parent[key]), parent[key] + 1, -parent[key], parent[key] / 100))
    else:
        parent[key] = copy.deepcopy(draw.choice(_VALUES))


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    keys = content.keys() if isinstance(content, dict) else range(len(content))
    for key in keys:
        yield content, key
        if isinstance(content[key], dict | list):
            yield from _places(content[key])


def _alter_bytes(path: Path, draw: random.Random) -> None:
    data = bytearray(path.read_bytes())
    way, at = draw.randrange(4), draw.randrange(len(data))
    if way == 0:
        del data[at:]
    elif way == 1:
        data[at : at + 200] = bytes(len(data[at : at + 200]))
    elif way == 2:
        data[at : at + 50] = draw.randbytes(len(data[at : at + 50]))
    else:
        data[at] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def _alter_words(path: Path, draw: random.Random) -> None:
    """Put another word in the place of one, or double or remove a line."""
    lines = path.read_bytes().splitlines(keepends=True)
    at = draw.randrange(len(lines))
    way = draw.randrange(4)
    if way == 0:
        del lines[at]
    elif way == 1:
        lines.insert(draw.randrange(len(lines)), lines[at])
    else:
        words = lines[at].replace(b">", b"> ").replace(b"</", b" </").split(b" ")
        words[draw.randrange(len(words))] = draw.choice(_WORDS)
        lines[at] = b" ".join(words)
    path.write_bytes(b"".join(lines))


def write_coco(place: Path, with_videos: bool) -> None:
    """Write a CocoVID, or plain COCO, dataset of a few images."""
    images: list[dict[str, Any]] = []
    for number in range(1, _FRAMES + 1):
        _write_image(place / f"{number}.jpg")
        image = {"id": number, "file_name": f"{number}.jpg", "width": _WIDTH, "height": _HEIGHT}
        images.append(image | ({"video_id": 1, "frame_id": number} if with_videos else {}))
    boxes = [
        {"id": number, "image_id": number, "category_id": 1 + number % 2, "bbox": [10, 10, 30, 20], "iscrowd": 0}
        for number in range(1, _FRAMES + 1)
    ]
    content = {"categories": list(_CLASSES), "images": images, "annotations": boxes}
    videos = {"videos": [{"id": 1, "name": "a"}]} if with_videos else {}
    (place / "annotations.json").write_text(json.dumps(videos | content))


def write_vid(place: Path, *, with_list: bool) -> None:
    """Write a snippet in the layout of ImageNet VID."""
    snippet = "ILSVRC2015_val_00000000"
    for number in range(_FRAMES):
        objects = "".join(
            f"<object>\n<trackid>{track}</trackid>\n<name>{wnid}</name>\n<bndbox>\n<xmax>40</xmax>\n<xmin>10</xmin>\n"
            f"<ymax>30</ymax>\n<ymin>{10 + track}</ymin>\n</bndbox>\n<occluded>0</occluded>\n</object>\n"
            for track, wnid in enumerate(_WNIDS)
        )
        size = f"<size>\n<width>{_WIDTH}</width>\n<height>{_HEIGHT}</height>\n</size>\n"
        path = place / f"Annotations/VID/val/{snippet}/{number:06d}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<annotation>\n{size}{objects}</annotation>\n")
        _write_image(place / f"Data/VID/val/{snippet}/{number:06d}.JPEG")
    if with_list:
        (place / "ImageSets/VID").mkdir(parents=True)
        lines = (f"{snippet}/{number:06d} {number + 1}\n" for number in range(_FRAMES))
        (place / "ImageSets/VID/val.txt").write_text("".join(lines))


def _write_image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (_HEIGHT // 8, _WIDTH // 8, 3), np.uint8)
    path.write_bytes(cv2.imencode(".jpg", cv2.resize(noise, (_WIDTH, _HEIGHT)))[1].tobytes())
