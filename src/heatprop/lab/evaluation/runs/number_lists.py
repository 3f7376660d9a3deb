"""Lists of numbers as people write them: ``0:5``, ``0.5,2,inf`` and ``0.5,0.6,...,1``."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from heatprop.errors import InvalidConfigError, shortened

_MAX_VALUES = 1000
_TENTH = Decimal("0.1")
_DOTS = "..."


def parse_numbers(text: str, name: str) -> list[float]:
    """Read numbers separated by commas; repeated ones are kept once.

    ``a:b`` is every whole number from a to b, both included. ``...`` goes on in the steps of the two numbers
    before it, or in tenths where there is one, as long as it stays before the number after it, which ends it.

    Args:
        text: what was written.
        name: what it is for, for messages.

    Raises:
        InvalidConfigError: it is no such list, or has more than 1000 values.

    Example:
        >>> parse_numbers("0:3", "--radius"), parse_numbers("0.5,2,inf", "--beta")
        ([0.0, 1.0, 2.0, 3.0], [0.5, 2.0, inf])
        >>> parse_numbers("0.5,0.6,...,0.9,0.98", "--alpha")
        [0.5, 0.6, 0.7, 0.8, 0.9, 0.98]
        >>> parse_numbers("0.7,...,1", "--alpha")
        [0.7, 0.8, 0.9, 1.0]
    """
    values: list[Decimal] = []
    pieces = [piece.strip() for piece in text.split(",")]
    for position, piece in enumerate(pieces):
        if piece == _DOTS:
            if not values or position + 1 == len(pieces):
                _refuse(text, name, f"{_DOTS} needs a number before and after it")
            values += _between(values, _number(pieces[position + 1], text, name), text, name)
        elif ":" in piece:
            values += _whole_numbers(piece, text, name)
        else:
            values.append(_number(piece, text, name))
        if len(values) > _MAX_VALUES:
            _refuse(text, name, f"these are more than {_MAX_VALUES} values")
    return list(dict.fromkeys(float(value) for value in values))


def parse_whole_numbers(text: str, name: str) -> list[int]:
    """Read a list as `parse_numbers` does, and take whole numbers only.

    Raises:
        InvalidConfigError: it is no such list, or one of them is not whole.

    >>> parse_whole_numbers("0:2,5", "--radius")
    [0, 1, 2, 5]
    """
    values = parse_numbers(text, name)
    for value in values:
        if not value.is_integer():
            _refuse(text, name, f"{value:g} is not whole")
    return [int(value) for value in values]


def _between(values: list[Decimal], end: Decimal, text: str, name: str) -> list[Decimal]:
    """Return the values that ``...`` stands for."""
    last = values[-1]
    step = last - values[-2] if len(values) > 1 else _TENTH.copy_sign(end - last)
    if not (end.is_finite() and last.is_finite() and step.is_finite()) or (end - last) * step <= 0:
        _refuse(text, name, f"{_DOTS} does not lead from {last} to {end}")
    if (end - last) / step > _MAX_VALUES:
        _refuse(text, name, f"these are more than {_MAX_VALUES} values")
    filled: list[Decimal] = []
    while abs(last + step - values[-1]) < abs(end - values[-1]):
        last += step
        filled.append(last)
    return filled


def _whole_numbers(piece: str, text: str, name: str) -> list[Decimal]:
    ends = [_number(end, text, name) for end in piece.split(":")]
    if len(ends) != 2 or any(not end.is_finite() or end % 1 for end in ends) or ends[0] > ends[1]:
        _refuse(text, name, f"{piece} must be two whole numbers, the smaller first")
    if ends[1] - ends[0] > _MAX_VALUES:
        _refuse(text, name, f"these are more than {_MAX_VALUES} values")
    return [Decimal(value) for value in range(int(ends[0]), int(ends[1]) + 1)]


def _number(piece: str, text: str, name: str) -> Decimal:
    try:
        value = Decimal(piece.strip())
    except InvalidOperation:
        value = Decimal("nan")
    if value.is_nan() or (value.is_finite() and abs(value.adjusted()) > 300):
        _refuse(text, name, f"{piece.strip()!r} is no number")
    return value


def _refuse(text: str, name: str, problem: str) -> None:
    raise InvalidConfigError(f"{name} {shortened(text)}: {problem}; write 0:5, or 0.5,2,inf, or 0.5,0.6,{_DOTS},1")
