"""What a cache of network outputs is of: two runs may share one only when all of it is equal."""

from __future__ import annotations

import hashlib
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any

from heatprop.backends import Backend
from heatprop.errors import HeatpropError, check_range
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.runs.class_matching import ClassMatching
from heatprop.lab.manifest_folder import FolderKind, ManifestFolder
from heatprop.letterbox import Fit, InputFormat, Place
from heatprop.structuring import MisfitError, structure
from heatprop.zoo import Model
from heatprop.zoo.card import CENTERNET
from heatprop.zoo.model_files import digests_of_model

FORMAT = "heatprop-outputs"
VERSION = 1
_USUAL = InputFormat()


class CacheError(HeatpropError, ValueError):
    """A cache belongs to something else, lacks frames, or is damaged; the message names the folder or file."""


_REMEDY = "give another --cache folder, or delete this one"
CACHE = FolderKind(
    manifest="manifest.json",
    parts="parts/{video:06d}-{part:03d}.zarr.zip",
    error=CacheError,
    foreign="cache {folder} holds something else; give an empty folder or a new name",
    unreadable=f"cache {{folder}}: manifest.json cannot be read ({{reason}}); {_REMEDY} to make it again",
    different=f"cache {{folder}} was made with {{name}} {{old}}, not {{new}}; {_REMEDY}",
)


@dataclass(frozen=True, slots=True)
class CacheManifest:
    """What the outputs in a cache come from; two runs may share a cache only when all of it is equal.

    Attributes:
        model: name of the model.
        model_sha256: hash of its card in the file and of its files.
        backend: runtime, version, device and precision, as `Backend.description` says.
        layout: of the dataset.
        split: of the dataset.
        frames: number of frames of the dataset.
        frames_sha256: hash of the names of its videos and frames, in order; the dataset may be moved.
        classes: names of the heatmap's channels that are kept, in order.
        stride: pixels of the network's input for one cell.
        longest_side: of the network's input in pixels; see `heatprop.letterbox.InputFormat`.
        multiple: the same.
        floor: see `heatprop.runtime.kept_outputs`.
        model_layout: what the outputs mean, as the model's card says.
        fit: of the network's input.
        place: the same.
        fixed_size: the same.
    """

    model: str
    model_sha256: str
    backend: str
    layout: str
    split: str
    frames: int
    frames_sha256: str
    classes: tuple[str, ...]
    stride: int
    longest_side: int
    multiple: int
    floor: float
    model_layout: str = CENTERNET
    fit: Fit = _USUAL.fit
    place: Place = _USUAL.place
    fixed_size: tuple[int, int] | None = None

    @property
    def input_format(self) -> InputFormat:
        """How images were laid into the network's input; says nothing of colours."""
        keys = ("longest_side", "multiple", "fit", "place", "fixed_size")
        return InputFormat(**{key: getattr(self, key) for key in keys})

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that stands in the file; what is as with every CenterNet is left out."""
        said = {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if item.default is MISSING or getattr(self, item.name) != item.default
        }
        lists = {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}
        return {"format": FORMAT, "version": VERSION, **lists}


def hash_of_model(model: Model) -> str:
    """Return the SHA-256 of a model's files and of the card in them, whatever input size was asked for."""
    digest = hashlib.sha256((model.own_card or model.card).to_json().encode())
    for each in digests_of_model(model.path):
        digest.update(each)
    return digest.hexdigest()


def hash_of_frames(dataset: VideoDataset) -> str:
    """Return the SHA-256 of the names of a dataset's videos and frames, in order."""
    digest = hashlib.sha256()
    for video in dataset.videos:
        digest.update(f"{video.name}\t{video.length}\n".encode())
    for name in dataset.frame_names:
        digest.update(f"{name}\n".encode())
    return digest.hexdigest()


def manifest_of(
    model: Model, backend: Backend, dataset: VideoDataset, *, split: str, classes: ClassMatching, floor: float
) -> CacheManifest:
    """Say what outputs come from.

    Raises:
        InvalidConfigError: `floor` is outside [0, 1].
    """
    check_range("cache floor", floor, 0, 1)
    return CacheManifest(
        model=model.card.name,
        model_sha256=hash_of_model(model),
        backend=backend.description,
        layout=dataset.layout,
        split=split,
        frames=dataset.frame_count,
        frames_sha256=hash_of_frames(dataset),
        classes=tuple(dataset.classes[label] for label in classes.labels),
        stride=model.card.stride,
        longest_side=model.card.input.longest_side,
        multiple=model.card.input.multiple,
        floor=float(floor),
        model_layout=model.card.layout,
        fit=model.card.input.fit,
        place=model.card.input.place,
        fixed_size=model.card.input.fixed_size,
    )


def read_manifest(folder: Path) -> CacheManifest:
    """Read what a cache is of.

    Raises:
        CacheError: there is no cache, or its manifest is damaged or of another version.
    """
    remedy = f"{_REMEDY} to make it again"
    try:
        value = ManifestFolder(folder, CACHE).read_manifest()
    except FileNotFoundError:
        raise CacheError(
            f"cache {folder}: there is no manifest.json in it; make one with evaluate --cache"
        ) from None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise CacheError(f"cache {folder}: manifest.json is not that of a cache; {remedy}")
    if value.get("version") != VERSION:
        raise CacheError(
            f"cache {folder}: its version is {value.get('version')!r} but this heatprop reads {VERSION}; {remedy}"
        )
    usual = {item.name: item.default for item in fields(CacheManifest) if item.default is not MISSING}
    settings = usual | {key: each for key, each in value.items() if key not in ("format", "version")}
    try:
        return structure(CacheManifest, settings, "manifest.json", "json")
    except MisfitError as error:
        raise CacheError(f"cache {folder}: {error}; {remedy}") from None


def require_dataset(folder: Path, have: CacheManifest, dataset: VideoDataset, split: str) -> None:
    """Check that a cache is of a dataset.

    Raises:
        CacheError: one line that names the first thing that differs.
    """
    want = replace(
        have,
        layout=dataset.layout,
        split=split,
        frames=dataset.frame_count,
        frames_sha256=hash_of_frames(dataset),
    )
    require_same(folder, have, want)


def require_same(folder: Path, have: CacheManifest, want: CacheManifest) -> None:
    """Check that a cache is of what is asked for.

    Raises:
        CacheError: one line that names the first thing that differs.
    """
    ManifestFolder(folder, CACHE).require_same(
        *(
            {item.name.replace("_", " "): getattr(each, item.name) for item in fields(CacheManifest)}
            for each in (have, want)
        )
    )
