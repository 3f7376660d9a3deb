"""The formats in which a network can be exported, and what they can hold."""

from __future__ import annotations

from pathlib import Path

from heatprop.errors import InvalidConfigError, OutputError

FORMATS = (".onnx", ".xml")


def check_request(path: Path, *, int8: bool) -> None:
    """Check the name of a file to export to, before any work.

    Raises:
        InvalidConfigError: it ends in neither ``.onnx`` nor ``.xml``, or 8 bits are asked for in the first.
        OutputError: it is a folder.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder; give the name of a file")
    if path.suffix not in FORMATS:
        raise InvalidConfigError(f"{path} ends in {path.suffix!r}; give a name that ends in .onnx or .xml")
    if int8 and path.suffix != ".xml":
        raise InvalidConfigError(f"{path}: 8 bits are written for OpenVINO only; give a name that ends in .xml")
