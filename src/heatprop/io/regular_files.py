"""Files at the door: what is read whole must be a regular file of a sensible size.

A pipe would be waited for, a device never ends, and a folder is no file. The limits are far above what is real: a
file beyond one is something else than it is taken for, or would take more memory than a machine has.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from heatprop.errors import UnfitFileError

MB, GB = 10**6, 10**9
LARGEST_SETTINGS = 1 * MB
"""Of TOML, and of small files of JSON that say what a folder is."""
LARGEST_LIST = 500 * MB
"""Of lists of frames, images or classes, a line each; the longest of ImageNet VID has 70 MB."""
LARGEST_ANNOTATIONS = 2 * GB
"""Of annotations in JSON, which take ten times as much memory."""
LARGEST_DETECTIONS = 4 * GB
"""Of a file of detections: ImageNet VID's validation set with 100 detections in each frame has 1.2 GB of text."""
LARGEST_MODEL = 2 * GB
"""Of an ONNX file: the format allows no more. Weights that lie beside it are not counted."""
LARGEST_CHECKPOINT = 20 * GB
"""Of a file of PyTorch."""
LARGEST_XML = 200 * MB
"""Of a network's layers in OpenVINO's XML; its weights lie beside it."""

_KINDS = (
    (stat.S_ISDIR, "is a folder"),
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)


def open_regular(path: str | Path, largest: int | None = None) -> BinaryIO:
    """Open a regular file for reading, without ever waiting for one that is something else.

    Args:
        path: the file.
        largest: most bytes it may have; None: any number.

    Raises:
        UnfitFileError: it is no regular file, or larger.
        OSError: it cannot be opened.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError:
        _check(path, os.stat(path), largest)  # a socket cannot be opened at all
        raise
    try:
        # What was opened is checked, not the name: somebody may put something else there.
        _check(path, os.fstat(descriptor), largest)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: str | Path, largest: int) -> bytes:
    """Return the content of a regular file of at most `largest` bytes.

    Raises:
        UnfitFileError: it is no regular file, or larger.
        OSError: it cannot be read.
    """
    with open_regular(path, largest) as file:
        content = file.read(largest + 1)
    if len(content) > largest:  # it grew, or its system does not know its size
        raise _too_large(path, len(content), largest)
    return content


def check_regular(path: str | Path, largest: int | None = None) -> None:
    """Check a file that a library shall open by its name.

    Raises:
        UnfitFileError: it is no regular file, or larger than `largest` bytes.
        OSError: it is not there.
    """
    _check(path, os.stat(path), largest)


def _check(path: str | Path, found: os.stat_result, largest: int | None) -> None:
    if not stat.S_ISREG(found.st_mode):
        what = next((words for is_kind, words in _KINDS if is_kind(found.st_mode)), "is no regular file")
        raise UnfitFileError(f"{path}", f"it {what}, not a regular file", "give a file")
    if largest is not None and found.st_size > largest:
        raise _too_large(path, found.st_size, largest)


def _too_large(path: str | Path, size: int, largest: int) -> UnfitFileError:
    reason = f"it has {_shown(size)}, and at most {_shown(largest)} are read"
    return UnfitFileError(f"{path}", reason, "give a smaller one")


def _shown(size: int) -> str:
    unit, name = (GB, "GB") if size >= GB else (MB, "MB") if size >= MB else (1, "bytes")
    return f"{size / unit:.3g} {name}" if unit > 1 else f"{size} {name}"
