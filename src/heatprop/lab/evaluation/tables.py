"""How results are shown: percentages for people, strict JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from rich.console import Group
from rich.table import Table
from rich.text import Text


def json_number(value: float) -> float | None:
    """Return a number for JSON, which has no NaN: None stands for it."""
    return float(value) if isfinite(value) else None


def percent_text(value: float) -> str:
    """Return a share as a percentage with two digits after the point, "-" for NaN.

    >>> percent_text(0.74143), percent_text(float("nan"))
    ('74.14', '-')
    """
    return number_text(100 * value, 2)


def number_text(value: float, digits: int) -> str:
    """Return a number with so many digits after the point, "-" for NaN."""
    return f"{value:.{digits}f}" if isfinite(value) else "-"


def new_table(columns: Sequence[str]) -> Table:
    """Return an empty table; the first column holds text, the others numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def titled(title: str, table: Table, note: str | None = None) -> Group:
    """Put a title over a table, which may be wider than it, and a note below."""
    return Group(Text(title, style="italic"), table, *([] if note is None else [Text(note)]))
