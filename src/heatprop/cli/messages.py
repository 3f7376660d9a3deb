"""What the command line says on standard error."""

from __future__ import annotations

import sys


def error(problem: object) -> None:
    """Say on one line what is wrong."""
    say(f"heatprop: error: {' '.join(str(problem).split())}")


def say(line: str) -> None:
    """Write a line to standard error; what would end it or move the cursor, in a file's name, is spelled out."""
    shown = "".join(each if each.isprintable() else repr(each)[1:-1] for each in line)
    sys.stderr.write(f"{shown}\n")
    sys.stderr.flush()
