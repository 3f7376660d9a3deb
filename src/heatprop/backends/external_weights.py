"""Weights beside an ONNX file, where links lead somewhere else."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heatprop.errors import ModelError
from heatprop.zoo.metadata import NotOnnxError
from heatprop.zoo.model_files import external_places


@contextmanager
def weights_beside(path: Path) -> Iterator[Path]:
    """Give a path at which an ONNX file and its weights lie in one folder, for as long as a runtime reads them.

    Caches of model hubs keep each file under the name of its checksum, and link to it from a folder with the names
    that people know. Runtimes refuse weights outside of the model's folder, since a file could otherwise name any
    other on the machine. Links are the work of whoever owns the folder, so they are followed; a name in the file
    that leads out of the folder by itself is not, and the runtime refuses it.

    Args:
        path: an ``.onnx`` file.

    Yields:
        `path` where all lies there already, or is no ONNX file; else one in a folder of its own, of hard links or,
        on another file system, copies.
    """
    outside = _weights_outside(path)
    if not outside:
        yield path
        return
    # Windows removes no file that is still mapped into memory.
    with tempfile.TemporaryDirectory(prefix="heatprop-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for target, source in {path.name: path, **outside}.items():
            _lay(source.resolve(), folder / target)
        yield folder / path.name


def _weights_outside(path: Path) -> dict[str, Path]:
    """Return all files of weights by their names in `path`; none if the runtimes find each without help."""
    try:
        places = external_places(path)
    except (OSError, NotOnnxError):
        return {}  # whoever opens the file will say what is wrong with it
    found = {}
    for name, either in places.items():
        for place in either:
            if place.is_file():
                found[name] = place
                break
            if place.exists():  # a pipe would be waited for
                raise ModelError(f"{path}: its weights {place} are no regular file; put a file there")
    home = path.parent.resolve()
    beside = all(place.resolve() == home / name for name, place in found.items())
    return {} if beside else found


def _lay(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
