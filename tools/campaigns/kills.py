"""Commands that are killed at random moments and run again: they end as if nothing had happened."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

from campaigns.outcomes import Tally, run_heatprop, start_heatprop
from campaigns.resumable import Resumable, contents_of, difference, resumable_commands

_MAX_KILLS = 3


def run(runs: int, seed: int, folder: Path) -> Tally:
    """Kill `runs` commands up to three times each, and let them finish."""
    draw = random.Random(seed)
    tally = Tally("kills")
    commands = resumable_commands(folder)
    for number in range(runs):
        command = commands[number % len(commands)]
        place = folder / f"{number}-{command.name}"
        place.mkdir()
        killed = sum(
            _kill_once(command, place, draw, again=turn > 0) for turn in range(draw.randint(1, _MAX_KILLS))
        )
        ended = run_heatprop(command.again, place)
        fault = ended.fault(allowed=(0,))
        name = difference(command.contents, contents_of(place)) if fault is None else None
        if name is not None:
            fault = "ends otherwise"
        outcome = f"{command.name} killed" if killed else f"{command.name} was faster"
        tally.count(outcome, fault, f"{place}, {name}: {ended.stderr.strip()[-300:]}")
        if fault is None:
            shutil.rmtree(place)
    return tally


def _kill_once(command: Resumable, place: Path, draw: random.Random, *, again: bool) -> bool:
    """Run a command and kill it at a random moment; return whether it had not ended before."""
    process = start_heatprop(command.again if again else command.arguments, place)
    end = time.monotonic() + draw.uniform(0, command.seconds)
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    was_running = process.poll() is None
    if was_running:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return was_running
