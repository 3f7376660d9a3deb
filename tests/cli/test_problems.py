"""Whatever is wrong with a command line, something is found to say about it."""

import io
import os
import subprocess
from contextlib import redirect_stdout

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.conftest import command
from heatprop.cli import _COMMANDS, _command
from heatprop.cli.usage import UsageError

OPTIONS = (
    "--alpha", "--beta", "--backend", "--dataset", "--root", "--split", "--metric", "--seed", "--jobs", "--json",
    "--quiet", "--quick", "--model", "--output", "-o", "--set", "--dial", "--config", "--cache", "--input-size",
    "--input_size", "--threshold", "--layout", "--bogus", "-q", "--radius=2", "--radius=x", "--quiet=1",
)  # fmt: skip
VALUES = ("a.mp4", "check", "1", "-1", "0.5", "-inf", "None", "", "-", "coco-video", "auto", "x y", "all")


@given(st.sampled_from(_COMMANDS), st.lists(st.sampled_from(OPTIONS + VALUES), max_size=8))
def test_every_refusal_names_a_reason(name: str, arguments: list[str]) -> None:
    refusal = ""
    try:
        _command([name, *arguments])
    except UsageError as problem:
        refusal = str(problem)
    assert "cannot read" not in refusal
    assert not refusal or refusal.endswith(f"; see heatprop {name} --help")


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_the_reason_does_not_depend_on_what_a_terminal_can_draw(encoding: str) -> None:
    done = subprocess.run(
        command("score"),
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("heatprop: error: missing from heatprop score: DETECTIONS")


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    said = io.StringIO()
    with redirect_stdout(said), pytest.raises(SystemExit) as stop:
        _command([name, "--help"])
    assert not stop.value.code
    assert f"heatprop {name}" in said.getvalue()
