"""What the command line says on standard error, and how it lets go of standard output."""

from __future__ import annotations

import os
import sys


def error(problem: object) -> None:
    """Say on one line what is wrong."""
    say(f"heatprop: error: {' '.join(str(problem).split())}")


def say(line: str) -> None:
    """Write a line to standard error; what would end it or move the cursor, in a file's name, is spelled out."""
    shown = "".join(each if each.isprintable() else repr(each)[1:-1] for each in line)
    sys.stderr.write(f"{shown}\n")
    sys.stderr.flush()


def close_standard_output() -> None:
    """After a broken pipe: send whatever is still buffered nowhere, so that Python's exit is quiet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
