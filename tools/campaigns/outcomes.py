"""How one run of the command ended, and what is wrong with that."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LONGEST = 120.0
# Lines that libraries write to standard error by themselves.
_FOREIGN = re.compile(
    r"^\[[\w,.:+-]+ @ 0x|Corrupt JPEG|libpng|\[ WARN:|\[ERROR:|TIFFRead|^\w+Warning:", re.MULTILINE
)
_MAX_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    Attributes:
        arguments: of `heatprop`.
        code: its exit code; negative where a signal killed it; None where it hung and was killed.
        stdout: what it wrote on standard output.
        stderr: and on standard error.
    """

    arguments: Sequence[str]
    code: int | None
    stdout: str
    stderr: str

    def fault(self, allowed: Sequence[int] = (0, 1, 2)) -> str | None:
        """Return what is wrong with how it ended, None if nothing is.

        Args:
            allowed: the exit codes that may be.
        """
        if self.code is None:
            return "hangs"
        if "Traceback (most recent call last)" in self.stderr or "Exception ignored" in self.stderr:
            return "traceback"
        if self.code not in allowed:
            return f"killed by {signal.Signals(-self.code).name}" if self.code < 0 else f"exit code {self.code}"
        if self.code and not self.stderr.strip():
            return "fails without a word"
        if _FOREIGN.search(self.stderr):
            return "foreign line"
        return None


@dataclass(slots=True)
class Tally:
    """What a campaign gave.

    Attributes:
        name: of the campaign.
        runs: how many were done.
        outcomes: how many ended in which way.
        faults: how many went wrong in which way; empty when all is well.
        examples: some of those that went wrong, in words.
    """

    name: str
    runs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def count(self, outcome: str, fault: str | None = None, example: str = "") -> None:
        """Count one run: how it ended, and what was wrong with it."""
        self.runs += 1
        self.outcomes[outcome] += 1
        if fault is not None:
            self.faults[fault] += 1
            if len(self.examples) < _MAX_EXAMPLES:
                self.examples.append(f"{fault}: {example}")

    def as_json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "campaign": self.name,
            "runs": self.runs,
            "outcomes": dict(sorted(self.outcomes.items())),
            "faults": dict(sorted(self.faults.items())),
            "examples": self.examples,
        }

    def row(self) -> str:
        """Return it as a row of a table in Markdown: campaign, runs, outcomes, faults."""
        outcomes, faults = (
            ", ".join(f"{count:,} {what}" for what, count in sorted(each.items())) or "none"
            for each in (self.outcomes, self.faults)
        )
        return f"| {self.name} | {self.runs:,} | {outcomes} | {faults} |"


def run_heatprop(
    arguments: Sequence[str | Path],
    folder: Path,
    *,
    longest: float = LONGEST,
    environment: Mapping[str, str] | None = None,
    memory: int | None = None,
) -> Ended:
    """Run `heatprop ARGUMENTS` in a folder and kill it, and all that it started, after `longest` seconds.

    Args:
        arguments: of `heatprop`.
        folder: where it runs.
        longest: seconds after which it counts as hanging.
        environment: variables beside those of this process.
        memory: the most bytes that it may ask for; None for no limit.
    """
    command = [str(argument) for argument in arguments]
    process = start_heatprop(command, folder, environment, memory)
    try:
        stdout, stderr = process.communicate(timeout=longest)
        code: int | None = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        stdout, stderr = process.communicate()
        code = None
    return Ended(command, code, stdout, stderr)


def start_heatprop(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    memory: int | None = None,
) -> subprocess.Popen[str]:
    """Start `heatprop ARGUMENTS` as a shell in a terminal would: SIGINT is not ignored."""

    def prepare() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        if memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    return subprocess.Popen(
        [str(Path(sys.executable).with_name("heatprop")), *arguments],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=prepare,  # noqa: PLW1509 - campaigns have one thread
    )
