"""Names that a dataset gives of its files must not lead out of its folder."""

from __future__ import annotations

import re
from pathlib import PureWindowsPath


def leads_out(name: str) -> bool:
    r"""Return whether a name could be of a file outside the folder, on any system. Links in the folder may.

    Example:
        >>> [leads_out(name) for name in ("a..b/0.jpg", "../0.jpg", "a\\..\\..\\0.jpg", "/0.jpg", "C:0.jpg")]
        [False, True, True, True, True]
    """
    path = PureWindowsPath(name)
    return bool(path.drive or path.root or "\0" in name or ".." in re.split(r"[/\\]", name))
