"""`heatprop score` on real files, as a user runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cli.conftest import Run, command, run_process

GOLDEN = Path(__file__).parents[1] / "golden" / "videval"
DETECTIONS = GOLDEN / "detections.jsonl"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())
ARGUMENTS = ("--dataset", "imagenet-vid", "--root", GOLDEN)


def test_json_is_one_object_with_the_golden_figures(run: Run) -> None:
    done = run("score", DETECTIONS, *ARGUMENTS, "--json")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out, parse_constant=pytest.fail)
    assert report["metric"] == "official ImageNet VID"
    assert report["mAP"] == pytest.approx(EXPECTED["mAP"], abs=1e-9)
    assert report["ap"] == pytest.approx(EXPECTED["ap"], abs=1e-9)
    assert report["class_names"]["4"] == "bicycle"
    for name, group in EXPECTED["motion"].items():
        assert report["motion"][name] == {
            **group,
            "ap": pytest.approx(group["ap"], abs=1e-9),
            "mAP": pytest.approx(group["mAP"], abs=1e-9),
        }
    assert report["coco"]["AP50"] == pytest.approx(0.6531, abs=1e-4)  # by pycocotools
    assert report["class_agnostic"]["uncovered_pairs"]["0"] > report["class_agnostic"]["uncovered_pairs"]["2"]


def test_the_tables_name_each_metric(run: Run) -> None:
    done = run("score", DETECTIONS, *ARGUMENTS)
    assert (done.code, done.err) == (0, "")
    assert "mAP, official ImageNet VID                  74.14" in done.out
    for metric in (
        "official ImageNet VID, slow objects  61.24",
        "AP50, COCO  ",
        "AP75, COCO  ",
        "AP50:95, COCO  ",
    ):
        assert " ".join(metric.split()) in " ".join(done.out.split())


@pytest.mark.parametrize(("metric", "present", "absent"), [("official", "mAP", "coco"), ("coco", "coco", "mAP")])
def test_one_metric_alone(run: Run, metric: str, present: str, absent: str) -> None:
    report = json.loads(run("score", DETECTIONS, *ARGUMENTS, "--metric", metric, "--json").out)
    assert present in report
    assert absent not in report


def test_a_coco_video_is_scored_by_category_ids(run: Run, tmp_path: Path) -> None:
    annotations = {
        "categories": [{"id": 3, "name": "car"}, {"id": 17, "name": "cat"}],
        "videos": [{"id": 1, "name": "a"}],
        "images": [
            {"id": 50 + n, "file_name": f"a/{n}.jpg", "video_id": 1, "frame_id": n, "width": 640, "height": 480}
            for n in range(2)
        ],
        "annotations": [
            {"id": 1 + n, "image_id": 50 + n, "video_id": 1, "category_id": 17, "instance_id": 1, "iscrowd": 0,
             "bbox": [10 + n, 20, 100, 100], "area": 10000}
            for n in range(2)
        ],
    }  # fmt: skip
    (tmp_path / "clips.json").write_text(json.dumps(annotations))
    (tmp_path / "found.json").write_text(
        json.dumps([{"image_id": 51, "category_id": 17, "bbox": [11, 20, 100, 100], "score": 0.5}])
    )
    done = run(
        "score", tmp_path / "found.json", "--dataset", "coco-video", "--root", tmp_path / "clips.json", "--json"
    )
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    assert (report["mAP"], report["ap"]) == (0.5, {"17": 0.5})
    assert report["coco"]["classes"]["17"]["AP50"] == pytest.approx(51 / 101)  # 101 points of recall


def test_plots_are_drawn_once(run: Run) -> None:
    done = run("score", DETECTIONS, *ARGUMENTS, "--metric", "official", "--plots", "plots")
    assert done.code == 0
    assert done.err == "drawn: plots/classes.svg\ndrawn: plots/motion.svg\n"
    assert sorted(path.name for path in Path("plots").iterdir()) == ["classes.svg", "motion.svg"]
    again = run("score", DETECTIONS, *ARGUMENTS, "--plots", "plots")
    assert again.code == 2
    assert "plots/classes.svg exists already" in again.err
    quiet = run("score", DETECTIONS, *ARGUMENTS, "--plots", "plots", "--overwrite", "--quiet")
    assert (quiet.code, quiet.err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing.txt", *ARGUMENTS), "missing.txt cannot be read"),
        ((DETECTIONS, "--dataset", "imagenet-vid", "--root", "nowhere"), "nowhere"),
        ((DETECTIONS, *ARGUMENTS, "--split", "test"), "test"),
        ((DETECTIONS, *ARGUMENTS, "--metric", "coco", "--plots", "plots"), "drop --metric coco"),
        ((DETECTIONS, "--dataset", "imagenet-vid"), "--root"),
    ],
)
def test_a_bad_request_is_said_in_one_line(run: Run, arguments: tuple[str, ...], message: str) -> None:
    done = run("score", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("heatprop: error: ")
    assert done.err.count("\n") == 1
    assert message in done.err
    assert not Path("plots").exists()


def test_a_plot_that_exists_is_said_before_anything_is_read(run: Run) -> None:
    Path("plots").mkdir()
    Path("plots/motion.svg").write_text("precious")
    done = run("score", "missing.txt", *ARGUMENTS, "--plots", "plots")
    assert (done.code, done.out) == (2, "")
    assert "plots/motion.svg exists already" in done.err
    assert [path.read_text() for path in Path("plots").iterdir()] == ["precious"]


def test_no_empty_plot_is_left_when_scoring_fails(run: Run) -> None:
    assert run("score", "missing.txt", *ARGUMENTS, "--plots", "plots").code == 2
    assert not list(Path("plots").iterdir())


def test_a_damaged_line_is_named_and_nothing_is_scored(tmp_path: Path) -> None:
    lines = DETECTIONS.read_text().splitlines()
    lines[200] = lines[200].replace('"score": 0', '"score": NaN, "was": 0')
    (tmp_path / "damaged.jsonl").write_text("\n".join(lines))
    done = run_process("score", "damaged.jsonl", *ARGUMENTS, "--json", folder=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("heatprop: error: damaged.jsonl, line 201: ")


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    # The detections come through a pipe that never ends: the command waits for them.
    arguments = command("score", "/dev/stdin", *ARGUMENTS, "--plots", "plots")
    with subprocess.Popen(
        arguments,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread
    ) as run:
        assert run.stdin is not None
        run.stdin.write("1 4")
        run.stdin.flush()
        while not (tmp_path / "plots").exists():
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 130
        assert run.stdout is not None
        assert run.stderr is not None
        assert (run.stdout.read(), run.stderr.read()) == ("", "heatprop: error: stopped before all was scored\n")
    assert not list((tmp_path / "plots").iterdir())


def test_detections_may_come_through_a_pipe(tmp_path: Path) -> None:
    done = subprocess.run(
        command("score", "/dev/stdin", *ARGUMENTS, "--json"),
        input=DETECTIONS.read_text(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["mAP"] == pytest.approx(EXPECTED["mAP"], abs=1e-9)
