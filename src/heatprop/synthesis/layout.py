"""Scenes -> files in the layout of ImageNet VID and DET; a video's folders appear only when they are whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from heatprop.datasets.imagenet_classes import VID_WNIDS
from heatprop.synthesis.rendering import ShotRenderer, encode
from heatprop.synthesis.scenes import Shot, make_video
from heatprop.synthesis.settings import SceneSettings
from heatprop.synthesis.sprites import Sprite
from heatprop.synthesis.truth import TrueObject, annotate

DATABASE = "heatprop synthetic"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a video, or a folder of pictures, stands in a dataset.

    Attributes:
        root: folder of the dataset.
        branch: folder below ``Data`` and ``Annotations``, such as ``VID/val``.
        name: of the video, and of its folder.
    """

    root: Path
    branch: str
    name: str

    @property
    def images(self) -> Path:
        """Folder of the pictures."""
        return self.root / "Data" / self.branch / self.name

    @property
    def annotations(self) -> Path:
        """Folder of the annotations; it is made last, so that it stands for the whole."""
        return self.root / "Annotations" / self.branch / self.name


def write_video(
    place: Place, seed: Sequence[int], frames: int, sprites: Sequence[Sprite], settings: SceneSettings
) -> None:
    """Write the frames and annotations of a video, unless they are there.

    Args:
        place: where to.
        seed: see `heatprop.synthesis.scenes.make_video`.
        frames: how many.
        sprites: what the objects look like.
        settings: what the video is like.

    Raises:
        OSError: it cannot be written.
    """
    if place.annotations.is_dir():
        return
    shots = make_video(seed, frames, sprites, settings)
    new_images, new_annotations = _emptied(place.images), _emptied(place.annotations)
    pictures = (renderer.render(number) for renderer, number in _renderers(shots, sprites, settings))
    for frame, (objects, picture) in enumerate(zip(annotate(shots, settings), pictures, strict=True)):
        (new_images / f"{frame:06d}.JPEG").write_bytes(encode(*picture))
        text = annotation_xml(place.name, f"{frame:06d}", settings, objects)
        (new_annotations / f"{frame:06d}.xml").write_text(text, encoding="utf-8")
    _rename(new_images, place.images)
    _rename(new_annotations, place.annotations)


def write_stills(
    place: Place, seeds: Sequence[Sequence[int]], sprites: Sequence[Sprite], settings: SceneSettings
) -> None:
    """Write a folder of pictures that have nothing to do with each other, as ImageNet DET has them.

    Arguments and errors as in `write_video`; each of `seeds` gives a picture.
    """
    if place.annotations.is_dir():
        return
    new_images, new_annotations = _emptied(place.images), _emptied(place.annotations)
    for number, seed in enumerate(seeds):
        shots = make_video(seed, 1, sprites, settings)
        picture = still_name(place.name, number)
        (new_images / f"{picture}.JPEG").write_bytes(encode(*ShotRenderer(shots[0], settings, sprites).render(0)))
        text = annotation_xml(place.name, picture, settings, annotate(shots, settings)[0], is_video=False)
        (new_annotations / f"{picture}.xml").write_text(text, encoding="utf-8")
    _rename(new_images, place.images)
    _rename(new_annotations, place.annotations)


def _renderers(
    shots: Sequence[Shot], sprites: Sequence[Sprite], settings: SceneSettings
) -> Iterator[tuple[ShotRenderer, int]]:
    for shot in shots:
        renderer = ShotRenderer(shot, settings, sprites)
        for number in range(shot.frames):
            yield renderer, number


def still_name(folder: str, number: int) -> str:
    """Return the name of a picture, without suffix.

    >>> still_name("synthetic_train_0000", 7)
    'synthetic_train_0000_000007'
    """
    return f"{folder}_{number:06d}"


def annotation_xml(
    folder: str, frame: str, settings: SceneSettings, objects: Sequence[TrueObject], *, is_video: bool = True
) -> str:
    """Return an annotation as ImageNet writes it; pictures of DET have no tracks, nor say what is occluded."""
    lines = [
        "<annotation>",
        f"\t<folder>{folder}</folder>",
        f"\t<filename>{frame}</filename>",
        f"\t<source>\n\t\t<database>{DATABASE}</database>\n\t</source>",
        f"\t<size>\n\t\t<width>{settings.width}</width>\n\t\t<height>{settings.height}</height>\n\t</size>",
    ]
    for each in objects:
        x1, y1, x2, y2 = each.box
        lines.append("\t<object>")
        if is_video:
            lines.append(f"\t\t<trackid>{each.track}</trackid>")
        lines.append(f"\t\t<name>{VID_WNIDS[each.label]}</name>")
        lines.append(
            f"\t\t<bndbox>\n\t\t\t<xmax>{x2}</xmax>\n\t\t\t<xmin>{x1}</xmin>\n"
            f"\t\t\t<ymax>{y2}</ymax>\n\t\t\t<ymin>{y1}</ymin>\n\t\t</bndbox>"
        )
        if is_video:
            lines.append(f"\t\t<occluded>{int(each.occluded)}</occluded>\n\t\t<generated>0</generated>")
        lines.append("\t</object>")
    return "\n".join([*lines, "</annotation>", ""])


def _emptied(folder: Path) -> Path:
    """Return an empty folder beside the given one, for what is being written."""
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    return partial


def _rename(partial: Path, folder: Path) -> None:
    if folder.is_dir():  # of a run that was killed between the two
        shutil.rmtree(folder)
    os.replace(partial, folder)
