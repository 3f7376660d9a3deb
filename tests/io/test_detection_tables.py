"""Detections as CSV and as Parquet are read by pandas and DuckDB, and say whether they are all."""

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from heatprop.errors import InvalidArrayError, OutputError, OutputExistsError
from heatprop.io.completeness import Completeness, count_frames, is_begun, state_of
from heatprop.io.detection_columns import COLUMNS
from heatprop.io.detection_parquet import DetectionParquet
from heatprop.io.detection_table import DetectionTable
from heatprop.io.outputs import find_leftovers
from heatprop.io.results import ResultsHeader
from heatprop.io.table_notes import metadata_path
from heatprop.types import Detections

NAMES = [column.name for column in COLUMNS]
HEADER = ResultsHeader("tiny", ["cat", 'a "dog", or so'], {"name": "street.mp4"}, {"score_threshold": 0.3})
WRITERS = pytest.mark.parametrize(
    ("make", "suffix"), [(DetectionTable, ".csv"), (DetectionParquet, ".parquet")], ids=["csv", "parquet"]
)
TWO = Detections([[1, 2, 3, 4.567], [5, 6, 7, 8]], [0.91234, 0.5], [1, 0], [3, 1], [12, 13])


def write(make, path: Path, *, complete: bool = True, **options) -> Path:
    writer = make(path, HEADER, **options)
    writer.write(0, 0.0, TWO)
    writer.write(1, 0.04, Detections.empty())
    writer.write(2, 0.08, TWO.select(np.array([0])))
    writer.write(3, 0.12, Detections.empty())
    writer.close(complete=complete)
    return path


def read(path: Path) -> pandas.DataFrame:
    return pandas.read_csv(path) if path.suffix == ".csv" else pandas.read_parquet(path)


@WRITERS
def test_pandas_reads_a_row_a_detection(make, suffix: str, tmp_path: Path) -> None:
    table = read(write(make, tmp_path / f"out{suffix}"))
    assert list(table.columns) == NAMES
    assert table["frame"].tolist() == [0, 0, 2]
    assert table["time"].tolist() == [0.0, 0.0, 0.08]
    assert table["id"].tolist() == [12, 13, 12]
    assert table["class"].tolist() == ['a "dog", or so', "cat", 'a "dog", or so']
    assert table["score"].tolist() == pytest.approx([0.9123, 0.5, 0.9123])
    assert table["y2"].tolist() == pytest.approx([4.57, 8, 4.57])
    assert table["length"].tolist() == [3, 1, 3]


def test_pandas_sees_the_types_of_the_schema(tmp_path: Path) -> None:
    of_parquet = read(write(DetectionParquet, tmp_path / "out.parquet")).dtypes
    of_csv = read(write(DetectionTable, tmp_path / "out.csv")).dtypes
    for column in COLUMNS:
        if column.kind == "string":
            assert pandas.api.types.is_string_dtype(of_parquet[column.name])
            assert pandas.api.types.is_string_dtype(of_csv[column.name])
        else:
            assert of_parquet[column.name] == column.kind
            assert of_csv[column.name] == column.kind.replace("float32", "float64")


def test_duckdb_sees_the_types_of_the_schema(tmp_path: Path) -> None:
    kinds = {"int64": "BIGINT", "float64": "DOUBLE", "float32": "FLOAT", "string": "VARCHAR"}
    for make, suffix in ((DetectionTable, "csv"), (DetectionParquet, "parquet")):
        path = write(make, tmp_path / f"out.{suffix}")
        described = duckdb.sql(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
        wanted = [(each.name, kinds[each.kind]) for each in COLUMNS]
        if suffix == "csv":
            wanted = [(name, kind.replace("FLOAT", "DOUBLE")) for name, kind in wanted]
        assert [(name, kind) for name, kind, *_ in described] == wanted
        by_class = duckdb.sql(f"SELECT class, count(DISTINCT id) FROM '{path}' GROUP BY class ORDER BY class")
        assert by_class.fetchall() == [('a "dog", or so', 1), ("cat", 1)]


@WRITERS
@pytest.mark.parametrize("complete", [True, False])
def test_it_says_what_made_it_how_many_frames_there_are_and_whether_they_are_all(
    make, suffix: str, complete: bool, tmp_path: Path
) -> None:
    state = state_of(write(make, tmp_path / f"out{suffix}", complete=complete))
    assert state.completeness is (Completeness.COMPLETE if complete else Completeness.UNFINISHED)
    assert state.frames == 4
    assert state.header is not None
    assert state.header.to_json() == HEADER.to_json()


@WRITERS
def test_without_any_detection_it_is_a_table_all_the_same(make, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{suffix}"
    writer = make(path, HEADER)
    writer.write(0, 0.0, Detections.empty())
    writer.close()
    assert list(read(path).columns) == NAMES
    assert len(read(path)) == 0
    assert (state_of(path).completeness, state_of(path).frames) == (Completeness.COMPLETE, 1)


@given(frames=st.lists(st.integers(0, 4), max_size=12), rows=st.integers(1, 7))
def test_parquet_has_all_rows_in_order_however_large_its_groups(
    tmp_path_factory: pytest.TempPathFactory, frames: list[int], rows: int
) -> None:
    path = tmp_path_factory.mktemp("tables") / "out.parquet"
    writer = DetectionParquet(path, HEADER, rows_in_a_group=rows)
    for index, count in enumerate(frames):
        ids = np.arange(count)
        writer.write(index, index / 25, Detections(np.ones((count, 4)), np.ones(count), ids % 2, ids + 1, ids))
    writer.close()
    table = parquet.read_table(path).to_pylist()
    assert [(row["frame"], row["id"]) for row in table] == [(f, i) for f, n in enumerate(frames) for i in range(n)]
    said = parquet.read_metadata(path)
    sizes = [said.row_group(number).num_rows for number in range(said.num_row_groups)]
    assert all(rows <= size < rows + 4 for size in sizes[:-1])


# a table of CSV and the file beside it


def test_the_metadata_of_csv_are_those_of_the_w3c(tmp_path: Path) -> None:
    path = write(DetectionTable, tmp_path / "all of it.csv")
    said = json.loads(metadata_path(path).read_text())
    assert metadata_path(path).name == "all of it.csv-metadata.json"
    assert said["@context"] == "http://www.w3.org/ns/csvw"
    assert said["url"] == "all%20of%20it.csv"
    assert [column["name"] for column in said["tableSchema"]["columns"]] == NAMES
    kinds = [column["datatype"] for column in said["tableSchema"]["columns"]]
    assert kinds == ["integer", "double", "integer", "string", *["float"] * 5, "integer"]
    assert said["notes"][1]["end"]["rows"] == 3


@pytest.mark.parametrize("harm", ["changed", "cut", "without metadata", "metadata of another"])
def test_of_a_table_that_is_not_as_it_was_written_nothing_is_believed(harm: str, tmp_path: Path) -> None:
    path = write(DetectionTable, tmp_path / "out.csv")
    text = path.read_bytes()
    if harm == "changed":
        path.write_bytes(text.replace(b"0.5", b"0.6"))
    elif harm == "cut":
        path.write_bytes(text[:-20])
    elif harm == "without metadata":
        metadata_path(path).unlink()
    else:
        metadata_path(path).write_text("[1, 2]")
    state = state_of(path)
    assert (state.completeness, state.frames, state.header) == (Completeness.UNFINISHED, None, None)
    assert count_frames(path) == (1 if harm == "cut" else 2)


def test_metadata_that_heatprop_did_not_write_stay_as_they_are(tmp_path: Path) -> None:
    metadata_path(tmp_path / "out.csv").write_text("{}")
    with pytest.raises(OutputExistsError, match=r"out.csv-metadata.json .* not of heatprop"):
        DetectionTable(tmp_path / "out.csv", HEADER, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv-metadata.json"]


# what goes wrong


@WRITERS
def test_until_it_is_closed_it_grows_beside_its_name(make, suffix: str, tmp_path: Path) -> None:
    path, growing = tmp_path / f"out{suffix}", tmp_path / f"out.part{suffix}"
    path.write_text("precious")
    with pytest.raises(OutputExistsError):
        make(path, HEADER)
    writer = make(path, HEADER, overwrite=True)
    writer.write(0, 0.0, TWO)
    assert find_leftovers(path) == [growing]
    assert is_begun(growing)
    if make is DetectionTable:
        state = state_of(growing)
        assert (state.completeness, state.frames) == (Completeness.UNFINISHED, None)
        assert state.header is not None
        assert count_frames(growing) == 1
    assert path.read_text() == "precious"
    writer.discard()
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@WRITERS
def test_frames_that_do_not_fit_are_refused_and_make_it_unfinished(make, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{suffix}"
    writer = make(path, HEADER)
    writer.write(3, 0.0, TWO)
    for index, time, found in ((3, 0.1, TWO), (4, float("nan"), TWO)):
        with pytest.raises(InvalidArrayError, match=f"frame {index}"):
            writer.write(index, time, found)
    with pytest.raises(InvalidArrayError, match="labels 2 to 2 do not fit 2 classes"):
        writer.write(4, 0.1, Detections([[0, 0, 1, 1]], [0.5], [2]))
    writer.close()
    assert (state_of(path).completeness, state_of(path).frames) == (Completeness.UNFINISHED, 1)


def test_a_full_disk_keeps_the_rows_of_csv_and_nothing_of_parquet(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
    try:
        table = DetectionTable(tmp_path / "out.csv", HEADER)
        with pytest.raises(OutputError, match=r"out.csv: cannot write .*File too large"):
            for index in range(1000):
                table.write(index, 0.0, TWO)
        table.close(complete=False)
        other = DetectionParquet(tmp_path / "out.parquet", HEADER, rows_in_a_group=1)
        with pytest.raises(
            OutputError, match=r"out.parquet: cannot write .*File too large.*nothing of it is kept"
        ):
            for index in range(1000):
                other.write(index, 0.0, TWO)
        other.close(complete=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.csv-metadata.json"]
    rows = pandas.read_csv(tmp_path / "out.csv")
    assert len(rows) > 50
    assert state_of(tmp_path / "out.csv").frames == len(rows) / 2


def test_what_a_kill_leaves_of_parquet_is_known_for_what_it_is(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from heatprop.io.detection_parquet import DetectionParquet
from heatprop.io.results import ResultsHeader
from heatprop.types import Detections

writer = DetectionParquet(sys.argv[1], ResultsHeader("tiny", ["cat"]), rows_in_a_group=1)
for index in range(100):
    writer.write(index, 0.0, Detections([[1, 2, 3, 4]], [0.5], [0]))
os.kill(os.getpid(), signal.SIGKILL)
"""
    path = tmp_path / "out.parquet"
    subprocess.run([sys.executable, "-c", program, path], check=False, timeout=60)
    (left,) = find_leftovers(path)
    assert left.name == "out.part.parquet"
    assert (state_of(left).completeness, count_frames(left)) == (Completeness.UNKNOWN, 0)


def test_of_parquet_that_others_wrote_nothing_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "theirs.parquet"
    pandas.DataFrame({"frame": [1, 2]}).to_parquet(path)
    assert state_of(path).completeness is Completeness.UNKNOWN


def test_csv_goes_to_standard_output_without_metadata(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    table = DetectionTable("-", HEADER)
    table.write(0, 0.0, TWO)
    table.close()
    assert capsys.readouterr().out.splitlines()[0] == ",".join(NAMES)
    assert not list(tmp_path.iterdir())
