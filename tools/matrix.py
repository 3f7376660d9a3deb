"""Try heatprop on every Python of this machine, with the newest and the oldest releases of what it needs.

    python tools/matrix.py             # the demo and the tests that need no PyTorch: some minutes an interpreter
    python tools/matrix.py --short     # install, import, detect in 20 frames
    python tools/matrix.py --only 3.13

Each case has a clean environment of its own. The oldest releases that `pyproject.toml` allows are tried on the
oldest Python that it names. Prints a table and, last, one JSON object; the exit code is 1 when a case fails.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_EXTRA = "openvino,demo,test"
_SHOWN = (
    "av",
    "numpy",
    "opencv-python-headless",
    "onnxruntime",
    "openvino",
    "rich",
    "tyro",
    "filelock",
    "msgspec",
)
_DETECT = """
import sys
sys.path.insert(0, "tools")
from demo import find_clip
from heatprop.cli import main
sys.exit(main(["detect", str(find_clip()), "--max-frames", "20", "-o", sys.argv[1], "--json", sys.argv[2]]))
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One environment and what came of it.

    Attributes:
        python: version of the interpreter, such as ``3.12``.
        releases: ``newest`` or ``oldest``.
        versions: of the packages that shape the numbers.
        result: ``passed``, or what failed.
        said: the last line of the tests, or of what failed.
    """

    python: str
    releases: str
    versions: dict[str, str]
    result: str
    said: str

    def row(self) -> str:
        """Return it as a row of a table in Markdown."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return f"| {self.python} | {self.releases} | {versions} | {self.result}: {self.said} |"


def main(arguments: list[str]) -> int:
    """Try all cases and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="install, import, detect in 20 frames")
    parser.add_argument("--only", metavar="VERSION", help="one version of Python, such as 3.13")
    asked = parser.parse_args(arguments)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    found = {version: path for version in named if (path := find_python(version))}
    wanted = [(version, "newest") for version in found] + [(version, "oldest") for version in list(found)[:1]]
    wanted = [(version, releases) for version, releases in wanted if asked.only in (None, version)]
    if not wanted:
        parser.error(f"none of Python {', '.join(named)} is on this machine, or not the one asked for")
    for version in named:
        if version not in found:
            print(f"Python {version} is not on this machine; skipped", flush=True)
    print("| Python | releases | versions | result |\n| --- | --- | --- | --- |", flush=True)
    cases = []
    for version, releases in wanted:
        case = try_case(version, found[version], project if releases == "oldest" else None, short=asked.short)
        cases.append(case)
        print(case.row(), flush=True)
    print(json.dumps([asdict(case) for case in cases]))
    return 0 if all(case.result == "passed" for case in cases) else 1


def find_python(version: str) -> str | None:
    """Return the path of an interpreter of a version: on the path, or where pyenv and uv keep theirs."""
    places = [
        Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions",
        Path.home() / ".local" / "share" / "uv" / "python",
    ]
    kept = [path for place in places for path in sorted(place.glob(f"*{version}*/bin/python{version}"))]
    for path in [*map(str, kept), shutil.which(f"python{version}")]:
        # A shim of pyenv is there for versions that are not.
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    return None


def oldest(project: dict[str, object]) -> list[str]:
    """Return the oldest release that each dependency of the project's own and of the tried extras may have.

    >>> oldest({"dependencies": ["numpy>=1.26", "filelock>=3.30,<5"], "optional-dependencies": {}})
    ['numpy==1.26.*', 'filelock==3.30.*']
    """
    extras = project["optional-dependencies"]
    dependencies = project["dependencies"]
    assert isinstance(extras, dict)
    assert isinstance(dependencies, list)
    all_of_them = [*dependencies, *extras.get("openvino", []), *extras.get("demo", [])]
    found = [re.match(r"([\w.-]+)(?:\[[^]]*\])?>=([\d.]+)", each) for each in all_of_them]
    return [f"{each[1]}=={each[2]}.*" for each in found if each]


def try_case(version: str, python: str, oldest_of: dict[str, object] | None, *, short: bool) -> Case:
    """Make an environment and run what is asked for in it."""
    releases = "newest" if oldest_of is None else "oldest"
    pins = [] if oldest_of is None else oldest(oldest_of)
    versions: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="heatprop-matrix-") as folder:
        place = Path(folder)
        inside = place / "venv" / "bin" / "python"
        steps = {
            "environment": [python, "-m", "venv", str(place / "venv")],
            "install": [str(inside), "-m", "pip", "install", "--quiet", f"{ROOT}[{_EXTRA}]", *pins],
            "trackeval": [str(inside), "-m", "pip", "install", "--quiet", "--no-deps", "trackeval"],
            "import": [str(inside), "-c", "import heatprop; heatprop.VideoDetector"],
            "detect": [str(inside), "-c", _DETECT, str(place / "out.mp4"), str(place / "out.jsonl")],
        }
        if not short:
            steps["demo"] = [str(inside), str(ROOT / "tools" / "demo.py")]
            tests = ["-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider", str(ROOT / "tests")]
            steps["tests"] = [str(inside), *tests, "--rootdir", str(ROOT)]
        said = ""
        for name, step in steps.items():
            working = place if name == "demo" else ROOT
            done = subprocess.run(step, cwd=working, capture_output=True, text=True, check=False)
            if name == "install":
                versions = _versions(inside)
            lines = (done.stdout if name == "tests" else done.stdout + done.stderr).strip().splitlines()
            said = lines[-1].strip("= ") if lines and name in ("tests", "detect") else said
            if done.returncode:
                print(done.stdout[-4_000:] + done.stderr[-4_000:], file=sys.stderr, flush=True)
                return Case(version, releases, versions, f"{name} failed", lines[-1] if lines else "")
    return Case(version, releases, versions, "passed", said)


def _versions(python: Path) -> dict[str, str]:
    listed = subprocess.run(
        [str(python), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found = {each["name"].lower(): each["version"] for each in json.loads(listed.stdout)}
    except ValueError:
        return {}
    return {name: found[name] for name in _SHOWN if name in found}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
