"""The documentation site builds without a warning, names everything public, and asks nobody for anything."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from docs.pages import ROOT

PUBLIC = (
    "heatprop",
    "heatprop.backends",
    "heatprop.counting",
    "heatprop.lab.datasets",
    "heatprop.io",
    "heatprop.lab.networks",
    "heatprop.zoo",
)
# Types of arguments, and a default, which the functions that take them explain.
EXPLAINED = {"Anchor", "BackendName", "Device", "LEAST_FRAMES", "Layout", "Precision"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does; a link that leads nowhere, or a page that no menu has, ends it."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    documented = names_in(site / "objects.inv")
    for module in PUBLIC:
        names = set(importlib.import_module(module).__all__) - EXPLAINED
        assert {f"{module}.{name}" for name in names} <= documented


def names_in(inventory: Path) -> set[str]:
    """Return what other sites may link to: four lines of header, then compressed lines that begin with a name."""
    packed = inventory.read_bytes().split(b"\n", 4)[4]
    return {line.split(" ", 1)[0] for line in zlib.decompress(packed).decode().splitlines()}


def test_no_page_loads_anything_from_the_network(site: Path) -> None:
    loading = re.compile(r"<(?:script|link|img|iframe|source|video)\b[^>]*?(?:src|href)=\"?(?:https?:)?//[^>]*>")
    for page in site.rglob("*.html"):
        assert loading.findall(page.read_text(encoding="utf-8")) == [], page
    for sheet in site.rglob("*.css"):
        assert re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")) == []


def test_equations_are_set_when_the_site_is_built(site: Path) -> None:
    method = (site / "method.html").read_text(encoding="utf-8")
    written = (ROOT / "docs" / "method.md").read_text(encoding="utf-8").count("```math")
    assert method.count("<math ") == written > 0
    assert "\\frac" not in method


def test_examples_of_docstrings_are_shown_as_code(site: Path) -> None:
    page = (site / "reference" / "detector.html").read_text(encoding="utf-8")
    assert "Examples:" in page
    assert "<blockquote>" not in page


def test_pages_beside_the_code_are_in_the_site(site: Path) -> None:
    assert "Keep a Changelog" in (site / "changelog.html").read_text(encoding="utf-8")
    assert 'href="../sprites.html"' in (site / "guides" / "synthetic.html").read_text(encoding="utf-8")
    assert 'href="models/mb3-coco.html"' in (site / "index.html").read_text(encoding="utf-8")
