"""Parse the command line, and say what is wrong with it on one line."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection
from contextlib import redirect_stderr
from difflib import get_close_matches
from typing import TypeVar

from heatprop.errors import HeatpropError

Command = TypeVar("Command")

_SUBJECT_INDENT = 4  # deeper lines are the help of an option


class UsageError(HeatpropError):
    """The command line cannot be read."""


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
    """Return the gist of tyro's framed page: its first paragraph, what was perhaps meant, and where help is.

    Example:
        >>> condense("╭─ Unrecognized options ─────╮\\n│ Unrecognized options: --bet │\\n╰─────────────╯\\n")
        'unrecognized options: --bet; see heatprop --help'
    """
    lines = [line[2:].rstrip(" │") for line in page.splitlines() if line.startswith("│")]
    first = next((i for i, line in enumerate(lines) if line.startswith("───")), len(lines))
    gist = " ".join(
        line.strip() for line in lines[:first] if len(line) - len(line.lstrip()) <= _SUBJECT_INDENT
    ).rstrip(".")
    text = "\n".join(lines)
    for option, meant in re.findall(r"(?:Arguments similar to (\S+)|Perhaps you meant):\n\s+(\S+)", text):
        gist += f"; for {option} perhaps {meant}" if option else f"; perhaps {meant}"
    number = re.match(r"Error parsing (\S+): .*?(int|float)\b.*?: '([^']*)'", gist)
    if number:
        kind = {"int": "a whole number", "float": "a number"}[number[2]]
        gist = f"{number[1]} is {number[3]!r}; it must be {kind}"
    words = re.match(r"Unrecognized options: ([^-].*)", gist)
    if words:
        gist = (
            f"more than was asked for: {words[1]}; give one (to detect several, side by side before the options), "
            "and a pattern in quotes: 'images/*.jpg'"
        )
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
