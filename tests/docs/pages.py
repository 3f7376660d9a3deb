"""The blocks of code of a page, and what its author says of them.

A block is indented, or fenced with a language. Indented blocks and those called `sh` hold commands, unless they
are JSON. A comment before a block says that it cannot be run everywhere, and why; with strings in brackets it
covers only the lines that contain one of them:

    <!-- not run: needs a camera -->
    <!-- not run (camera:, rtsp:): needs a camera, and a stream on the network -->
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
_MARK = re.compile(r"<!-- not run(?: \((?P<parts>[^)]+)\))?: (?P<reason>.+?) -->\s*", re.DOTALL)


@dataclass(frozen=True)
class Mark:
    """Why a block, or those of its lines that contain one of `parts`, is not run."""

    reason: str
    parts: tuple[str, ...] = ("",)

    def speaks_of(self, line: str) -> bool:
        return any(part in line for part in self.parts)


@dataclass(frozen=True)
class Block:
    """A block of code: its language (`sh` where it says none), where it begins in the page, its text."""

    page: str
    line: int
    language: str
    text: str
    mark: Mark | None

    def __str__(self) -> str:
        return f"{self.page}, line {self.line}"

    def commands(self) -> list[str]:
        """Return its lines of shell, those joined that end in a backslash, without empty ones and comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]

    def is_run(self, line: str) -> bool:
        return self.mark is None or not self.mark.speaks_of(line)


def pages() -> list[str]:
    """Return the pages that have code, by their place in the repository."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    names = [path.relative_to(ROOT).as_posix() for path in found]
    return [name for name in names if any(blocks(name))]


def blocks(page: str) -> Iterator[Block]:
    """Yield the blocks of a page from top to bottom.

    Raises:
        ValueError: a mark stands before something else.
    """
    mark: Mark | None = None
    for token in MarkdownIt().parse((ROOT / page).read_text(encoding="utf-8")):
        line = token.map[0] + 1 if token.map else 0
        if token.type in ("fence", "code_block"):
            language = token.info.strip() or ("json" if _is_json(token.content) else "sh")
            yield Block(page, line, language, token.content, mark)
            mark = None
        elif mark is not None:
            raise ValueError(f"{page}, line {line}: a mark 'not run' must stand right before a block of code")
        elif token.type == "html_block" and (found := _MARK.fullmatch(token.content)):
            parts = [part.strip() for part in (found["parts"] or "").split(",")]
            mark = Mark(found["reason"], tuple(parts))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
