"""Modules that moved import by their old names as well."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import heatprop
from heatprop.moved import MOVED

# What neither PyTorch nor an extra is needed for.
LIGHT = ("heatprop.datasets.coco_video", "heatprop.evaluation.runs.number_lists", "heatprop.synthesis.scenes")


def run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_what_moved_is_where_the_table_says_and_no_longer_where_it_was(old: str, new: str) -> None:
    assert importlib.import_module(new).__name__ == new
    place = Path(heatprop.__file__).parent.joinpath(*old.split(".")[1:])
    assert not [*place.glob("**/*.py"), *place.parent.glob(f"{place.name}.py")]


@pytest.mark.parametrize("old", LIGHT)
@pytest.mark.parametrize("first", ["old", "new"])
def test_both_names_give_one_module_whichever_is_imported_first(old: str, first: str) -> None:
    new = old.replace("heatprop.", "heatprop.lab.")
    order = (old, new) if first == "old" else (new, old)
    done = run(
        "import importlib, sys\n"
        f"one, other = (importlib.import_module(name) for name in {order})\n"
        f"assert one is other is sys.modules[{old!r}] is sys.modules[{new!r}]\n"
        f"assert (one.__name__, one.__spec__.name) == ({new!r}, {new!r})\n"
        f"package, name = one.__name__.rsplit('.', 1)\n"
        "assert getattr(sys.modules[package], name) is one\n"
        "importlib.reload(one)\n",
        "-W",
        "ignore",
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "statement",
    [
        "import heatprop.reproduction.paper as old",
        "from heatprop.reproduction import paper as old",
        "from heatprop.lab.reproduction import paper as old",
        "import heatprop.lab.reproduction.paper as old",
    ],
)
def test_what_moved_twice_imports_by_both_old_names(statement: str) -> None:
    done = run(
        f"{statement}\nfrom heatprop.lab.reproduction import reported\nassert old is reported", "-W", "default"
    )
    assert done.returncode == 0, done.stderr
    assert "is now heatprop.lab.reproduction.reported: import it from there" in done.stderr


@pytest.mark.parametrize(
    "statement",
    [
        "import heatprop.datasets.coco_video as x",
        "from heatprop.datasets.coco_video import load_coco_video",
        "from heatprop.datasets import load_dataset",
        "from heatprop import datasets",
        "import importlib; importlib.import_module('heatprop.datasets')",
        "import importlib; importlib.import_module('.coco_video', 'heatprop.datasets')",
        "__import__('heatprop.datasets')",
    ],
)
def test_the_warning_names_the_new_path_and_points_at_who_imports(statement: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import heatprop\n\n{statement}\n")
    done = subprocess.run(
        [sys.executable, "-W", "default", str(script)], capture_output=True, text=True, check=True
    )
    warnings = [line for line in done.stderr.splitlines() if "Warning" in line]
    now = [f"{old} is now {old.replace('heatprop.', 'heatprop.lab.')}" for old in ("heatprop.datasets", LIGHT[0])]
    expected = [f"{script}:3: DeprecationWarning: {each}: import it from there" for each in now]
    assert warnings == expected[: len(warnings)]
    assert len(warnings) == (2 if "coco_video" in statement else 1)


def test_a_second_import_and_the_new_names_do_not_warn() -> None:
    assert (
        run("import heatprop.lab.datasets.coco_video, heatprop.lab.evaluation.results", "-W", "error").stderr == ""
    )
    done = run(
        "import warnings\nwith warnings.catch_warnings(record=True): import heatprop.datasets\n"
        "warnings.simplefilter('error')\nimport heatprop.datasets"
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "name",
    ["heatprop.datasets.nothing", "heatprop.datasets.coco_video.nothing", "heatprop.nothing", "heatprop.data"],
)
def test_a_name_that_was_never_there_is_not_found_by_that_name(name: str) -> None:
    done = run(f"import {name}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"ModuleNotFoundError: No module named {name!r}")


@pytest.mark.filterwarnings("ignore:heatprop.datasets is now:DeprecationWarning")
def test_looking_for_a_module_says_where_its_file_is() -> None:
    spec = find_spec("heatprop.datasets.coco_video")
    assert spec is not None
    assert spec.origin == str(Path(importlib.import_module("heatprop.lab.datasets.coco_video").__file__ or ""))


def test_pickles_that_name_old_modules_are_read() -> None:
    done = run(
        "import pickle\n"
        "from heatprop.lab.evaluation.runs.number_lists import parse_numbers\n"
        "new = pickle.dumps(parse_numbers, 0)\n"
        "assert pickle.loads(new.replace(b'heatprop.lab.', b'heatprop.')) is parse_numbers\n",
        "-W",
        "ignore",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_the_package_loads_nothing_for_it() -> None:
    done = run("import sys; before = set(sys.modules); import heatprop; print(*sorted(set(sys.modules) - before))")
    assert done.stdout.split() == ["__future__", "heatprop", "heatprop.moved"]
