"""The matrix: which releases are the oldest, and which interpreters are found."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from matrix import Case, find_python, oldest

ROOT = Path(__file__).resolve().parents[2]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_oldest_release_of_every_dependency_is_tried() -> None:
    asked = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["openvino"]]
    pins = oldest(PROJECT)
    assert pins[: len(asked)] == [re.sub(r">=([\d.]+).*", r"==\1.*", each) for each in asked]
    assert len(pins) == len(asked) + len(PROJECT["optional-dependencies"]["demo"])


def test_the_python_that_runs_this_is_found_and_one_that_is_not_there_is_not() -> None:
    here = f"3.{sys.version_info.minor}"
    found = find_python(here)
    assert found is not None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"Python {here}.")
    assert find_python("3.99") is None


def test_a_case_is_a_row_of_a_table() -> None:
    case = Case("3.13", "newest", {"av": "19.0", "numpy": "2.5"}, "passed", "9 passed")
    assert case.row() == "| 3.13 | newest | av 19.0, numpy 2.5 | passed: 9 passed |"
