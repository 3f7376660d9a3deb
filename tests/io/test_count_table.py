"""A table of counts is whole rows, comes back as it was written, and says whether it is complete."""

import csv
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.errors import InvalidArrayError, OutputExistsError
from heatprop.io.completeness import Completeness, count_frames, state_of
from heatprop.io.count_table import ALL, CountRow, CountTable
from heatprop.io.outputs import find_leftovers

COLUMNS = ["frame", "time", "what", "name", "direction", "class", "count"]
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def two(count: int) -> list[CountRow]:
    return [CountRow("objects", "", "", ALL, count), CountRow("line", "door", "left to right", ALL, 0)]


@given(st.lists(st.tuples(st.floats(0, 1e6), names, names, st.integers(0, 10**9)), max_size=5))
def test_what_is_written_comes_back(tmp_path_factory: pytest.TempPathFactory, frames) -> None:
    path = tmp_path_factory.mktemp("counts") / "out.csv"
    table = CountTable(path)
    for index, (time, name, kind, number) in enumerate(frames):
        table.write(index, time, [CountRow("zone", name, "", kind, number)])
    table.close()
    *rows, end = rows_of(path)
    assert [(float(row["time"]), row["name"], row["class"], int(row["count"])) for row in rows] == [
        (round(time, 6), name, kind, number) for time, name, kind, number in frames
    ]
    assert list(end) == COLUMNS
    assert (end["what"], end["name"], int(end["count"])) == ("end", "complete", len(frames))
    assert state_of(path).completeness is Completeness.COMPLETE
    assert state_of(path).frames == len(frames)


def test_until_it_is_closed_it_grows_beside_its_name_and_is_known_for_what_it_is(tmp_path: Path) -> None:
    path, growing = tmp_path / "out.csv", tmp_path / "out.part.csv"
    table = CountTable(path)
    for index in range(3):
        table.write(index, index / 25, two(index))
    assert not path.exists()
    assert len(rows_of(growing)) == 6
    assert state_of(growing).completeness is Completeness.UNFINISHED
    assert count_frames(growing) == 3
    assert find_leftovers(path) == [growing]
    table.close(complete=False)
    assert [each.name for each in tmp_path.iterdir()] == ["out.csv"]
    assert rows_of(path)[-1]["name"] == "unfinished"
    assert state_of(path).completeness is Completeness.UNFINISHED
    assert state_of(path).frames == count_frames(path) == 3


def test_a_table_that_was_cut_short_is_unfinished(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    table = CountTable(path)
    table.write(0, 0.0, two(1))
    table.close()
    whole = path.read_bytes()
    head = len(",".join(COLUMNS)) + 1
    for length in range(head, len(whole)):
        path.write_bytes(whole[:length])
        assert state_of(path).completeness is Completeness.UNFINISHED


def test_another_programs_table_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("time,count\n0,1\n")
    assert state_of(path).completeness is Completeness.UNKNOWN


def test_an_existing_file_stays_and_what_is_discarded_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("precious")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        CountTable(path)
    table = CountTable(path, overwrite=True)
    table.write(0, 0.0, two(1))
    table.discard()
    table.close()
    assert path.read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_frame_that_cannot_be_written_makes_it_unfinished(tmp_path: Path) -> None:
    table = CountTable(tmp_path / "out.csv")
    table.write(0, 0.0, two(1))
    with pytest.raises(InvalidArrayError, match="its time is nan"):
        table.write(1, float("nan"), two(1))
    table.close()
    assert rows_of(tmp_path / "out.csv")[-1]["name"] == "unfinished"


_FILLING = """
import sys
from heatprop.errors import OutputError
from heatprop.io.count_table import CountRow, CountTable
table = CountTable("out.csv")
try:
    for index in range(1000):
        table.write(index, index / 25, [CountRow("objects", "", "", "all", index)] * 5)
except OutputError as problem:
    print(problem)
table.close(complete=False)
"""


@pytest.mark.skipif(os.name == "nt", reason="no limit to the size of files there")
def test_on_a_full_disk_whole_rows_are_kept(tmp_path: Path) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    done = subprocess.run(
        [sys.executable, "-c", _FILLING],
        cwd=tmp_path,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "cannot write" in done.stdout
    rows = rows_of(tmp_path / "out.csv")
    assert all(row["count"] for row in rows)
    assert len([row for row in rows if row["what"] == "objects"]) % 5 == 0
    assert state_of(tmp_path / "out.csv").completeness is Completeness.UNFINISHED
