"""The command `heatprop`: one file a command; this one parses, dispatches, and turns errors into exit codes."""

from __future__ import annotations

import errno
import sys
from importlib import metadata
from typing import Annotated, TypeAlias, get_args

import tyro

from heatprop.cli.dataset import Dataset
from heatprop.cli.detect import Detect
from heatprop.cli.evaluate import Evaluate
from heatprop.cli.export import Export
from heatprop.cli.messages import close_standard_output, error
from heatprop.cli.models import Models
from heatprop.cli.score import Score
from heatprop.cli.sweep import Sweep
from heatprop.cli.usage import check_command, parse_quietly
from heatprop.errors import HeatpropError

Command: TypeAlias = (
    Annotated[Dataset, tyro.conf.subcommand("dataset")]
    | Annotated[Detect, tyro.conf.subcommand("detect")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Models, tyro.conf.subcommand("models")]
    | Annotated[Score, tyro.conf.subcommand("score")]
    | Annotated[Sweep, tyro.conf.subcommand("sweep")]
)

_NAMES = [get_args(command)[0].__name__.lower() for command in get_args(Command)]

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
    if arguments[:1] == ["--version"]:
        sys.stdout.write(f"heatprop {metadata.version('heatprop')}\n")
        return 0
    try:
        check_command(arguments, _NAMES)
        return parse_quietly(lambda: _parse(arguments)).run()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except BrokenPipeError:
        close_standard_output()
        return 0
    except (HeatpropError, MemoryError, OSError) as problem:
        return _fail(problem)


def _fail(problem: Exception) -> int:
    """Say in one line what went wrong, and return the exit code; raise it again if it is a fault of heatprop."""
    if isinstance(problem, MemoryError):
        error(f"not enough memory ({problem}); use a smaller model, input or picture")
        return 1
    if isinstance(problem, HeatpropError):
        error(problem)
        return 2
    if isinstance(problem, OSError) and problem.errno == errno.ENAMETOOLONG:
        error(f"{problem.filename}: {problem.strerror}; choose a shorter one")
        return 2
    raise problem


def _parse(arguments: list[str]) -> Dataset | Detect | Evaluate | Export | Models | Score | Sweep:
    command: Dataset | Detect | Evaluate | Export | Models | Score | Sweep = tyro.cli(
        Command, prog="heatprop", description=_DESCRIPTION, args=arguments, config=_MARKERS
    )
    return command
