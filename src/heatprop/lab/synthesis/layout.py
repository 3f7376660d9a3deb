"""Scenes -> files in the layout of ImageNet VID and DET; a video counts as there when every byte of it is.

Data/VID/val/NAME/000000.JPEG ...        its images
Annotations/VID/val/NAME/000000.xml ...  its annotations
checksums/VID/val/NAME.sha256            SHA-256 of all these, written last, for `sha256sum --check` too
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from heatprop.interrupts import check
from heatprop.io.whole_files import emptied_beside, replace_folder, write_text
from heatprop.lab.datasets.imagenet_classes import VID_WNIDS
from heatprop.lab.synthesis.rendering import ShotRenderer, encode
from heatprop.lab.synthesis.scenes import Shot, make_video
from heatprop.lab.synthesis.settings import SceneSettings
from heatprop.lab.synthesis.sprites import Sprite
from heatprop.lab.synthesis.truth import TrueObject, annotate

DATABASE = "heatprop synthetic"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a video, or a folder of images, stands in a dataset.

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
        """Folder of the images."""
        return self.root / "Data" / self.branch / self.name

    @property
    def annotations(self) -> Path:
        """Folder of the annotations."""
        return self.root / "Annotations" / self.branch / self.name

    @property
    def checksums(self) -> Path:
        """File of the checksums of all images and annotations."""
        return self.root / "checksums" / self.branch / f"{self.name}.sha256"


def write_video(
    place: Place, seed: Sequence[int], frames: int, sprites: Sequence[Sprite], settings: SceneSettings
) -> None:
    """Write the frames and annotations of a video, unless all are there as they were written.

    Args:
        place: where to.
        seed: see `heatprop.lab.synthesis.scenes.make_video`.
        frames: how many.
        sprites: what the objects look like.
        settings: what the video is like.

    Raises:
        OSError: it cannot be written.
        Interrupted: it was requested; a later call begins anew.
    """
    names = [f"{frame:06d}" for frame in range(frames)]
    if _is_whole(place, names):
        return
    shots = make_video(seed, frames, sprites, settings)
    new_images, new_annotations = emptied_beside(place.images), emptied_beside(place.annotations)
    images = (renderer.render(number) for renderer, number in _renderers(shots, sprites, settings))
    for name, objects, image in zip(names, annotate(shots, settings), images, strict=True):
        check()
        (new_images / f"{name}.JPEG").write_bytes(encode(*image))
        text = annotation_xml(place.name, name, settings, objects)
        (new_annotations / f"{name}.xml").write_text(text, encoding="utf-8")
    _finish(place, names, new_images, new_annotations)


def write_stills(
    place: Place, seeds: Sequence[Sequence[int]], sprites: Sequence[Sprite], settings: SceneSettings
) -> None:
    """Write a folder of images that have nothing to do with each other, as ImageNet DET has them.

    Arguments and errors as in `write_video`; each of `seeds` gives an image.
    """
    names = [still_name(place.name, number) for number in range(len(seeds))]
    if _is_whole(place, names):
        return
    new_images, new_annotations = emptied_beside(place.images), emptied_beside(place.annotations)
    for image, seed in zip(names, seeds, strict=True):
        shots = make_video(seed, 1, sprites, settings)
        (new_images / f"{image}.JPEG").write_bytes(encode(*ShotRenderer(shots[0], settings, sprites).render(0)))
        text = annotation_xml(place.name, image, settings, annotate(shots, settings)[0], is_video=False)
        (new_annotations / f"{image}.xml").write_text(text, encoding="utf-8")
    _finish(place, names, new_images, new_annotations)


def _renderers(
    shots: Sequence[Shot], sprites: Sequence[Sprite], settings: SceneSettings
) -> Iterator[tuple[ShotRenderer, int]]:
    for shot in shots:
        renderer = ShotRenderer(shot, settings, sprites)
        for number in range(shot.frames):
            yield renderer, number


def still_name(folder: str, number: int) -> str:
    """Return the name of an image, without suffix.

    >>> still_name("synthetic_train_0000", 7)
    'synthetic_train_0000_000007'
    """
    return f"{folder}_{number:06d}"


def annotation_xml(
    folder: str, frame: str, settings: SceneSettings, objects: Sequence[TrueObject], *, is_video: bool = True
) -> str:
    """Return an annotation as ImageNet writes it; images of DET have no tracks, nor say what is occluded."""
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


def remove_leftovers(root: Path) -> None:
    """Remove what killed runs left half written; nobody else may be at work in the folder."""
    for branch in ("Data", "Annotations"):
        for partial in root.glob(f"{branch}/*/*/.*.part"):
            shutil.rmtree(partial, ignore_errors=True)


def _is_whole(place: Place, names: Sequence[str]) -> bool:
    """Say whether a video has all images and annotations of these names, byte by byte as they were written."""
    try:
        return place.checksums.read_text(encoding="utf-8") == _checksums(
            place, names, place.images, place.annotations
        )
    except (OSError, UnicodeDecodeError):
        return False


def _finish(place: Place, names: Sequence[str], new_images: Path, new_annotations: Path) -> None:
    """Give folders that are whole their names, and say so."""
    checksums = _checksums(place, names, new_images, new_annotations)
    place.checksums.unlink(missing_ok=True)
    replace_folder(new_images, place.images)
    replace_folder(new_annotations, place.annotations)
    write_text(place.checksums, checksums)


def _checksums(place: Place, names: Sequence[str], images: Path, annotations: Path) -> str:
    """Return the checksums of a video, by the final names of files that are still in `images` and `annotations`.

    Raises:
        OSError: a file is missing or cannot be read.
    """
    lines = []
    for folder, final, suffix in ((images, place.images, "JPEG"), (annotations, place.annotations, "xml")):
        for name in names:
            digest = hashlib.sha256((folder / f"{name}.{suffix}").read_bytes()).hexdigest()
            lines.append(f"{digest}  {final.relative_to(place.root).as_posix()}/{name}.{suffix}\n")
    return "".join(lines)
