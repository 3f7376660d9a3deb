"""Whether the name of an output means a file or a folder: one rule, whatever the format and the number of sources.

``-``, what exists and is no folder, and a name with the suffix of a format are files. Anything else is a folder:
one that exists, a name that ends in a slash, and a name without such a suffix. In a folder each source has a file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from heatprop.errors import InvalidConfigError, OutputError
from heatprop.io.line_file import STANDARD_OUTPUT
from heatprop.io.outputs import is_null
from heatprop.io.sinks import SUFFIXES
from heatprop.io.suffixes import IMAGE_SUFFIXES, OTHER_SUFFIXES, VIDEO_SUFFIXES

_DOCUMENTS = """
    .csv .db .feather .gz .h5 .html .json .jsonl .log .md .ndjson .npy .npz .ods .parquet .pdf .pkl .sqlite .toml
    .tsv .txt .xls .xlsx .xml .yaml .yml .zip .zst
"""
_SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))
_OF_FILES = IMAGE_SUFFIXES | VIDEO_SUFFIXES | OTHER_SUFFIXES | frozenset(_DOCUMENTS.split())


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of output.

    Attributes:
        option: which asks for it.
        suffixes: of its files; those in a folder have the first.
    """

    option: str
    suffixes: tuple[str, ...]


VIDEO = Format("-o", SUFFIXES)
RESULTS = Format("--json", (".jsonl", ".json"))
CSV = Format("--csv", (".csv",))
PARQUET = Format("--parquet", (".parquet",))


def folder_of(kind: Format, name: str) -> Path | None:
    """Return the folder that a name means; None where it means a file.

    Raises:
        InvalidConfigError: it has the suffix of another kind of file, or is empty.

    Example:
        >>> folder_of(RESULTS, "found.jsonl"), folder_of(RESULTS, "-")
        (None, None)
        >>> [str(folder_of(RESULTS, name)) for name in ("found", "found.jsonl/", "2026.07.02")]
        ['found', 'found.jsonl', '2026.07.02']
    """
    if not name:
        raise InvalidConfigError(f"{kind.option} has an empty name; give one, such as out{kind.suffixes[0]}")
    if os.path.isdir(name) or name.endswith(_SEPARATORS):
        return Path(name)
    if name == STANDARD_OUTPUT or os.path.lexists(name):
        return None
    suffix = Path(name).suffix.lower()
    if suffix in kind.suffixes:
        return None
    if suffix in _OF_FILES:
        known = " or ".join(filter(None, (", ".join(kind.suffixes[:-1]), kind.suffixes[-1])))
        raise InvalidConfigError(
            f"{kind.option} {name}: its files end in {known}; choose such a name, or {name}{os.sep} for a folder"
        )
    return Path(name)


def crops_folder(name: str) -> Path:
    """Return the folder for the pictures of objects; it is never a file.

    Raises:
        InvalidConfigError: the name is that of a file, or empty.
        OutputError: it is a file.
    """
    if not name or name == STANDARD_OUTPUT:
        raise InvalidConfigError(f"--crops is {name!r}; give the name of a folder: --crops crops{os.sep}")
    if os.path.isdir(name) or name.endswith(_SEPARATORS):
        return Path(name)
    if os.path.lexists(name):
        raise OutputError(f"--crops {name} is a file; give a folder")
    if Path(name).suffix.lower() in _OF_FILES:
        raise InvalidConfigError(
            f"--crops {name} names a file, and a picture of each object is written; give a folder, "
            f"such as {name}{os.sep}"
        )
    return Path(name)


def refuse_file(kind: Format, name: str, sources: int) -> None:
    """Refuse a name that means a file, where several sources need one each; what is kept nowhere needs none.

    Raises:
        InvalidConfigError: it is one.
        OutputError: it is one, and exists.
    """
    if is_null(name):
        return
    if name == STANDARD_OUTPUT:
        raise InvalidConfigError(
            f"{kind.option} - would mix the lines of {sources} sources; give the name of a folder: "
            f"{kind.option} found{os.sep}"
        )
    path = Path(name)
    if path.suffix.lower() in kind.suffixes:
        raise InvalidConfigError(
            f"{kind.option} {name} names a file; for several sources give a folder: "
            f"{kind.option} {path.with_suffix('')}{os.sep}"
        )
    raise OutputError(f"{kind.option} {name} is a file; for several sources give a folder")
