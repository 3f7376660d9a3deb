"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from heatprop.errors import OutputError
from heatprop.io.whole_files import read_json, write_json, write_text, write_whole


def test_a_file_is_made_with_its_folders_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.txt"
    write_text(path, "one ä\n")
    write_text(path, "two\n")
    assert path.read_bytes() == b"two\n"
    assert list(path.parent.iterdir()) == [path]


def test_while_it_is_written_the_old_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    write_text(path, "old")

    def write(partial: Path) -> None:
        partial.write_text("half")
        assert path.read_text() == "old"
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        write_whole(path, write)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_killed_runs_left_of_it_goes(tmp_path: Path) -> None:
    path, other = tmp_path / "c.txt", tmp_path / ".d.txt.77.part"
    (tmp_path / ".c.txt.77.part").write_text("half")
    other.write_text("half")
    write_text(path, "whole")
    assert sorted(tmp_path.iterdir()) == [other, path]


def test_a_process_that_is_slower_than_another_leaves_the_others_file(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"

    def write(partial: Path) -> None:
        partial.write_text("mine")
        write_text_of_another(path, partial)

    def write_text_of_another(path: Path, partial: Path) -> None:
        path.write_text("the other's")
        partial.unlink()  # the other tidies up

    write_whole(path, write)
    assert path.read_text() == "the other's"


def test_what_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "c.txt", tmp_path / ("n" * 300)):
        with pytest.raises(OutputError, match="cannot write it") as caught:
            write_text(path, "x")
        assert "\n" not in str(caught.value)
    with pytest.raises(OutputError, match="cannot write it"):
        write_whole(tmp_path / "nothing", lambda partial: None)  # noqa: ARG005


def test_json_comes_back_and_nothing_else_passes(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    write_json(path, {"a": [1, 2.5, None, "ä"]})
    assert read_json(path) == {"a": [1, 2.5, None, "ä"]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, float("nan"))
    for text in ("", "{", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(ValueError):  # noqa: PT011
            read_json(path)
