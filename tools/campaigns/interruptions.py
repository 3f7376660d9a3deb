"""Commands that are asked to stop at random moments, once or twice, and then run again.

Each ends at once with the shell's code for the signal (130, 143), without a traceback and with no process left;
the run that follows ends as if nothing had happened. Only the second signal, and one that comes before heatprop's
first line, may kill; shells show the same codes then.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import heatprop
from campaigns.outcomes import Ended, Tally, run_heatprop, start_heatprop
from campaigns.resumable import Resumable, contents_of, difference, resumable_commands

# What goes on for longer after a signal hangs.
_LONGEST_TO_STOP = 30.0
_MAX_BETWEEN_TWO = 0.5
# So long, in seconds, the interpreter may take on a busy machine until it begins with heatprop.
_LONGEST_TO_BEGIN = 0.3
# Files of the package that a traceback names, and those that are loaded before signals can be cared for.
_OURS = re.compile(re.escape(str(Path(heatprop.__file__).parent)) + r"/([\w/]+\.py)\", line \d+, in (?!command)")
_EARLIEST = {"__init__.py", "__main__.py", "moved.py"}


def run(runs: int, seed: int, folder: Path) -> Tally:
    """Interrupt `runs` commands at random moments from 0 seconds on, and let each finish."""
    draw = random.Random(seed)
    tally = Tally("interruptions")
    commands = resumable_commands(folder)
    for number in range(runs):
        command = commands[number % len(commands)]
        place = folder / f"{number}-{command.name}"
        place.mkdir()
        outcome, fault, said = _interrupt_and_finish(command, place, draw)
        tally.count(f"{command.name} {outcome}", fault, f"{place}: {said}")
        if fault is None:
            shutil.rmtree(place)
    return tally


def _interrupt_and_finish(command: Resumable, place: Path, draw: random.Random) -> tuple[str, str | None, str]:
    number = draw.choice((signal.SIGINT, signal.SIGTERM))
    moments = [draw.uniform(0, command.seconds)]
    if draw.random() < 0.5:
        moments.append(moments[0] + draw.uniform(0, _MAX_BETWEEN_TWO))
    ended = _interrupt(command, place, number, moments, is_terminal=draw.random() < 0.5)
    may_kill = len(moments) > 1 or moments[0] < _LONGEST_TO_BEGIN
    outcome, fault = judge(ended, number, may_kill=may_kill)
    what = f"{number.name} at {', '.join(f'{moment:.3f} s' for moment in moments)}"
    if fault is not None:
        return outcome, fault, f"{what}, code {ended.code}: {ended.stderr.strip()[-600:]}"
    again = run_heatprop(command.again, place)
    fault = again.fault(allowed=(0,))
    name = difference(command.contents, contents_of(place)) if fault is None else None
    if name is not None:
        fault = "ends otherwise"
    return outcome, fault, f"{what}, {outcome}; then {name}: {again.stderr.strip()[-300:]}"


def _interrupt(
    command: Resumable, place: Path, number: signal.Signals, moments: list[float], *, is_terminal: bool
) -> Ended:
    """Run a command and send it a signal at moments, in seconds since its start; as `None` ends what hangs.

    A terminal sends Ctrl-C to all processes of a command, `kill` to the first.
    """
    process = start_heatprop(command.arguments, place)
    began = time.monotonic()
    for moment in moments:
        try:
            process.wait(max(0.0, began + moment - time.monotonic()))
        except subprocess.TimeoutExpired:
            (os.killpg if is_terminal else os.kill)(process.pid, number)
    try:
        stdout, stderr = process.communicate(timeout=_LONGEST_TO_STOP)
        code: int | None = process.returncode
    except subprocess.TimeoutExpired:
        code = None
    try:
        os.killpg(process.pid, signal.SIGKILL)
        has_left = code is not None
    except ProcessLookupError:
        has_left = False
    if code is None:
        stdout, stderr = process.communicate()
    return Ended(command.arguments, code, stdout, f"{stderr}\n{_LEFT}" if has_left else stderr)


_LEFT = "a process is left"


def judge(ended: Ended, number: signal.Signals, *, may_kill: bool) -> tuple[str, str | None]:
    """Say how a command ended that was sent a signal, and what is wrong with that.

    >>> judge(Ended(["detect"], 130, "", ""), signal.SIGINT, may_kill=False)
    ('stopped', None)
    >>> judge(Ended(["detect"], -2, "", ""), signal.SIGINT, may_kill=False)
    ('killed', 'killed by SIGINT')
    >>> judge(Ended(["detect"], 1, "", "heatprop: error: no room"), signal.SIGINT, may_kill=True)
    ('failed', 'exit code 1')
    """
    if ended.stderr.endswith(_LEFT):
        return "ended", "leaves a process"
    if "KeyboardInterrupt" in ended.stderr and set(_OURS.findall(ended.stderr)) <= _EARLIEST:
        return "came too early for heatprop", None  # the interpreter's start, up to our first line of work
    if ended.code == 128 + number:
        outcome = "stopped"
    elif ended.code == -number:
        outcome = "killed"
    else:
        outcome = "was faster" if ended.code == 0 else "failed"
    allowed = (0, 128 + number, -number) if may_kill else (0, 128 + number)
    fault = None if ended.code in allowed and not ended.code else ended.fault(allowed)
    # With --quiet, the code says it.
    return outcome, None if fault == "fails without a word" and ended.code in allowed else fault
