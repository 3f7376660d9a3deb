"""`heatprop reproduce`: the page is made, by a run that is stopped too, and what is wrong is one line."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run, command, run_process
from heatprop.types import ImageArray
from small_video_datasets import write_coco_video


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small synthetic dataset."""
    root = tmp_path_factory.mktemp("videos") / "synthetic"
    made = run_process(
        "synthesize", root, "--videos", "3", "--frames", "12", "--split", "test", "--quiet", folder=root.parent
    )
    assert made.code == 0
    return root


@pytest.fixture(scope="module")
def report(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    done = run_process(*on(videos), "-o", "page", folder=folder)
    assert (done.code, done.out) == (0, "page/index.html\n")
    return folder / "page"


def on(videos: Path) -> list[str]:
    return ["reproduce", "--root", str(videos), "--split", "test", "--model", "mb3-coco"]


def read(report: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((report / "report.json").read_text())
    return content


def blind_model(path: Path) -> Path:
    """Write a network that is sure to see nothing."""
    from heatprop.lab.networks import CenterNet, CenterNetConfig, save_checkpoint

    config = CenterNetConfig(
        backbone="resnet18", classes=("airplane", "zebra"), width=0.125, deformable=False, head_width=0
    )
    network = CenterNet(config)
    network.heatmap.output.weight.data.zero_()
    network.heatmap.output.bias.data.fill_(-20)
    save_checkpoint(path, network)
    return path


def test_every_table_and_figure_is_there_and_says_what_it_rests_on(report: Path) -> None:
    content = read(report)
    (model,) = content["models"]
    assert [(row["method"], row["seq_nms"]) for row in model["rows"]] == [
        (name, rescored) for name in ("network alone", "interpolation", "HP") for rescored in (False, True)
    ]
    assert {len(content[name]["rows"]) for name in ("radius", "alpha", "beta")} == {6, 8, 7}
    assert {content[name]["frames"] for name in ("radius", "alpha", "beta", "speed", "curves")} == {36}
    assert [row["value"] for row in content["radius"]["rows"] if row["default"]] == [2]
    assert [row["uncovered"] for row in content["radius"]["rows"]] == sorted(
        (row["uncovered"] for row in content["radius"]["rows"]), reverse=True
    )
    assert set(content["curves"]["groups"]) == {"slow", "medium", "fast", "overall"}
    assert all(each["agrees"] for each in content["examples"])
    assert {each["name"] for each in content["difficulties"]} & {"clear", "clutter"}
    assert any("no class for" in note for note in content["notes"])
    page = (report / "index.html").read_text()
    assert "mb3-coco" in page
    assert not re.search(r"(src|href)=[\"']https?:", page)


def test_the_figures_are_those_of_evaluate(report: Path, videos: Path) -> None:
    done = run_process(
        "evaluate", "--dataset", "imagenet-vid", "--root", videos, "--split", "test", "-o", "check", "--json",
        "--quiet", "--cache", "outputs", "--metric", "official", folder=report.parent,
    )  # fmt: skip
    rows = {(row["method"], row["seq_nms"]): row["mAP"] for row in read(report)["models"][0]["rows"]}
    assert json.loads(done.out)["mAP"] == pytest.approx(rows["HP", False], abs=1e-9)


def test_a_report_that_is_stopped_goes_on(videos: Path, report: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        command(*on(videos), "-o", "page"), cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None and not any(tmp_path.glob("page/work/*/outputs/parts/*.zip")):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert said == "heatprop: interrupted; what is finished is kept: run the same command to go on\n"
    assert not (tmp_path / "page" / "index.html").exists()

    done = run_process(*on(videos), "-o", "page", folder=tmp_path)
    assert done.code == 0
    ours, whole = read(tmp_path / "page"), read(report)
    for part in ("radius", "alpha", "beta", "speed", "curves", "classes", "difficulties", "scenes", "track"):
        assert ours[part] == whole[part]


def test_a_model_that_finds_nothing_still_makes_a_page(videos: Path, tmp_path: Path) -> None:
    model = blind_model(tmp_path / "blind.pth")
    done = run_process(*on(videos)[:-1], model, "-o", "page", folder=tmp_path)
    assert done.code == 0
    assert "finds nothing at all" in done.err
    page = (tmp_path / "page" / "index.html").read_text()
    assert "None" not in page
    assert "nan" not in re.sub(r"<[^>]*>", " ", page).lower().split()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "nothing"], "model nothing: there is no such model"),
        (["--quick", "--root", "."], "--quick is a report on synthetic videos; remove --root"),
        (["--split", "val"], "--split needs --root"),
        (["--dataset", "coco-video"], "--dataset coco-video needs --root"),
        (["--root", "nowhere"], "nowhere"),
        (["--jobs", "0"], "--jobs is 0"),
        (["--seed", "-1"], "seed is -1"),
    ],
)
def test_a_bad_request_is_one_line(run: Run, arguments: list[str], said: str) -> None:
    done = run("reproduce", "-o", "page", *arguments)
    assert done.code in (1, 2)
    assert done.err.count("\n") == 1
    assert said in done.err


def test_a_folder_with_other_things_is_left_alone(run: Run) -> None:
    Path("page").mkdir()
    Path("page/letter.txt").write_text("dear")
    done = run("reproduce", "-o", "page", "--model", "mb3-coco", "--quick")
    assert done.code == 2
    assert "holds something else" in done.err
    assert [path.name for path in Path("page").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("what", ["nothing annotated", "one class"])
def test_a_poor_dataset_still_makes_a_page(street_image: ImageArray, tmp_path: Path, what: str) -> None:
    root = write_coco_video(tmp_path / "clips", street_image, (4, 3))
    path = next(root.glob("*.json"))
    content = json.loads(path.read_text())
    wanted = {"nothing annotated": 0, "one class": 1}[what]
    kept = [each for each in content["annotations"] if each["category_id"] == wanted]
    path.write_text(json.dumps(content | {"annotations": kept}))

    done = run_process(
        "reproduce",
        "-o",
        "page",
        "--dataset",
        "coco-video",
        "--root",
        root,
        "--model",
        "mb3-coco",
        folder=tmp_path,
    )

    assert done.code == 0
    said = "no annotated objects" if what == "nothing annotated" else "Only one class has objects"
    assert said in done.err
    assert said in (tmp_path / "page" / "index.html").read_text()
    assert read(tmp_path / "page")["difficulties"] == []


def test_no_room_is_one_line_and_the_next_run_goes_on(videos: Path, tmp_path: Path) -> None:
    limited = run_process(*on(videos), "-o", "page", folder=tmp_path, largest_file=2500)
    assert limited.code == 1
    assert limited.err.count("\n") == 1
    assert "cannot write it (File too large)" in limited.err
    assert not list(tmp_path.rglob("*.part"))
    assert run_process(*on(videos), "-o", "page", folder=tmp_path).code == 0
