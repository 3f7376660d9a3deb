"""The command `heatprop`, and `python -m heatprop`: signals are cared for before anything heavy is imported."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

from heatprop.interrupts import install, pending


def command() -> NoReturn:
    """Run the command line of this process and end the process with its exit code."""
    install()
    from heatprop.cli import main  # noqa: PLC0415 - takes a good part of a second

    code = main()
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if pending() is not None:
        # A thread that waits for data which does not come, or for a library, is not waited for.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    command()
