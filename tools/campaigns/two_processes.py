"""The same command twice at once in one folder: one does the work, the other says so, and nothing is lost."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

from campaigns.outcomes import LONGEST, Ended, Tally, run_heatprop, start_heatprop
from campaigns.resumable import Resumable, contents_of, difference, resumable_commands


def run(runs: int, seed: int, folder: Path) -> Tally:
    """Start `runs` commands twice, a random moment apart, and once more when both have ended."""
    draw = random.Random(seed)
    tally = Tally("two_processes")
    commands = resumable_commands(folder)
    for number in range(runs):
        command = commands[number % len(commands)]
        place = folder / f"{number}-{command.name}"
        place.mkdir()
        outcome, fault, said = _both(command, place, draw.choice((0.0, draw.uniform(0, command.seconds))))
        tally.count(f"{command.name}: {outcome}", fault, f"{place}: {said}")
        if fault is None:
            shutil.rmtree(place)
    return tally


def _both(command: Resumable, place: Path, apart: float) -> tuple[str, str | None, str]:
    processes = [start_heatprop(command.arguments, place)]
    time.sleep(apart)
    processes.append(start_heatprop(command.arguments, place))
    ended = []
    for process in processes:
        stdout, stderr = process.communicate(timeout=2 * LONGEST)
        ended.append(Ended(command.arguments, process.returncode, stdout, stderr))
    said = " | ".join(each.stderr.strip()[-300:] for each in ended)
    fault = next((fault for each in ended if (fault := each.fault(allowed=(0, 2)))), None)
    refused = sum(each.code == 2 for each in ended)
    if fault is None and refused == len(ended):
        fault = "both are refused"
    if fault is None and (name := difference(command.contents, contents_of(place))):
        fault, said = "differs", f"{name}: {said}"
    if fault is None:
        again = run_heatprop(command.again, place)
        fault, said = again.fault(allowed=(0,)), again.stderr
        if fault is None and (name := difference(command.contents, contents_of(place))):
            fault, said = "differs after a third run", f"{name}: {said}"
    return ("one refused" if refused else "one after the other"), fault, said
