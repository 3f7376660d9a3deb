"""`heatprop detect --csv` and `--parquet`: a row a detection, beside other outputs or alone."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pandas
import pytest

from cli.conftest import FRAMES, Run, command, run_process
from heatprop.io.completeness import Completeness, state_of
from heatprop.io.results import read_results
from small_videos import build_video

ONNX = ("--backend", "onnx", "--score-threshold", "0.1")
TABLES = ("--csv", "out.csv", "--parquet", "out.parquet")
LONG = 240


def names(folder: Path = Path()) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def rows_of_results(path: Path) -> list[tuple]:
    header, frames = read_results(path)
    return [
        (index, round(time, 6), int(number), header.classes[label], *box.tolist(), int(length))
        for index, time, found in frames
        for number, label, box, length in zip(
            found.track_ids, found.labels, found.boxes, found.lengths, strict=True
        )
    ]


def rows_of_table(table: pandas.DataFrame) -> list[tuple]:
    columns = ["frame", "time", "id", "class", "x1", "y1", "x2", "y2", "length"]
    return [tuple(row) for row in table.astype(dict.fromkeys(columns[4:8], "float32"))[columns].values.tolist()]


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clip that takes seconds."""
    return build_video(tmp_path_factory.mktemp("clip") / "long.mp4", LONG, width=160, height=128)


@pytest.mark.parametrize("options", [(), ("--seq-nms",), ("--no-propagation",)], ids=" ".join)
def test_both_tables_have_the_detections_of_json_lines(
    run: Run, short_clip: Path, options: tuple[str, ...]
) -> None:
    done = run("detect", short_clip, *ONNX, *options, *TABLES, "--json", "out.jsonl", "-o", "out.mp4")
    assert done.code == 0, done.err
    assert names() == ["out.csv", "out.csv-metadata.json", "out.jsonl", "out.mp4", "out.parquet"]
    rows = rows_of_results(Path("out.jsonl"))
    assert len(rows) > FRAMES
    assert rows_of_table(pandas.read_csv("out.csv")) == rows
    assert rows_of_table(pandas.read_parquet("out.parquet")) == rows
    states = [state_of(path) for path in ("out.csv", "out.parquet", "out.jsonl")]
    assert {(state.completeness, state.frames) for state in states} == {(Completeness.COMPLETE, FRAMES)}
    assert states[0].header == states[1].header == states[2].header
    for name in ("out.csv", "out.parquet", "out.jsonl", "out.mp4"):
        assert f"wrote    {name}" in done.err


def test_a_table_alone_draws_no_video(run: Run, short_clip: Path) -> None:
    assert run("detect", short_clip, *ONNX, "--csv", "out.csv", "--max-frames", "2").code == 0
    assert run("detect", short_clip, *ONNX, "--parquet", "out.parquet", "--max-frames", "2").code == 0
    assert names() == ["out.csv", "out.csv-metadata.json", "out.parquet"]


def test_on_standard_output_csv_is_read_by_the_next_program(short_clip: Path, tmp_path: Path) -> None:
    done = run_process("detect", short_clip, *ONNX, "--csv", "-", "--quiet", folder=tmp_path)
    assert (done.code, done.err) == (0, "")
    again = run_process(
        "detect", short_clip, *ONNX, "--csv", "/dev/stdout", "-o", "a.mp4", "--quiet", folder=tmp_path
    )
    assert again.out == done.out
    assert pandas.read_csv(StringIO(done.out))["frame"].max() == FRAMES - 1
    assert names(tmp_path) == ["a.mp4"]


def test_a_reader_that_leaves_ends_the_table_and_no_other_output(short_clip: Path, tmp_path: Path) -> None:
    arguments = command("detect", short_clip, *ONNX, "--csv", "-", "--parquet", "out.parquet")
    with subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read().decode() if process.stderr else ""
    assert process.returncode == 0
    assert "whoever read the results left" in err
    assert state_of(tmp_path / "out.parquet").frames == FRAMES


def test_several_sources_have_a_table_each_in_a_folder(run: Run, short_clip: Path) -> None:
    clips = [shutil.copy(short_clip, f"{name}.mp4") for name in "ab"]
    assert run("detect", *clips, *ONNX, "--csv", "found", "--parquet", "found/", "--max-frames", "3").code == 0
    assert names(Path("found")) == [
        *("a.csv", "a.csv-metadata.json", "a.parquet"),
        *("b.csv", "b.csv-metadata.json", "b.parquet"),
    ]


def test_tables_that_are_complete_are_skipped_and_the_missing_one_is_made(run: Run, short_clip: Path) -> None:
    arguments = ("detect", short_clip, *ONNX, *TABLES, "--max-frames", "4")
    assert run(*arguments).code == 0
    before = {name: Path(name).read_bytes() for name in names()}
    refused = run(*arguments)
    assert refused.code == 2
    for name in ("out.csv", "out.parquet"):
        assert f"{name} exists already and is complete" in refused.err
    skipped = run(*arguments, "--resume")
    assert skipped.code == 0
    for name in ("out.csv", "out.parquet"):
        assert f"{name} is complete (4 frames): skipped" in skipped.err
    Path("out.csv").unlink()
    assert run(*arguments, "--resume").code == 0
    assert {name: Path(name).read_bytes() for name in names()} == before
    other = run(*arguments[:-1], "5", "--resume")
    assert other.code == 2
    assert "out.csv is complete, but made otherwise (max_frames 4, now 5)" in other.err


def test_what_ctrl_c_leaves_is_valid_and_unfinished_and_is_done_again(long_clip: Path, tmp_path: Path) -> None:
    arguments = ("detect", long_clip, *ONNX, "--input-size", "96", *TABLES)
    growing = tmp_path / "out.part.csv"
    with subprocess.Popen(command(*arguments), cwd=tmp_path, stderr=subprocess.PIPE) as process:
        while process.poll() is None and not (growing.exists() and growing.stat().st_size > 2000):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    assert process.returncode == 130
    assert names(tmp_path) == ["out.csv", "out.csv-metadata.json", "out.parquet"]
    csv, columns = pandas.read_csv(tmp_path / "out.csv"), pandas.read_parquet(tmp_path / "out.parquet")
    assert rows_of_table(csv) == rows_of_table(columns)
    states = [state_of(tmp_path / name) for name in ("out.csv", "out.parquet")]
    assert [state.completeness for state in states] == [Completeness.UNFINISHED] * 2
    assert states[0].frames == states[1].frames
    assert 0 < (states[0].frames or 0) < LONG
    done = run_process(*arguments, "--resume", folder=tmp_path)
    assert done.code == 0, done.err
    assert f"out.parquet is unfinished ({states[0].frames} frames): done again from the start" in done.err
    assert [state_of(tmp_path / name).frames for name in ("out.csv", "out.parquet")] == [LONG] * 2


def test_what_a_kill_leaves_is_named_and_taken_over(long_clip: Path, tmp_path: Path) -> None:
    arguments = ("detect", long_clip, *ONNX, "--input-size", "96", *TABLES)
    growing = tmp_path / "out.part.csv"
    with subprocess.Popen(command(*arguments), cwd=tmp_path, stderr=subprocess.PIPE) as process:
        while process.poll() is None and not (growing.exists() and growing.stat().st_size > 2000):
            time.sleep(0.01)
        process.kill()
        process.communicate(timeout=120)
    assert [name for name in names(tmp_path) if "lock" not in name] == [
        "out.part.csv",
        "out.part.csv-metadata.json",
        "out.part.parquet",
    ]
    refused = run_process(*arguments, "--alpha", "0.5", "--resume", folder=tmp_path)
    assert refused.code == 2
    assert re.search(r"out.part.csv \(\d+ frames\) is left of a run .* made otherwise \(alpha ", refused.err)
    done = run_process(*arguments, "--resume", folder=tmp_path)
    assert done.code == 0, done.err
    assert "out.part.csv, left of a run that was killed, is now out.csv" in done.err
    assert "out.part.parquet, left of a run that was killed, is removed (0 frames)" in done.err
    assert names(tmp_path) == ["out.csv", "out.csv-metadata.json", "out.parquet"]


def test_a_full_disk_exits_with_1_and_keeps_the_rows_of_csv(demo_clip: Path, tmp_path: Path) -> None:
    arguments = ("detect", demo_clip, *ONNX, "--csv", "out.csv", "--max-frames", "60")
    done = run_process(*arguments, folder=tmp_path, largest_file=6000)
    assert done.code == 1
    assert re.search(r"error: out.csv: cannot write \(File too large\)", done.err)
    assert "Traceback" not in done.err
    rows = pandas.read_csv(tmp_path / "out.csv")
    assert len(rows) > 50
    state = state_of(tmp_path / "out.csv")
    assert state.completeness is Completeness.UNFINISHED
    assert state.header is not None
    assert names(tmp_path) == ["out.csv", "out.csv-metadata.json"]


def test_a_full_disk_keeps_the_parquet_that_was_there(demo_clip: Path, tmp_path: Path) -> None:
    (tmp_path / "out.parquet").write_text("precious")
    arguments = ("detect", demo_clip, *ONNX, "--parquet", "out.parquet", "--max-frames", "60", "--overwrite")
    done = run_process(*arguments, folder=tmp_path, largest_file=6000)
    assert done.code == 1
    assert "error: out.parquet: cannot write (File too large); nothing of it is kept" in done.err
    assert "wrote" not in done.err
    assert names(tmp_path) == ["out.parquet"]
    assert (tmp_path / "out.parquet").read_text() == "precious"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--csv", "nowhere/out.csv"], r"nowhere"),
        (["--parquet", "/proc/out.parquet"], r"/proc/out.parquet"),
        (["--csv", "out.parquet"], r"--csv out.parquet: its files end in .csv"),
        (["--parquet", "out.csv"], r"--parquet out.csv: its files end in .parquet"),
        (["--parquet", "-"], r"--parquet needs a file"),
        (["--parquet", os.devnull], r"/dev/null is no regular file"),
        (["--json", "-", "--csv", "/dev/stdout"], r"--json - and --csv - would mix"),
        (["--csv", "old.csv"], r"old.csv exists"),
        (["--csv", "old.csv", "--parquet", "link.parquet", "--overwrite"], r"link.parquet is asked for twice"),
        (["--csv", "ours.csv"], r"ours.csv-metadata.json .* not of heatprop"),
        (["--csv", "old.csv/"], r"old.csv"),
    ],
)
def test_bad_requests_are_one_line_and_leave_nothing(
    run: Run, short_clip: Path, arguments: list[str], message: str
) -> None:
    Path("old.csv").write_text("precious")
    Path("link.parquet").symlink_to("old.csv")
    Path("ours.csv-metadata.json").write_text("{}")
    done = run("detect", short_clip, *ONNX, *arguments)
    assert done.code == 2, done.err
    assert (done.out, done.err.count("\n")) == ("", 1), done.err
    assert re.search(message, done.err), done.err
    assert names() == ["link.parquet", "old.csv", "ours.csv-metadata.json"]
    assert Path("old.csv").read_text() == "precious"


def test_without_pyarrow_the_error_names_the_extra(short_clip: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['pyarrow'] = None; from heatprop.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = [sys.executable, "-c", program, "detect", str(short_clip), "--parquet", "out.parquet"]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "heatprop: error: Parquet needs pyarrow; pip install 'heatprop[parquet]'\n"
    arguments = [*arguments[:-2], "--csv", "out.csv", "--max-frames", "1", "--quiet"]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
