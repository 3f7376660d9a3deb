"""What is wrong with a dataset: one finding a place. Reading raises the first; a check collects them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from heatprop.lab.datasets.annotations import DatasetError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or worth knowing, in one place of a dataset.

    Attributes:
        kind: short name of what it is an example of, such as ``inverted box``.
        place: the file, and the line or entry in it.
        text: what is wrong there.
        is_damage: whether it makes the dataset unusable as it is; False for what reading can live with.

    Example:
        >>> print(Finding("inverted box", "a.xml, line 9", "xmax is 3, xmin is 8"))
        a.xml, line 9: xmax is 3, xmin is 8
    """

    kind: str
    place: str
    text: str
    is_damage: bool = True

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


Report: TypeAlias = Callable[[Finding], None]
Progress: TypeAlias = Callable[[int, int], None]


def refuse(finding: Finding) -> None:
    """Raise what is damage, and pass over the rest: how a dataset is read when nothing is to be collected.

    Raises:
        DatasetError: the finding is damage.
    """
    if finding.is_damage:
        raise DatasetError(str(finding))


def at_line(path: Path | str, line: int) -> str:
    """Return how a line of a file is named in a message.

    >>> at_line("val.txt", 3)
    'val.txt, line 3'
    """
    return f"{path}, line {line}"
