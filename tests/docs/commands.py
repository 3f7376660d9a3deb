"""Runs the lines of shell that a page shows, or at least checks those that cannot be run here."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

from docs.pages import ROOT
from heatprop.cli import _command, main

# What a reader does in hours is done here in seconds: these options take the place of the page's.
SMALL = {
    "synthesize": ["--videos", "2", "--frames", "4", "--stills", "4", "--width", "96", "--height", "72"],
    "reproduce": ["--root", "ILSVRC2015", "--split", "val", "--model", "vid.onnx"],
    "train": [
        *("--set", "model.width=0.125", "--set", "model.input_side=64"),
        *("--set", "schedule.epochs=1", "--set", "schedule.batch_size=2"),
        *("--set", "run.checkpoint_steps=1000", "--set", "run.threads=1", "--set", "run.tensorboard=false"),
    ],
}
_LONG_FLAGS = {"--quick"}  # of reproduce: minutes
_reproduced: set[tuple[str, ...]] = set()
_SHELL = re.compile(r"[|;&<>]|\$[({\w]")


class CannotRun(Exception):  # noqa: N818 - what the page says is at fault, not the run
    """A line is nothing that can be run or checked here; its page must mark it."""


def run_line(line: str) -> None:
    """Run a line in the current folder.

    Raises:
        CannotRun: nothing is known about such a line.
        AssertionError: it fails.
    """
    words = shlex.split(line, comments=True)
    if _SHELL.search(line.split(" #", maxsplit=1)[0]) and "heatprop" in line:
        _run_in_shell(line)
    elif words[0] == "heatprop":
        _run(_made_small(words[1:]))
    elif words[:2] == ["pip", "install"]:
        _check_requirements(words[2:])
    elif words[0] == "make":
        done = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    elif words[0] == "python" and (ROOT / words[1]).is_file():
        _check_options(words[1:])
    else:
        raise CannotRun(f"{line!r} cannot be run here; mark it: <!-- not run: why -->")


def _run(arguments: list[str]) -> None:
    _forget_default_outputs()
    if arguments[0] == "reproduce":
        report = arguments.index("-o") + 1
        rest = (*arguments[:report], *arguments[report + 1 :])
        if rest in _reproduced:  # pages differ in what is made small here; the same report once is enough
            _command(arguments)
            return
        _reproduced.add(rest)
    code = main(arguments)
    assert code == 0, f"heatprop {shlex.join(arguments)} ended with {code}"


def parse_line(line: str) -> None:
    """Check that the heatprop command in a line that is not run would be understood, as far as there is one.

    Raises:
        UsageError: it would not.
    """
    words = shlex.split(line, comments=True)
    for start in (["heatprop"], ["-m", "heatprop.cli"]):
        for place in range(len(words)):
            if words[place : place + len(start)] == start:
                _command(words[place + len(start) :])
                return


def _made_small(arguments: list[str]) -> list[str]:
    small = SMALL.get(arguments[0], [])
    options = {word for word in small if word.startswith("--")} - {"--set"}
    arguments = [word for word in arguments if not (arguments[0] == "reproduce" and word in _LONG_FLAGS)]
    kept: list[str] = []
    skipping = False
    for word in arguments:
        skipping = word in options or (skipping and not word.startswith("-"))
        if not skipping:
            kept.append(word)
    return [*kept, *small]


def _forget_default_outputs() -> None:
    """Each line of a page is for a reader who may not have tried the one before it."""
    for path in Path().glob("*.heatprop.mp4"):
        path.unlink()


def _run_in_shell(line: str) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", line],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{line!r} ended with {done.returncode}: {done.stderr}"


def _check_requirements(words: list[str]) -> None:
    """The extras that a page asks for exist."""
    assert version("heatprop")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for word in words:
        own = re.fullmatch(r"(?:\.|heatprop)\[([\w,]+)\]", word)
        if own is None:
            raise CannotRun(f"pip install {word}: no extra of heatprop; mark it")
        assert set(own[1].split(",")) <= set(extras), f"there is no such extra: {word}"


def _check_options(words: list[str]) -> None:
    """A script of this project knows the options that a page gives it."""
    script, *options = words
    shown = subprocess.run(
        [sys.executable, str(ROOT / script), "--help"], capture_output=True, text=True, timeout=240, check=False
    )
    assert shown.returncode == 0, shown.stderr
    for option in options:
        if option.startswith("--"):
            assert option in shown.stdout, f"{script} has no option {option}"
