"""Files that are there whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from heatprop.errors import OutputError
from heatprop.io.whole_files import emptied_beside, read_json, replace_folder, write_json, write_text, write_whole


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


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"

    def write(partial: Path) -> None:
        partial.write_text("mine")
        write_text(path, "the other's")
        assert path.read_text() == "the other's"

    write_whole(path, write)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_processes_that_write_one_file_again_and_again_never_fail(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    code = (
        "from pathlib import Path\nfrom heatprop.io.whole_files import write_text\n"
        f"for number in range(200): write_text(Path({str(path)!r}), 'x' * 5000)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert path.read_text() == "x" * 5000
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "c.txt", tmp_path / ("n" * 300)):
        with pytest.raises(OutputError, match="cannot write") as caught:
            write_text(path, "x")
        assert "\n" not in str(caught.value)


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


def test_text_may_come_in_lines(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "één\ntwo\n")
    write_text(tmp_path / "b.txt", (line for line in ("één\n", "two\n")))
    assert (tmp_path / "a.txt").read_bytes() == (tmp_path / "b.txt").read_bytes() == "één\ntwo\n".encode()


def test_a_folder_is_replaced_when_the_new_one_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "mot"
    for number in range(3):
        partial = emptied_beside(folder)
        assert not list(partial.iterdir())
        (partial / f"{number}.txt").touch()
        if number != 1:  # a run that is killed leaves it so
            replace_folder(partial, folder)
    assert [each.relative_to(tmp_path).as_posix() for each in tmp_path.rglob("*")] == ["mot", "mot/2.txt"]
