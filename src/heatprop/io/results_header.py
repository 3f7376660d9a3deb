"""The first line of a file of detections: what made them, and from what."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from heatprop.errors import HeatpropError

FORMAT = "heatprop-detections"
VERSION = 2
READ_VERSIONS = (1, 2)
_FIELDS: Mapping[str, type] = MappingProxyType(
    {"heatprop": str, "source": dict, "model": str, "classes": list, "settings": dict, "versions": dict}
)
_PACKAGES = ("numpy", "opencv-python-headless", "av", "onnxruntime", "openvino", "torch")


class ResultsError(HeatpropError, ValueError):
    """A file of detections is missing, damaged, or of another format."""


def installed_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that shape the numbers, as far as installed."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


@dataclass(frozen=True, slots=True)
class ResultsHeader:
    """What the first line says of all others: where the frames come from and what made the detections.

    Attributes:
        model: name of the model.
        classes: a name for each class number.
        source: facts of the video, such as name, width, height and frame rate.
        settings: everything that shapes the detections; values as JSON knows them, or frozen dataclasses.
        versions: of Python and the packages; default: those of this machine.
        heatprop: version of heatprop that wrote the file.
        version: of the format that was read; what is written is of the newest.
    """

    model: str
    classes: Sequence[str]
    source: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=installed_versions)
    heatprop: str = field(default_factory=lambda: metadata.version("heatprop"))
    version: int = VERSION

    def to_json(self) -> dict[str, Any]:
        """Return the header as the JSON object that stands in the file."""
        fields = {name: getattr(self, name) for name in _FIELDS}
        strict = _strict({"format": FORMAT, "version": VERSION, **fields})
        return cast(dict[str, Any], strict)


def parse_header(line: bytes, path: Path) -> ResultsHeader:
    """Return what the first line of a file says.

    Raises:
        ResultsError: it is no header, or one of a format that this heatprop does not read.
    """
    value = parse_line(line, path, 1)
    if value.get("format") != FORMAT:
        raise ResultsError(
            f"{path}, line 1: no header of format {FORMAT}; give a file of `heatprop detect --json`"
        )
    if value.get("version") not in READ_VERSIONS:
        known = " and ".join(map(str, READ_VERSIONS))
        raise ResultsError(
            f"{path}, line 1: version {value.get('version')!r} of the format, this heatprop reads {known}; "
            "install the version of heatprop that wrote it"
        )
    return header_of(value, path)


def header_of(value: Mapping[str, Any], path: Path) -> ResultsHeader:
    """Return the header that a JSON object holds.

    Raises:
        ResultsError: something of it is missing.
    """
    for name, kind in _FIELDS.items():
        if not isinstance(value.get(name), kind):
            raise ResultsError(f"{path}, line 1: the header's {name!r} is missing or damaged; make the file again")
    return ResultsHeader(**{name: value[name] for name in _FIELDS}, version=value["version"])


def parse_line(line: bytes, path: Path, number: int) -> dict[str, Any]:
    """Return the JSON object on a line.

    Raises:
        ResultsError: it is none, or cut short.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not line.endswith(b"\n"):
        raise ResultsError(f"{path}, line {number}: damaged or cut short, no JSON object; make the file again")
    return value


def _strict(value: Any) -> Any:
    """Return `value` as JSON holds it: dataclasses as objects, infinity as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return _strict(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    if isinstance(value, np.generic | Fraction):
        return _strict(value.item() if isinstance(value, np.generic) else float(value))
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
