"""Names of classes in a text file, one a line."""

from __future__ import annotations

from pathlib import Path

from heatprop.errors import ModelError
from heatprop.io.regular_files import LARGEST_LIST, read_regular


def read_class_names(path: Path) -> list[str]:
    """Return the names, in their order; empty lines are skipped.

    Raises:
        ModelError: the file cannot be read, is no text or holds no names.
    """
    try:
        lines = read_regular(path, LARGEST_LIST).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise ModelError(f"{path} cannot be read ({reason}); give a text file of names") from None
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise ModelError(f"{path} holds no names; write one a line")
    return names
