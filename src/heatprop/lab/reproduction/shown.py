"""How a report's numbers are written for people; what does not exist is a dash, never an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

NOTHING = "–"


def known(value: object) -> float | None:
    """Return a number of a report, None where there is none: null, NaN, or no number at all.

    >>> known(0.5), known(float("nan")), known(None), known("0.5")
    (0.5, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if isfinite(value) else None


def points(value: object) -> float | None:
    """Return a share of 1 in percentage points."""
    share = known(value)
    return None if share is None else 100 * share


def difference(value: object, base: object) -> float | None:
    """Return how many percentage points a share lies above another."""
    one, other = points(value), points(base)
    return None if one is None or other is None else one - other


def decimals(value: object, digits: int = 1) -> str:
    """Return a number with so many digits after the point.

    >>> decimals(76.651), decimals(None), decimals(-0.04)
    ('76.7', '–', '0.0')
    """
    number = known(value)
    return NOTHING if number is None else f"{round(number, digits) + 0.0:.{digits}f}".replace("-", "−")


def percent(value: object, digits: int = 1) -> str:
    """Return a share of 1 in %, without the sign."""
    return decimals(points(value), digits)


def signed(value: object, digits: int = 1) -> str:
    """Return a difference with its sign.

    >>> signed(3.14), signed(-0.5), signed(0.01), signed(None)
    ('+3.1', '−0.5', '0.0', '–')
    """
    number = known(value)
    shown = decimals(number, digits)
    return f"+{shown}" if number is not None and round(number, digits) > 0 else shown


def whole(value: object) -> str:
    """Return a count with its thousands apart.

    >>> whole(272038), whole(None)
    ('272,038', '–')
    """
    number = known(value)
    return NOTHING if number is None else f"{number:,.0f}"


def plain(value: object) -> str:
    """Return a setting as short as it can be written.

    >>> plain(1.0), plain(0.98), plain(1000)
    ('1', '0.98', '1000')
    """
    number = known(value)
    return NOTHING if number is None else f"{number:g}"


def mapping(value: object) -> Mapping[str, Any]:
    """Return a part of a report that has names; an empty one where it is absent."""
    return value if isinstance(value, Mapping) else {}


def rows(value: object) -> list[Mapping[str, Any]]:
    """Return the rows of a part of a report; none where it is absent."""
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        return []
    return [row for row in value if isinstance(row, Mapping)]


def listed(words: Sequence[str]) -> str:
    """Return words in a sentence.

    >>> listed(["slow"]), listed(["slow", "medium", "fast"])
    ('slow', 'slow, medium and fast')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
