"""Tables of identities, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from heatprop.lab.evaluation.runs.comparison import ComparisonRow, difference
from identities.measuring import FIGURES

_COUNTS = ("IDSW", "ids")


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; the first column has no name."""
    lines = [["", *columns], ["---"] * (len(columns) + 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figure_table(rows: Sequence[ComparisonRow], objects: int) -> str:
    """Return the figures of methods: shares in %, of counts the sums over videos, and milliseconds a frame."""
    columns = [*FIGURES[:-1], f"ids (of {objects})", "ms"]
    cells = [[*(_text(row, name) for name in FIGURES), f"{row.milliseconds:.2f}"] for row in rows]
    return markdown(columns, [[_name(row), *each] for row, each in zip(rows, cells, strict=True)])


def _text(row: ComparisonRow, name: str) -> str:
    if name in _COUNTS:
        return f"{row.by_video[:, FIGURES.index(name)].sum():.0f}"
    return f"{100 * row.value(name):.1f}"


def difference_table(first: ComparisonRow, others: Sequence[ComparisonRow]) -> str:
    """Return by how much HOTA and IDF1 of a method lie above those of others, and the 95 % intervals of that."""
    names = ("HOTA", "IDF1")
    rows = []
    for other in others:
        found = [[100 * value for value in difference(first, other, name)] for name in names]
        rows.append([_name(other), *(f"{delta:+.1f} ({low:+.1f} to {high:+.1f})" for delta, low, high in found)])
    return markdown(names, rows)


def clip_table(rows: Sequence[ComparisonRow], clips: Sequence[str], names: Sequence[str]) -> str:
    """Return some figures of each clip, by methods."""
    places = [FIGURES.index(name) for name in names]
    scales = [1 if name in _COUNTS else 100 for name in names]
    lines = []
    for row in rows:
        scaled = row.by_video[:, places] * scales
        lines.append([_name(row), *(" / ".join(f"{value:.0f}" for value in each) for each in scaled)])
    return markdown(clips, lines)


def recall_table(title: str, pairs: Sequence[tuple[ComparisonRow, ComparisonRow]]) -> str:
    """Return recall and switches of methods, each with those of another at about the same recall."""
    names = ("recall", "IDSW")
    cells = [[_text(each, name) for each in pair for name in names] for pair in pairs]
    lines = [[_name(theirs), *each] for (theirs, _), each in zip(pairs, cells, strict=True)]
    return markdown([*names, *(f"{title}: {name}" for name in names)], lines)


def cause_table(of_causes: Mapping[str, Sequence[NDArray[np.float64]]], rows: Sequence[ComparisonRow]) -> str:
    """Return HOTA / IDF1 / IDSW of methods on the videos of each cause: for each `FIGURES` of every method."""
    places = [FIGURES.index(name) for name in ("HOTA", "IDF1", "IDSW")]
    lines = []
    for number, row in enumerate(rows):
        triples = (each[number][places] * [100, 100, 1] for each in of_causes.values())
        lines.append([_name(row), *(f"{hota:.1f} / {idf1:.1f} / {idsw:.0f}" for hota, idf1, idsw in triples)])
    return markdown(list(of_causes), lines)


def _name(row: ComparisonRow) -> str:
    return row.method.title + ("" if row.method.online else " *")
