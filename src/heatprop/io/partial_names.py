"""What an output is called while it grows: `out.part.mp4`, `out.part-2.mp4`; nothing else is called so."""

from __future__ import annotations

import re
from pathlib import Path

# Stands in the name of the file that a whole video is written into once more, with its index at the head.
INDEXED = ".index"
_ENDING = re.compile(rf"(.+)\.part(-\d+)?({re.escape(INDEXED)})?")


def stem_of_output(path: Path) -> str | None:
    """Return the stem of the output that `path` will be, or would have been; None if it is not called so.

    Example:
        >>> [stem_of_output(Path(name)) for name in ("out.part-2.mp4", "out.part.index.mp4", "film.part2.mp4")]
        ['out', 'out', None]
    """
    named = _ENDING.fullmatch(path.stem)
    return None if named is None else named[1]
