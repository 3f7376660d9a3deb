"""Run the campaigns against heatprop: damaged inputs, interruptions, kills, shared folders, full disks.

    python tools/campaign.py                              # all, in full: some hours
    python tools/campaign.py --share 0.01                 # all, a hundredth of each
    python tools/campaign.py videos --runs 50 --seed 3

Prints a table and, last, one JSON object. The exit code is 1 when a run went wrong; its inputs are then kept.
What a run may do is said in docs/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from campaigns.outcomes import Tally

# How many runs each has in full.
CAMPAIGNS = {
    "videos": 1_000,
    "models": 500,
    "annotations": 1_500,
    "interruptions": 500,
    "kills": 100,
    "two_processes": 30,
    "full_disks": 30,
}


def main(arguments: list[str]) -> int:
    """Run what is asked for and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(CAMPAIGNS)}; default: all")
    parser.add_argument("--share", type=float, default=1.0, help="of the full number of runs of each")
    parser.add_argument("--runs", type=int, help="of each, in place of a share")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of what is drawn; default: a new one")
    asked = parser.parse_args(arguments)
    unknown = sorted(set(asked.names) - set(CAMPAIGNS))
    if unknown:
        parser.error(f"there is no campaign {unknown[0]!r}; choose from {', '.join(CAMPAIGNS)}")
    folder = Path(tempfile.mkdtemp(prefix="heatprop-campaign-"))
    print("| campaign | runs | ended | went wrong |\n| --- | --- | --- | --- |")
    tallies = []
    for name in asked.names or CAMPAIGNS:
        runs = asked.runs or max(1, math.ceil(CAMPAIGNS[name] * asked.share))
        tallies.append(_run(name, runs, asked.seed, folder))
    is_well = not any(tally.faults for tally in tallies)
    if is_well:
        shutil.rmtree(folder)
    else:
        print("", *(example for tally in tallies for example in tally.examples), sep="\n")
        print(f"\nThe inputs of what went wrong are in {folder}.")
    print(json.dumps({"seed": asked.seed, "campaigns": [tally.as_json() for tally in tallies]}))
    return 0 if is_well else 1


def _run(name: str, runs: int, seed: int, folder: Path) -> Tally:
    place = folder / name
    place.mkdir()
    tally: Tally = import_module(f"campaigns.{name}").run(runs, seed, place)
    print(tally.row(), flush=True)
    return tally


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
