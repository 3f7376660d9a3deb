"""Pages of the documentation site that are no files of docs/, and the navigation that grows by itself."""

from __future__ import annotations

import os
import re
from pathlib import Path
from posixpath import relpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"(?<=\]\()([^)#:\s]+)(?=[)#])")


def elsewhere() -> dict[str, Path]:
    """Return the pages that stand beside what they are about: address in the site, and file."""
    cards = {f"models/{path.name}": path for path in sorted((ROOT / "src/heatprop/zoo").glob("*.md"))}
    atlas = ROOT / "src/heatprop/lab/synthesis/atlas/ATTRIBUTION.md"
    return {"changelog.md": ROOT / "CHANGELOG.md", "sprites.md": atlas, **cards}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put files in the place of names that end in *."""
    folder = Path(config.docs_dir)
    pages = sorted([*elsewhere(), *(path.relative_to(folder).as_posix() for path in folder.rglob("*.md"))])
    named = set(_named(config.nav))
    config.nav = _expanded(config.nav, [page for page in pages if page not in named])
    return config


def _named(entry: Any) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    values = entry.values() if isinstance(entry, dict) else entry
    return [name for value in values for name in _named(value)]


def _expanded(entry: Any, pages: list[str]) -> Any:
    if isinstance(entry, dict):
        return {title: _expanded(value, pages) for title, value in entry.items()}
    if not isinstance(entry, list):
        return entry
    grown: list[Any] = []
    for value in entry:
        if isinstance(value, str) and value.endswith("*"):
            grown += [page for page in pages if page.startswith(value[:-1])]
        else:
            grown.append(_expanded(value, pages))
    return grown


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from elsewhere."""
    for address, path in elsewhere().items():
        files.append(File.generated(config, address, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Let links that lead out of docs/, as they do in the repository, lead to the page made of the file."""
    assert page.file.abs_src_path is not None
    here = Path(page.file.abs_src_path).parent
    addresses = {path: address for address, path in elsewhere().items()}

    def moved(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(here / link[1]))
        if target in addresses:
            return relpath(addresses[target], Path(page.file.src_uri).parent.as_posix())
        return link[1]

    return _LINK.sub(moved, markdown)
