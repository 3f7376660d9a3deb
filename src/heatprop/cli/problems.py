"""What is wrong with a command line that does not fit its command, found from the command's fields."""

from __future__ import annotations

import re
import shlex
import sys
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from itertools import chain
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import tyro

from heatprop.errors import perhaps, shortened

_LIKE_AN_OPTION = re.compile(r"--?(?!(?:inf|infinity|nan)$)[a-z]", re.IGNORECASE)
_SIDE_BY_SIDE = (
    "; give one (to detect several, side by side before the options), and a pattern in quotes: 'images/*.jpg'"
)
_NUMBERS: dict[Any, str] = {int: "a whole number", float: "a number"}


@dataclass(frozen=True, slots=True)
class _Argument:
    """A field of a command, as the command line has it."""

    field: str
    flags: tuple[str, ...]  # none: its place says which it is
    shown: str  # as in help: --root DIR
    kinds: tuple[Any, ...]  # what a value may be
    most: int  # values
    is_required: bool


def problem_in(kind: type[Any], name: str, arguments: Sequence[str], unused: Sequence[str] = ()) -> str:
    """Say what is wrong with a command line: the first option that does not fit, or else what is missing.

    Args:
        kind: the command, a dataclass as `tyro` reads it.
        name: what it is called, such as ``"heatprop detect"``.
        arguments: what comes after its name.
        unused: those of them that `tyro` had no use for, where it found nothing else wrong.

    Returns:
        A sentence without its full stop.
    """
    known = list(_arguments_of(kind))
    options = {flag: argument for argument in known for flag in argument.flags}
    places = [argument for argument in known if not argument.flags]
    given: list[_Argument] = []
    loose: list[str] = []
    words = deque(arguments)
    while words:
        word = words.popleft()
        if word == "--":
            loose += words
            break
        flag, values = _split(word, options)
        if flag in options:
            given.append(options[flag])
            while len(values) < given[-1].most and words and not _is_option(words[0]):
                values.append(words.popleft())
            if problem := _misuse(given[-1], flag, values):
                return problem
        elif _is_option(word):
            return f"{name} has no option {shortened(flag)}{perhaps(flag, options)}"
        else:
            loose.append(word)
    for argument, word in zip(places, loose, strict=False):
        given.append(argument)
        if problem := _misfit(argument, argument.field, word):
            return problem
    missing = [argument.shown for argument in known if argument.is_required and argument not in given]
    if missing and not unused:
        return f"missing from {name}: {', '.join(missing)}"
    if not unused:
        return f"{name} cannot read {shortened(shlex.join(arguments))}"
    takes_several = any(place.most > 1 for place in places)
    return f"more than was asked for: {shortened(' '.join(unused))}{_SIDE_BY_SIDE if takes_several else ''}"


def _arguments_of(kind: type[Any]) -> Iterator[_Argument]:
    hints = get_type_hints(kind, include_extras=True)
    for item in fields(kind):
        hint, marks = hints[item.name], ()
        if isinstance(hint, type) and is_dataclass(hint):  # options that commands share
            yield from _arguments_of(hint)
            continue
        if get_origin(hint) is Annotated:
            hint, marks = hint.__origin__, hint.__metadata__
        kinds = (hint,) if get_origin(hint) in (None, Literal) else get_args(hint)
        is_tuple = get_origin(hint) is tuple and tyro.conf.UseAppendAction not in marks
        flags: tuple[str, ...] = ()
        if tyro.conf.Positional not in marks:
            # What was handed to tyro.conf.arg.
            flags = (f"--{item.name.replace('_', '-')}", *chain.from_iterable(_said(marks, "aliases")))
        shown = [*flags[:1], *(_said(marks, "metavar") or ["|".join(_choices(kinds))])]
        yield _Argument(
            item.name,
            flags,
            " ".join(filter(None, shown)),
            kinds,
            most=0 if hint is bool else sys.maxsize if is_tuple else 1,
            is_required=not is_tuple and item.default is MISSING,
        )


def _said(marks: Sequence[Any], name: str) -> list[Any]:
    """Return what was handed to `tyro.conf.arg` by a name."""
    return [value for mark in marks if (value := getattr(mark, name, None)) is not None]


def _split(word: str, options: Collection[str]) -> tuple[str, list[str]]:
    """Return the option in a word and the value joined to it: --alpha=1, --input_size=320, -oout.mp4."""
    if word[:2] in options:
        return word[:2], [word[2:].removeprefix("=")] if word[2:] else []
    flag, equals, value = word.partition("=")
    return flag[:2] + flag[2:].replace("_", "-"), [value] if equals else []


def _is_option(word: str) -> bool:
    return word == "--" or _LIKE_AN_OPTION.match(word) is not None


def _misuse(argument: _Argument, flag: str, values: Sequence[str]) -> str | None:
    if argument.most == 0 and values:
        return f"{flag} takes no value"
    if argument.most == 1 and not values:
        return f"{flag} needs a value"
    return next(filter(None, (_misfit(argument, flag, value) for value in values)), None)


def _misfit(argument: _Argument, name: str, word: str) -> str | None:
    if word == "None" and NoneType in argument.kinds:
        return None
    said = f"{name} is {shortened(repr(word))}; it must be"
    choices = _choices(argument.kinds)
    if choices:
        listed = " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))
        return None if word in choices else f"{said} {listed}{perhaps(word, choices[1:] and choices)}"
    wanted = next((_NUMBERS[kind] for kind in argument.kinds if kind in _NUMBERS and not _reads(kind, word)), None)
    return wanted and f"{said} {wanted}"


def _choices(kinds: Sequence[Any]) -> list[str]:
    return [choice for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]


def _reads(kind: type, word: str) -> bool:
    try:
        kind(word)
    except ValueError:
        return False
    return True
