"""All files that one model is made of, and their hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePath

from heatprop.zoo.metadata import NotOnnxError, read_external_files


def external_places(path: Path) -> dict[str, list[Path]]:
    """Return where each file of weights that an ONNX file names may lie, the first place first.

    Caches of model hubs keep the files elsewhere, and link to them. A name that leads out of the folder has none.

    Raises:
        NotOnnxError: it is no ONNX file.
        OSError: it cannot be read.
    """
    names = sorted(read_external_files(path))
    inside = [name for name in names if not PurePath(name).is_absolute() and ".." not in PurePath(name).parts]
    return {name: [folder / name for folder in (path.parent, path.resolve().parent)] for name in inside}


def files_of_model(path: Path) -> list[Path]:
    """Return a model's file, and those beside it that hold its weights, as far as they are there.

    Args:
        path: ``.onnx``, which may name files of weights; ``.xml``, whose weights are in ``.bin``; or any other.

    Raises:
        OSError: it cannot be read.
    """
    if path.suffix.lower() == ".xml":
        weights = [path.with_suffix(".bin")]
    elif path.suffix.lower() == ".onnx":
        try:
            places = external_places(path)
        except NotOnnxError:  # whoever opens it says so
            places = {}
        weights = [next((each for each in either if each.is_file()), either[0]) for either in places.values()]
    else:
        weights = []
    return [path, *(each for each in weights if each.is_file())]


def digests_of_model(path: Path) -> list[bytes]:
    """Return the SHA-256 of each file of a model.

    Raises:
        OSError: one cannot be read.
    """
    digests = []
    for each in files_of_model(path):
        with each.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").digest())
    return digests
