"""Dataclasses from what JSON and TOML hold: nothing is guessed, and nothing unknown is passed over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from heatprop.errors import InvalidConfigError, shortened

Structured = TypeVar("Structured")
Syntax: TypeAlias = Literal["json", "toml"]

_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
_MANY = {str: "texts", int: "whole numbers", float: "numbers"}


class MisfitError(InvalidConfigError):
    """What a file holds does not fit a dataclass; the message names the key first."""


def structure(kind: type[Structured], content: Any, where: str, syntax: Syntax) -> Structured:
    """Build a dataclass from what a file holds, by its annotations.

    A program wrote the JSON: every key must be there. A person wrote the TOML: a missing key has its default,
    and a text may stand for a list of one.

    Args:
        kind: the dataclass; its fields are dataclasses, or of types that `msgspec` knows.
        content: what a parser returned.
        where: its name in messages, such as ``card``; empty where keys need none.
        syntax: of the file.

    Raises:
        MisfitError: a key is unknown or missing, or a value is of another type; one line names it and says what it
            must be. What the dataclass itself raises passes through.

    >>> from heatprop.letterbox import InputFormat
    >>> structure(InputFormat, {"longest_side": True}, "input", "toml")
    Traceback (most recent call last):
    heatprop.structuring.MisfitError: input.longest_side is True; it must be a whole number
    """
    if not isinstance(content, Mapping):
        raise _misfit(content, where, "an object" if syntax == "json" else f"a section, [{where}]", syntax)
    names = [each.name for each in fields(kind)]  # type: ignore[arg-type]
    for key in content:
        if key not in names:
            shown = shortened(repr(key)[1:-1])
            near = get_close_matches(shown, names, n=1)
            perhaps = f"perhaps {near[0]}; " if near else ""
            place = f"{where}.{shown}" if where else f"section {shown}"
            raise MisfitError(f"{place} is unknown; {perhaps}there are {', '.join(names)}")
    lacking = [name for name in names if name not in content]
    if lacking and syntax == "json":
        raise MisfitError(f"{where} lacks {lacking[0]!r}; its keys are {', '.join(names)}")
    hints = get_type_hints(kind)
    places = {key: f"{where}.{key}" if where else key for key in content}
    return kind(**{key: _convert(hints[key], value, places[key], syntax) for key, value in content.items()})


def _convert(hint: Any, value: Any, where: str, syntax: Syntax) -> Any:
    if is_dataclass(hint):
        return structure(hint, value, where, syntax)  # type: ignore[arg-type]
    if syntax == "toml" and get_origin(hint) is tuple and isinstance(value, str):
        value = [value]
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and "\0" in text:
            raise MisfitError(f"{where} is {_show(value, syntax)}; no name has a null character")
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError:
        raise _misfit(value, where, _wanted(hint), syntax) from None


def _wanted(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin is tuple:
        count = "" if arguments[-1] is Ellipsis else f"{len(arguments)} "
        return f"a list of {count}{_MANY[arguments[0]]}"
    if origin is Mapping:
        return "an object of texts"
    return _KINDS.get(hint) or " or ".join(map(_wanted, arguments))


def _misfit(value: Any, where: str, wanted: str, syntax: Syntax) -> MisfitError:
    return MisfitError(f"{where} is {_show(value, syntax)}; it must be {wanted}")


def _show(value: Any, syntax: Syntax) -> str:
    return shortened(json.dumps(value) if syntax == "json" else repr(value), 40)
