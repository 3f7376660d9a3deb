"""What a measurement was made on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from heatprop.backends.base import usable_processors


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine, as far as speed depends on it.

    Attributes:
        processor: its name.
        processors: how many it has.
        usable: how many of them this process may use.
        system: the operating system, and the kind of processor.
        python: version of Python.
    """

    processor: str
    processors: int
    usable: int
    system: str
    python: str

    @classmethod
    def here(cls) -> Machine:
        """Return what this process runs on."""
        return cls(
            _processor(),
            os.cpu_count() or 1,
            usable_processors(),
            f"{platform.system()} {platform.machine()}",
            platform.python_version(),
        )


def _processor() -> str:
    try:  # Linux: `platform` knows no more than its kind there
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, UnicodeDecodeError):
        return platform.processor() or platform.machine()
