"""What the pages show works: commands are run, programs executed, examples read, in the order of each page."""

from __future__ import annotations

import doctest
import json
import sys
import tomllib
from typing import Any

import numpy as np
import pytest

from docs.commands import CannotRun, parse_line, run_line
from docs.pages import Block, Mark, blocks, pages
from heatprop.lab.training.config_files import parse_config
from heatprop.types import ImageArray

_GRID = (16, 16)


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("page", pages())
def test_what_a_page_shows_works(page: str, street_image: ImageArray) -> None:
    names: dict[str, Any] = {
        # What the snippets say the reader has: an image, and the outputs of a network.
        "image": street_image,
        "heatmap": np.zeros((3, *_GRID)),
        "size": np.ones((2, *_GRID)),
        "offset": np.zeros((2, *_GRID)),
    }
    for block in blocks(page):
        _try(block, names)


def _try(block: Block, names: dict[str, Any]) -> None:
    match block.language:
        case "sh":
            for line in block.commands():
                try:
                    run_line(line) if block.is_run(line) else parse_line(line)
                except CannotRun as reason:
                    pytest.fail(f"{block}: {reason}")
        case "python":
            program = compile(block.text, str(block), "exec")
            if block.is_run(block.text):
                exec(program, names)
        case "pycon":
            examples = doctest.DocTestParser().get_doctest(block.text, names, str(block), block.page, block.line)
            assert doctest.DocTestRunner().run(examples).failed == 0
        case "json":
            json.loads(block.text)
        case "toml":
            parse_config(tomllib.loads(block.text), str(block))
        case "math" | "text":
            pass
        case other:
            pytest.fail(f"{block}: nobody knows how to try {other!r}")


def test_each_mark_speaks_of_a_line() -> None:
    """And is listed: `pytest -rP` shows what is not run, and why."""
    for page in pages():
        for block in blocks(page):
            if block.mark is None:
                continue
            sys.stdout.write(f"{block}: not run: {block.mark.reason}\n")
            lines = block.commands() if block.language == "sh" else [block.text]
            for part in block.mark.parts:
                assert any(Mark("", (part,)).speaks_of(line) for line in lines), f"{block}: no line has {part!r}"


@pytest.mark.parametrize("line", ["wget street.mp4", "torchrun own.py", "pip install other", "python own.py"])
def test_a_line_that_cannot_be_run_must_be_marked(line: str) -> None:
    with pytest.raises(CannotRun, match="mark it"):
        run_line(line)
