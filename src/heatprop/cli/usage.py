"""Parse the command line, and say what is wrong with it on one line."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection, Sequence
from contextlib import redirect_stderr
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, TypeVar

import tyro

from heatprop.errors import HeatpropError

Command = TypeVar("Command")

_SUBJECT_INDENT = 4  # deeper lines are the help of an option


class UsageError(HeatpropError):
    """The command line cannot be read."""


def parse_command(kind: type[Command], name: str, arguments: Sequence[str], markers: Sequence[Any]) -> Command:
    """Parse the arguments of a command.

    Args:
        kind: the command, a dataclass.
        name: what it is called, such as ``"heatprop detect"``.
        arguments: what comes after its name.
        markers: of `tyro.conf`.

    Raises:
        UsageError: the command line is wrong; what is unknown is answered by what this command has.
        SystemExit: help was asked for and printed.
    """
    command, unknown = parse_quietly(
        lambda: tyro.cli(kind, prog=name, args=arguments, config=markers, return_unknown_args=True)
    )
    if unknown:
        raise UsageError(f"{_unknown(kind, name, unknown)}; see {name} --help")
    return command


def _unknown(kind: type[Any], name: str, unknown: Sequence[str]) -> str:
    option = next((word for word in unknown if word.startswith("-")), None)
    if option is None:
        return (
            f"more than was asked for: {' '.join(unknown)}; give one (to detect several, side by side before the "
            "options), and a pattern in quotes: 'images/*.jpg'"
        )
    option = option.partition("=")[0]
    known = [f"--{item.name.replace('_', '-')}" for item in fields(kind) if "Positional" not in str(item.type)]
    near = get_close_matches(option, known, n=1)
    return f"{name} has no option {option}" + (f"; perhaps {near[0]}" if near else "")


def parse_quietly(parse: Callable[[], Command]) -> Command:
    """Call a parser that prints a framed page about mistakes and exits, and raise one line instead.

    Raises:
        UsageError: the command line is wrong.
        SystemExit: help was asked for and printed.
    """
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return parse()
    except SystemExit as stop:
        if not stop.code:
            raise
        raise UsageError(condense(said.getvalue())) from None


def condense(page: str) -> str:
    """Return the gist of tyro's framed page: its first paragraph, and where help is.

    Example:
        >>> condense("╭─ Required options ────────────╮\\n│ Required options: --root DIR │\\n╰────────────╯\\n")
        'required options: --root DIR; see heatprop --help'
    """
    lines = [line[2:].rstrip(" │") for line in page.splitlines() if line.startswith("│")]
    first = next((i for i, line in enumerate(lines) if line.startswith("───")), len(lines))
    gist = " ".join(
        line.strip() for line in lines[:first] if len(line) - len(line.lstrip()) <= _SUBJECT_INDENT
    ).rstrip(".")
    number = re.match(r"Error parsing (\S+): .*?(int|float)\b.*?: '([^']*)'", gist)
    if number:
        kind = {"int": "a whole number", "float": "a number"}[number[2]]
        gist = f"{number[1]} is {number[3]!r}; it must be {kind}"
    command = re.search(r"heatprop (?:\w+ )?--help", "\n".join(lines[first:]))
    return f"{gist[:1].lower()}{gist[1:]}; see {command[0] if command else 'heatprop --help'}"


def check_command(arguments: list[str], commands: Collection[str]) -> None:
    """Check that a command line begins with a command, and say what was perhaps meant.

    Raises:
        UsageError: it begins with another word.
    """
    if arguments and not arguments[0].startswith("-") and arguments[0] not in commands:
        word = arguments[0]
        near = get_close_matches(word, commands, n=1)
        perhaps = f"perhaps heatprop {near[0]}" if near else f"perhaps heatprop detect {word}"
        raise UsageError(f"there is no command {word!r}; {perhaps}; see heatprop --help")
