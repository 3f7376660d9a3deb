"""Exceptions of heatprop: each message is one line that names the thing, its value and the remedy."""

from collections.abc import Collection
from numbers import Integral, Real
from typing import Self


class HeatpropError(Exception):
    """Base of everything heatprop raises on purpose; the command line prints its message and exits with 2."""


class InvalidArrayError(HeatpropError, ValueError):
    """An array has the wrong shape, type or values."""


class InvalidConfigError(HeatpropError, ValueError):
    """A setting lies outside its range."""


class MissingPackageError(HeatpropError, ImportError):
    """An optional package is not installed."""


class ModelError(HeatpropError, ValueError):
    """A model is unknown, unreadable, or does not say what it is."""


class LayoutError(HeatpropError, ValueError):
    """What a network's outputs mean is unknown, or they are not what their layout says."""


class BackendError(HeatpropError, RuntimeError):
    """An inference backend is unknown, not installed, or refuses the model."""


class SourceError(HeatpropError, OSError):
    """A video source cannot be opened or holds no frames."""


class SourceNotFoundError(SourceError, FileNotFoundError):
    """There is nothing at the source's address."""


class OutputError(HeatpropError, OSError):
    """An output cannot be written."""


class OutputExistsError(OutputError, FileExistsError):
    """An output exists already and was not to be overwritten."""


class BusyError(OutputError):
    """Another run is at work on an output or in its folder."""


class UnfitFileError(HeatpropError, OSError):
    """What shall be read is no regular file, or far too large; `strerror` says which, without name and remedy."""

    def __init__(self, path: str, reason: str, remedy: str) -> None:
        super().__init__(f"{path}: {reason}; {remedy}")
        self.path, self.strerror, self.remedy = path, reason, remedy

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, str]]:
        """Say how it is made again in another process."""
        return type(self), (self.path, str(self.strerror), self.remedy)


def shortened(text: str, most: int = 60) -> str:
    """Return a text for a message, with dots in place of what goes beyond `most` characters.

    >>> shortened("abcdefgh", 6)
    'abc...'
    """
    return text if len(text) <= most else f"{text[: most - 3]}..."


def perhaps(word: str, known: Collection[str], before: str = "") -> str:
    """Return what was perhaps meant, as the end of a sentence; nothing where nothing is near.

    >>> perhaps("--alhpa", ["--alpha", "--beta"])
    '; perhaps --alpha'
    """
    from difflib import get_close_matches  # noqa: PLC0415 - errors are rare, and importing it is not free

    near = get_close_matches(word, known, n=1)
    return f"; perhaps {before}{near[0]}" if near else ""


def check_range(name: str, value: object, low: float, high: float) -> None:
    """Check that a setting is a number in [low, high].

    Raises:
        InvalidConfigError: it is not.
    """
    try:
        is_within = not isinstance(value, bool) and isinstance(value, Real) and low <= float(value) <= high
    except OverflowError:  # a whole number beyond all floats
        is_within = False
    if not is_within:
        raise InvalidConfigError(f"{name} is {_said(value)}; it must be a number from {low:g} to {high:g}")


def check_count(name: str, value: object, low: int, high: int | None = None) -> None:
    """Check that a setting is a whole number of at least `low`, and of at most `high` where that is given.

    Raises:
        InvalidConfigError: it is not.
    """
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_whole or int(value) < low or (high is not None and int(value) > high):  # type: ignore[call-overload]
        wanted = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise InvalidConfigError(f"{name} is {_said(value)}; it must be a whole number {wanted}")


def _said(value: object) -> str:
    """Return a value for a message, on one line; Python refuses to write some whole numbers out."""
    try:
        return shortened(" ".join(repr(value).split()))
    except ValueError:
        return "a number of thousands of digits"
