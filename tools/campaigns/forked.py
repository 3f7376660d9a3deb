"""Commands in children of this process: what they need is imported once, which else would take most time."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from campaigns.outcomes import LONGEST, Ended
from heatprop.cli import main

_PAUSE = 0.005


def run_forked(arguments: Sequence[str | Path], folder: Path, *, longest: float = LONGEST) -> Ended:
    """Run `heatprop ARGUMENTS` in a folder, as `run_heatprop` does, in a fork of this process.

    Nothing that starts threads may have been used in this process.
    """
    command = [str(argument) for argument in arguments]
    streams = folder / ".stdout", folder / ".stderr"
    sys.stdout.flush()  # what waits there would be written by the fork, too
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _become(command, folder, streams)
    code = _wait(child, longest)
    stdout, stderr = (stream.read_text(errors="replace") for stream in streams)
    for stream in streams:
        stream.unlink()
    return Ended(command, code, stdout, stderr)


def _become(command: list[str], folder: Path, streams: Sequence[Path]) -> None:
    """Be the command, and never return."""
    code = 99
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, stream in enumerate(streams, 1):
            os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.chdir(folder)
        code = main(command)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _wait(child: int, longest: float) -> int | None:
    """Return the exit code, negative where a signal ended it; None where it hung and was killed."""
    end = time.monotonic() + longest
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(_PAUSE)
