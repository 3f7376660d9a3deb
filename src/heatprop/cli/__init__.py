"""The command `heatprop`: parses the command line, runs the command it names, and turns errors into exit codes."""

from __future__ import annotations

import errno
import sys
from contextlib import suppress
from importlib import import_module, metadata
from typing import Annotated, Any, Protocol, Union

import tyro

from heatprop.cli.messages import error, say
from heatprop.cli.standard_streams import ReaderLeft, StandardOutputError, close_standard_output, standard_streams
from heatprop.cli.usage import check_command, parse_command
from heatprop.errors import HeatpropError
from heatprop.interrupts import Interrupted, check, handled

_COMMANDS = (
    "app", "bench", "compare", "count", "dataset", "detect", "evaluate", "export", "models", "propagate",
    "reproduce", "score", "sweep", "synthesize", "train",
)  # fmt: skip


class Command(Protocol):
    """A parsed command line; each is the class of its name in the module of its name."""

    def run(self) -> int:
        """Do it and return the exit code."""


_DESCRIPTION = """Steady object detection in video, in real time on an ordinary processor.

Every command explains itself: heatprop detect --help. The version: heatprop --version.

Exit codes: 0 done, 1 failed while working, 2 bad request, 130 or 143 stopped by Ctrl-C or SIGTERM.
(What was finished is kept and valid, whatever the code.)"""
_MARKERS = (tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff)


def main(argv: list[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name; None means `sys.argv`) and return its exit code.

    0: done. 1: failed while working; what was finished is kept and valid. 2: a bad request; nothing is written.
    128 + N: stopped by signal N (130 for Ctrl-C); what was finished is kept and valid.
    """
    arguments = sys.argv[1:] if argv is None else argv
    with handled():
        try:
            with standard_streams():
                return _run(arguments)
        except ReaderLeft:
            return 0
        except StandardOutputError as problem:
            with suppress(OSError, ValueError, AttributeError):
                error(problem)
            return 1


def _run(arguments: list[str]) -> int:
    try:
        if arguments[:1] == ["--version"]:
            sys.stdout.write(f"heatprop {metadata.version('heatprop')}\n")
            return 0
        check_command(arguments, _COMMANDS)
        command = _command(arguments)
        check()
        return command.run()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except StandardOutputError:
        raise
    except BrokenPipeError:
        close_standard_output()
        return 0
    except Interrupted as interrupted:  # before a command was ready for it: nothing is begun
        say("heatprop: interrupted; nothing is written")
        return interrupted.exit_code
    except (HeatpropError, MemoryError, OSError) as problem:
        return _fail(problem)


def _fail(problem: Exception) -> int:
    """Say in one line what went wrong, and return the exit code; raise it again if it is a fault of heatprop."""
    if isinstance(problem, MemoryError):
        error(f"not enough memory ({problem}); use a smaller model, input or image")
        return 1
    if isinstance(problem, HeatpropError):
        error(problem)
        return 2
    if isinstance(problem, OSError) and problem.errno == errno.ENAMETOOLONG:
        error(f"{problem.filename}: {problem.strerror}; choose a shorter one")
        return 2
    raise problem


def _command(arguments: list[str]) -> Command:
    """Parse a command line.

    Raises:
        UsageError: it cannot be read.
        SystemExit: help was asked for and printed.
    """
    if arguments[:1] and arguments[0] in _COMMANDS:
        # Only this one is imported: to import them all takes longer than many a command.
        name = arguments[0]
        command: Command = parse_command(_load(name), f"heatprop {name}", arguments[1:], _MARKERS)
        return command
    commands = [Annotated[_load(name), tyro.conf.subcommand(name)] for name in _COMMANDS]
    kind: Any = Union[tuple(commands)]  # noqa: UP007 - of types that are known only here
    # This prints help, or what completes words in a shell, and exits.
    command = tyro.cli(kind, prog="heatprop", description=_DESCRIPTION, args=arguments, config=_MARKERS)
    return command


def _load(name: str) -> Any:
    return getattr(import_module(f"heatprop.cli.{name}"), name.capitalize())
