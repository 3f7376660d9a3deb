"""Small datasets written to disk, whole; each test damages its own copy."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

WIDTH, HEIGHT = 64, 48
CAR, DOG, ZEBRA = "n02958343", "n02084071", "n02391049"
OTHER = "n07739125"  # of the 170 classes of DET that VID does not have
DET_IMAGES = {
    "train/ILSVRC2013_train/n02/n02_1": (CAR,),
    "train/ILSVRC2013_train/n02/n02_2": (CAR, OTHER, CAR),
    "train/ILSVRC2013_train/n03/n03_1": (OTHER,),
    "train/ILSVRC2014_train_0000/x_3": (DOG, CAR),
    "train/ILSVRC2014_train_0000/x_4": (ZEBRA,),
}
GOLDEN = Path(__file__).parents[2] / "golden" / "videval"


def xml_object(
    wnid: str = CAR,
    box: Sequence[object] = (4, 5, 20, 30),
    track: object = 0,
    occluded: int = 0,
    generated: int = 0,
) -> str:
    xmin, ymin, xmax, ymax = box
    trackid = "" if track is None else f"\t\t<trackid>{track}</trackid>\n"
    return (
        f"\t<object>\n{trackid}\t\t<name>{wnid}</name>\n\t\t<bndbox>\n"
        f"\t\t\t<xmax>{xmax}</xmax>\n\t\t\t<xmin>{xmin}</xmin>\n\t\t\t<ymax>{ymax}</ymax>\n\t\t\t<ymin>{ymin}</ymin>\n"
        f"\t\t</bndbox>\n\t\t<occluded>{occluded}</occluded>\n\t\t<generated>{generated}</generated>\n\t</object>\n"
    )


def xml(*objects: str, width: object = WIDTH, height: object = HEIGHT) -> str:
    return (
        "<annotation>\n\t<folder>f</folder>\n\t<filename>000000</filename>\n"
        "\t<source>\n\t\t<database>ILSVRC_2015</database>\n\t</source>\n"
        f"\t<size>\n\t\t<width>{width}</width>\n\t\t<height>{height}</height>\n\t</size>\n"
        + "".join(objects)
        + "</annotation>\n"
    )


def write_image(path: Path, width: int = WIDTH, height: int = HEIGHT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    data = cv2.imencode(".jpg" if path.suffix.lower() in {".jpeg", ".jpg"} else path.suffix, image)[1]
    path.write_bytes(data.tobytes())


def write_list(root: Path, name: str, lines: Iterable[str]) -> Path:
    path = root / "ImageSets" / "VID" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def write_vid(
    root: Path,
    snippets: Mapping[str, int],
    *,
    split: str = "val",
    images: bool = False,
    text: str | None = None,
) -> Path:
    """Write snippets of so many frames each, with a car that has track 0; images only if asked."""
    for snippet, length in snippets.items():
        folder = root / "Annotations" / "VID" / split / snippet
        folder.mkdir(parents=True)
        for frame in range(length):
            (folder / f"{frame:06d}.xml").write_text(xml(xml_object()) if text is None else text)
            if images:
                write_image(root / "Data" / "VID" / split / snippet / f"{frame:06d}.JPEG")
    return root


def write_det(root: Path, contents: Mapping[str, Sequence[str]] = DET_IMAGES, *, images: bool = False) -> Path:
    """Write annotations of images that hold objects of these classes; images only if asked."""
    for name, wnids in contents.items():
        path = root / "Annotations/DET" / f"{name}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        objects = (xml_object(wnid, (4 + x, 5, 20 + x, 30), track=None) for x, wnid in enumerate(wnids))
        path.write_text(xml(*objects))
        if images:
            write_image(root / "Data/DET" / f"{name}.JPEG")
    return root


def frame_lines(snippets: Mapping[str, int], start: int = 1) -> list[str]:
    names = [f"{snippet}/{frame:06d}" for snippet, length in snippets.items() for frame in range(length)]
    return [f"{name} {number}" for number, name in enumerate(names, start)]


def coco(videos: Mapping[str, int], boxes: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return a CocoVID object with ids from 1 for everything, categories cat (3) and dog (9)."""
    images = [
        {
            "id": 0, "video_id": number, "frame_id": frame, "width": WIDTH, "height": HEIGHT,
            "file_name": f"{name}/{frame:06d}.jpg",
        }
        for number, (name, length) in enumerate(videos.items(), 1)
        for frame in range(length)
    ]  # fmt: skip
    for number, image in enumerate(images, 1):
        image["id"] = number
    defaults = {"image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 20], "instance_id": 7, "iscrowd": 0}
    return {
        "videos": [{"id": number, "name": name} for number, name in enumerate(videos, 1)],
        "images": images,
        "annotations": [{"id": number} | defaults | box for number, box in enumerate(boxes, 1)],
        "categories": [{"id": 3, "name": "cat"}, {"id": 9, "name": "dog"}],
    }


def write_coco(root: Path, content: object, *, name: str = "annotations.json", images: bool = False) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(content))
    if images and isinstance(content, dict):
        for image in content["images"]:
            write_image(root / image["file_name"], image["width"], image["height"])
    return root
