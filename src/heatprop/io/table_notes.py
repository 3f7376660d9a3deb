"""What tables of detections say of themselves: CSV in a file beside it, Parquet in its footer."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from heatprop.io.regular_files import read_regular
from heatprop.io.results_header import FORMAT

Notes: TypeAlias = tuple[dict[str, Any], dict[str, Any]]
"""The header, and what ``"end"`` says: frames, and whether they are complete; nothing before the end."""

TABLE_HEAD = "frame,time,id,class,score,x1,y1,x2,y2,length"
PARQUET_MAGIC = b"PAR1"
PARQUET_HEADER, PARQUET_END = "heatprop", "heatprop.end"
_MAX_BYTES = 1 << 24


def metadata_path(table: Path) -> Path:
    """Return where the metadata of a CSV file stands, by the W3C's rule.

    Example:
        >>> metadata_path(Path("found/street.csv")).name
        'street.csv-metadata.json'
    """
    return table.with_name(f"{table.name}-metadata.json")


def name_metadata(partial: Path, table: Path) -> None:
    """Give the metadata of a CSV file that was growing the name that its own name asks for, if there are any."""
    with suppress(OSError):
        os.replace(metadata_path(partial), metadata_path(table))


def read_metadata(path: Path) -> Notes | None:
    """Return what the metadata of a CSV file say; None where they are not heatprop's.

    Raises:
        OSError: they cannot be read.
    """
    try:
        header, last = json.loads(read_regular(path, _MAX_BYTES))["notes"]
        end = last["end"]
        is_ours = header["format"] == FORMAT
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (header, end) if is_ours and isinstance(end, dict) else None


def notes_of_csv(path: Path) -> Notes | None:
    """Return what the metadata beside a CSV file say of it; None where they are missing, or are of another table.

    Raises:
        OSError: the table cannot be read.
    """
    try:
        notes = read_metadata(metadata_path(path))
    except OSError:
        return None
    if notes is None or not notes[1]:
        return notes
    if path.stat().st_size != notes[1].get("bytes"):
        return None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return notes if digest == notes[1].get("sha256") else None


def notes_of_parquet(path: Path) -> Notes | None:
    """Return what a Parquet file says of itself; None where it is not heatprop's, was cut, or pyarrow is missing.

    Raises:
        OSError: it cannot be read.
    """
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    try:
        said = parquet.read_metadata(path).metadata or {}
        header, end = (json.loads(said[key.encode()]) for key in (PARQUET_HEADER, PARQUET_END))
    except (ArrowException, KeyError, ValueError, RecursionError):
        return None
    return (header, end) if isinstance(header, dict) and isinstance(end, dict) else None
