"""Parse the command line, and say what is wrong with it on one line."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from contextlib import redirect_stderr
from typing import Any, TypeVar

import tyro

from heatprop.cli.problems import problem_in
from heatprop.errors import HeatpropError, perhaps, shortened

Command = TypeVar("Command")


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
        UsageError: the command line is wrong.
        SystemExit: help was asked for and printed.
    """
    unknown: Sequence[str] = ()
    try:
        with redirect_stderr(io.StringIO()):  # tyro draws a page about what is wrong
            command, unknown = tyro.cli(kind, prog=name, args=arguments, config=markers, return_unknown_args=True)
        if not unknown:
            return command
    except SystemExit as stop:
        if not stop.code:
            raise
    raise UsageError(f"{problem_in(kind, name, arguments, unknown)}; see {name} --help")


def check_command(arguments: Sequence[str], commands: Collection[str]) -> None:
    """Check that a command line begins with a command or asks for help, and say what was perhaps meant.

    Raises:
        UsageError: it begins with something else, or there is nothing.
    """
    if not arguments:
        raise UsageError(f"missing from heatprop: one of {', '.join(commands)}; see heatprop --help")
    word = arguments[0]
    if word in commands or word in ("-h", "--help") or word.startswith("--tyro-"):
        return
    if word.startswith("-"):
        raise UsageError(f"heatprop has no option {shortened(word)} before a command; see heatprop --help")
    meant = perhaps(word, commands, "heatprop ") or f"; perhaps heatprop detect {word}"
    raise UsageError(f"there is no command {word!r}{meant}; see heatprop --help")
