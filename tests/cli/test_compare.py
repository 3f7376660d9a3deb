"""`heatprop compare`: tables, JSON, and one line for whatever is wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from cli.conftest import Run, command
from heatprop.cli import main
from heatprop.types import ImageArray
from small_video_datasets import write_coco_video

METHODS = [
    "network alone",
    "interpolation",
    "HP, the paper's",
    "Seq-Bbox Matching, online",
    "network alone + Seq-NMS",
    "interpolation + Seq-NMS",
    "HP, the paper's + Seq-NMS",
    "Seq-Bbox Matching, offline",
]


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
    given = ["--cache", str(folder / "cache"), "--dataset", "coco-video", "--root", str(folder / "data")]
    return [*given, "--resamples", "20"]


def of_the_paper(titles: list[str]) -> list[str]:
    """Leave out methods that are heatprop's own."""
    return [title for title in titles if "adaptive" not in title]


def test_the_tables_have_all_methods_and_say_how_sure_a_difference_is(run: Run, cached: Path) -> None:
    done = run("compare", *options(cached))
    assert (done.code, done.err) == (0, "")
    figures, differences = done.out.split("Difference to the network alone, 95 % interval over 2 videos\n")
    title, header, *rows = figures.splitlines()
    assert title == "Temporal methods on the same outputs"
    assert header.split() == ["method", "AP50", "AP75", "changes", "deviation", "found", "FP", "ms"]
    assert re.match(
        r"network alone +\d+\.\d +\d+\.\d +\d+\.\d\d +\d\.\d{3} +\d+\.\d +\d+\.\d\d +\d+\.\d\d$", rows[0]
    )
    assert of_the_paper([re.split(r"  |\d", row)[0] for row in rows])[4] == "network alone + Seq-NMS *"
    header, *rows = differences.splitlines()
    assert re.match(r"interpolation +-?\d+\.\d \[-?\d+\.\d, -?\d+\.\d\] ", rows[0])
    assert not any(row.startswith("network alone  ") for row in rows)


def test_json_has_the_same_figures_as_a_sweep(run: Run, cached: Path) -> None:
    result = json.loads(run("compare", *options(cached), "--json").out)
    methods = {row["method"]: row for row in result["methods"]}
    assert of_the_paper(list(methods)) == METHODS
    assert result["videos"] == 2
    for title, more in (("", ()), (" + Seq-NMS", ("--seq-nms",))):
        swept = json.loads(run("sweep", *options(cached)[:6], "--json", *more).out)["settings"]
        for title_of_row, row in zip(METHODS[:3], swept, strict=True):
            for name in ("AP50", "AP75"):
                assert methods[title_of_row + title][name] == pytest.approx(row[name], abs=1e-12)
    alone = methods["network alone"]
    for row in methods.values():
        assert row["milliseconds"] > 0
        assert row["online"] is ("Seq-NMS" not in row["method"] and "offline" not in row["method"])
        for name, (delta, low, high) in row["against_network"].items():
            assert delta == pytest.approx(row[name] - alone[name])
            assert low <= high
    assert set(alone["against_network"]) == {
        "AP50", "AP75", "changes", "deviation", "found", "false_positives"
    }  # fmt: skip


def test_the_official_metric_is_that_of_a_sweep(run: Run, cached: Path) -> None:
    result = json.loads(run("compare", *options(cached), "--json", "--metric", "official", "--jobs", "1").out)
    swept = json.loads(run("sweep", *options(cached)[:6], "--json").out)["settings"]
    for row, wanted in zip(result["methods"], swept, strict=False):
        assert row["mAP"] == pytest.approx(wanted["mAP"], abs=1e-12)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--shown-from", "2"), "shown_from is 2"),
        (("--resamples", "0"), "resamples is 0"),
        (("--jobs", "0"), "--jobs is 0"),
        (("--metric", "voc"), "--metric"),
        (("--cache", "nowhere"), "cache nowhere: there is no manifest.json"),
        (("--root", "nowhere"), "nowhere"),
        (("--root", "other"), "made with frames 8, not 1"),
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
    done = run("compare", *given, *more)
    assert done.code == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert said in done.err


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="asks the system for the processes of a process")
def test_ctrl_c_ends_all_processes_in_a_line(cached: Path, tmp_path: Path) -> None:
    given = ["compare", *options(cached)[:-1], "1000000"]
    with subprocess.Popen(
        command(*given), cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        while not Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text():
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    assert (out, err) == ("", "heatprop: interrupted; nothing is written\n")
