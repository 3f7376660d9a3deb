"""The page on the architecture names the files that there are."""

import re

from docs.pages import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
SOURCES = ROOT / "src" / "heatprop"
NAMED = set(re.findall(r"\w+\.py\b", PAGE))


def test_every_file_outside_the_research_bench_is_named() -> None:
    rooms = [path for path in SOURCES.rglob("*.py") if path.relative_to(SOURCES).parts[0] != "lab"]
    assert {path.name for path in rooms} - NAMED == set()


def test_every_file_that_is_named_exists() -> None:
    there = [path.name for folder in ("src", "tests", "tools") for path in (ROOT / folder).rglob("*.py")]
    assert NAMED - set(there) == set()


def test_every_room_of_the_research_bench_is_named() -> None:
    assert [path.name for path in (SOURCES / "lab").glob("[a-z]*/") if f"{path.name}/" not in PAGE] == []
