"""`heatprop sweep`: a table, JSON, CSV, and one line for whatever is wrong."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.conftest import Run
from heatprop.cli import main
from heatprop.types import ImageArray
from small_video_datasets import write_coco_video


@pytest.fixture(scope="module")
def cached(street_image: ImageArray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a dataset, without its images, and the cache of it."""
    folder = tmp_path_factory.mktemp("cached")
    root = write_coco_video(folder / "data", street_image)
    request = ["evaluate", "--dataset", "coco-video", "--backend", "onnx", "--root", str(root), "--quiet"]
    assert main([*request, "-o", str(folder / "out"), "--cache", str(folder / "cache")]) == 0
    for clip in ("clip-1", "clip-2"):
        shutil.rmtree(root / clip)
    return folder


def options(folder: Path) -> list[str]:
    return ["--cache", str(folder / "cache"), "--dataset", "coco-video", "--root", str(folder / "data")]


def test_a_table_marks_the_best(run: Run, cached: Path) -> None:
    done = run("sweep", *options(cached), "--radius", "0:1", "--alpha", "0.5,0.9", "--beta", "2,inf")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert len(lines) == 1 + 2 + 8
    assert re.match(r"method +P +alpha +beta +threshold +AP50 COCO +AP75 COCO +mAP official", lines[0])
    assert re.match(r"network +0.05 ", lines[1])
    assert re.match(r"propagation +1 +0.9 +inf +0.05 ", lines[-1])
    assert done.out.count("*") == 3


def test_a_row_is_a_line_with_seq_nms_too(run: Run, cached: Path) -> None:
    done = run("sweep", *options(cached), "--seq-nms")
    title, header, *rows = done.out.splitlines()
    assert title == "All with Seq-NMS afterwards"
    assert header.startswith("method")
    assert [row.split()[0] for row in rows] == ["network", "interpolation", "propagation"]


def test_json_and_csv_say_the_same(run: Run, cached: Path) -> None:
    done = run("sweep", *options(cached), "--radius", "0:1", "--seq-nms", "--json", "--csv", "table.csv")
    result = json.loads(done.out)
    rows = result["settings"]
    assert [row["method"] for row in rows] == ["network", "interpolation", "propagation", "propagation"]
    for name in ("AP50", "AP75", "mAP"):
        assert rows[result["best"][name]][name] == max(row[name] for row in rows)
    with Path("table.csv").open() as file:
        table = list(csv.DictReader(file))
    for row, line in zip(rows, table, strict=True):
        assert line == {name: str(row.get(name, "")) for name in line}
        assert row["seq_nms"] is True


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--radius", "0.5"), "--radius 0.5: 0.5 is not whole"),
        (("--radius", "x"), "--radius x: 'x' is no number"),
        (("--alpha", "0.5,..."), "needs a number before and after"),
        (("--alpha", "0.5,1.5"), "alpha is 1.5"),
        (("--beta", "-1"), "beta"),
        (("--threshold", "0.001"), "cells of at least 0.01"),
        (("--jobs", "0"), "--jobs is 0"),
        (("--radius", "0:900", "--alpha", "0,0.01,...,1"), "ask for at most 10000"),
        (("--cache", "nowhere"), "cache nowhere: there is no manifest.json"),
        (("--root", "nowhere"), "nowhere"),
        (("--root", "other"), "made with frames 8, not 1"),
        (("--csv", "no/such/table.csv"), "there is no folder no/such"),
    ],
)
def test_a_bad_request_is_one_line(
    run: Run, cached: Path, street_image: ImageArray, more: tuple[str, str], said: str
) -> None:
    write_coco_video(Path("other"), street_image, (1,))
    given = options(cached)
    if more[0] in given:
        given[given.index(more[0]) + 1] = more[1]
        more = ()
    done = run("sweep", *given, *more)
    assert done.code == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert said in done.err


def test_a_cache_that_is_not_whole_or_is_damaged_is_refused(run: Run, cached: Path) -> None:
    shutil.copytree(cached / "cache", "cache")
    given = options(cached)
    given[1] = "cache"
    part = Path("cache/parts/000001-000.zarr.zip")
    whole = part.read_bytes()
    part.unlink()
    done = run("sweep", *given)
    assert done.code == 2
    assert "cache cache: 1 of its 2 parts are missing; run evaluate --cache with it to the end first" in done.err
    part.write_bytes(whole[: len(whole) // 2])
    done = run("sweep", *given)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "000001-000.zarr.zip is damaged" in done.err


@contextmanager
def running(cached: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a sweep of several seconds in a group of processes of its own."""
    given = ["sweep", *options(cached), "--alpha", "0,0.01,...,1", "--radius", "0:20", "--csv", "table.csv"]
    # Without `-W error`, which would hide what Python itself warns of on the way out.
    with subprocess.Popen(
        [sys.executable, "-m", "heatprop", *given],
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        while not (folder / "table.part.csv").exists():
            time.sleep(0.02)
        yield process


@pytest.mark.parametrize("everybody", [False, True], ids=["parent", "as a terminal does"])
@pytest.mark.parametrize("later", [0.0, 1.0, 1.5, 2.0])
def test_ctrl_c_ends_all_processes_in_a_line(cached: Path, tmp_path: Path, everybody: bool, later: float) -> None:
    with running(cached, tmp_path) as process:
        time.sleep(later)
        if everybody:
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    assert (out, err) == ("", "heatprop: interrupted; nothing is written\n")
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_that_is_killed_leaves_no_process(cached: Path, tmp_path: Path) -> None:
    with running(cached, tmp_path) as process:
        time.sleep(1.5)
        process.kill()
    with pytest.raises(ProcessLookupError):
        while True:
            os.killpg(process.pid, 0)
            time.sleep(0.05)
