"""Identities are scored by `evaluate`, `score` and `compare`, and what cannot be scored is said in a line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from cli.conftest import Run
from heatprop.cli import main
from heatprop.io.results import ResultsWriter
from heatprop.io.results_header import ResultsHeader
from heatprop.lab.evaluation.metrics.tracking import TRACKING_FIGURES
from heatprop.types import Detections, ImageArray
from lab.evaluation.mot_challenge_folders import (
    Row,
    official_figures,
    write_people,
    write_rows,
    write_sequence,
)
from small_video_datasets import write_coco_video

pytest.importorskip("trackeval", reason="pip install --no-deps trackeval")

SIZE = (400, 300)
NAMES = {"MOT17-02": 6, "MOT17-04": 4}
TRACKING = ("--metric", "tracking")
MOT = ("--dataset", "mot-challenge", "--root", "data", "--split", "train", *TRACKING)


def walk(length: int) -> list[Row]:
    """Return two pedestrians, one of whom stands still on a picture of a third, and a distractor."""
    rows: list[Row] = []
    for frame in range(1, length + 1):
        rows.append((frame, 1, 10.0 + 5 * frame, 20.0, 40.0, 80.0, 1, 1, 1.0))
        rows.append((frame, 2, 200.0, 30.0, 40.0, 80.0, 1, 1, 0.8))
        rows.append((frame, 3, 300.0, 30.0, 40.0, 80.0, 0, 8, 1.0))
    return rows


def found(length: int) -> list[Row]:
    """Return what a tracker wrote: the second id changes, the distractor is taken for a pedestrian."""
    rows: list[Row] = []
    for frame in range(length, 0, -1):  # out of order
        rows.append((frame, 5, 11.5 + 5 * frame, 21.0, 40.0, 80.0, 0.9, -1, -1, -1))
        rows.append((frame, 6 + frame // 3, 202.0, 30.0, 40.0, 80.0, -1, -1, -1, -1))
        rows.append((frame, 9, 301.0, 31.0, 40.0, 80.0, 0.7, -1, -1, -1))
    return rows


@pytest.fixture
def folders(run: Run) -> Path:
    """Make ``data/train`` with sequences and ``tracks/mine/data`` with their tracks, and return the latter."""
    assert run, "it has changed to an empty folder"
    for name, length in NAMES.items():
        write_sequence(Path("data/train"), name, walk(length), length, SIZE)
        write_rows(Path("tracks/mine/data") / f"{name}.txt", found(length))
    return Path("tracks/mine/data")


def test_a_folder_of_tracks_scores_as_trackevals_own_evaluator_says(run: Run, folders: Path) -> None:
    expected = official_figures(Path("data/train"), Path("tracks"), list(NAMES), "MOT17")
    done = run("score", folders, *MOT, "--json")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out, parse_constant=pytest.fail)["tracking"]
    assert {name: report[name] for name in TRACKING_FIGURES} == pytest.approx(expected["COMBINED_SEQ"], abs=1e-9)
    for name in NAMES:
        assert report["videos"][name] == pytest.approx(expected[name], abs=1e-9)
    assert report["classes"]["1"] == report["class_averaged"]
    assert (report["IDSW"], report["shown_from"], report["boxes"]) == (3, 0.3, 30)


def test_the_table_names_videos_and_says_what_is_left_out(run: Run, folders: Path) -> None:
    done = run("score", folders, *MOT, "--shown-from", "0.8")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[1].split() == [*TRACKING_FIGURES]
    assert [line.split("  ")[0] for line in lines[2:5]] == ["MOT17-02", "MOT17-04", "all together"]
    assert "Of 20 boxes with a score from 0.8 on; 10 with a lower one are left out." in lines


def test_one_file_of_one_sequence_and_the_metrics_of_detections(run: Run, folders: Path) -> None:
    root = ("--dataset", "mot-challenge", "--root", "data/train/MOT17-02")
    one = json.loads(run("score", folders / "MOT17-02.txt", *root, *TRACKING, "--json").out)
    assert one["tracking"]["HOTA"] == one["tracking"]["videos"]["MOT17-02"]["HOTA"]
    detections = json.loads(run("score", folders / "MOT17-02.txt", *root, "--metric", "coco", "--json").out)
    assert detections["coco"]["AP50"] == 1  # what lies on the distractor is forgiven
    assert "tracking" not in detections


def test_an_empty_file_is_a_video_in_which_nothing_was_found(run: Run, folders: Path) -> None:
    (folders / "MOT17-04.txt").write_text("")
    report = json.loads(run("score", folders, *MOT, "--json").out)["tracking"]
    assert report["videos"]["MOT17-04"]["HOTA"] == 0
    assert report["videos"]["MOT17-02"]["HOTA"] > 0.5


def test_tracks_in_json_score_the_same(run: Run, folders: Path) -> None:
    wanted = json.loads(run("score", folders, *MOT, "--json").out)["tracking"]
    lines, entries, start = [], [], 0
    for name, length in NAMES.items():
        for frame, number, left, top, width, height, score, *_ in found(length):
            place = {"frame": f"{name}/{int(frame):06d}", "class": 1, "score": 1.0 if score < 0 else score}
            corners = {"x1": left, "y1": top, "x2": left + width, "y2": top + height}
            lines.append(json.dumps({**place, **corners, "track_id": number}))
            box = {"image_id": frame + start, "category_id": 1, "bbox": [left, top, width, height]}
            entries.append({**box, "score": place["score"], "instance_id": number})
        start += length
    Path("tracks.jsonl").write_text("\n".join(lines))
    Path("tracks.json").write_text(json.dumps(entries))
    for name in ("tracks.jsonl", "tracks.json"):
        report = json.loads(run("score", name, *MOT, "--json").out)["tracking"]
        assert {each: report[each] for each in TRACKING_FIGURES} == pytest.approx(
            {each: wanted[each] for each in TRACKING_FIGURES}
        )


def test_what_detect_writes_is_scored_by_the_names_of_classes(run: Run, folders: Path) -> None:
    wanted = json.loads(run("score", folders, *MOT, "--json").out)["tracking"]
    for name, length in NAMES.items():
        with ResultsWriter(folders / f"{name}.jsonl", ResultsHeader("any", ["car", "person"])) as writer:
            for frame in range(length):
                rows = np.array([row[:7] for row in found(length) if row[0] == frame + 1])
                boxes = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)
                scores = np.where(rows[:, 6] < 0, 1.0, rows[:, 6])
                ids = rows[:, 1].astype(np.int64)
                both = Detections(
                    [*boxes, [0, 0, 9, 9]], [*scores, 0.9], [1, 1, 1, 0], track_ids=[*ids.tolist(), 77]
                )
                writer.write(frame, frame / 25, both)
        (folders / f"{name}.txt").unlink()
    report = json.loads(run("score", folders, *MOT, "--json").out)["tracking"]
    assert report["HOTA"] == pytest.approx(wanted["HOTA"], abs=1e-6)  # boxes have 32 bits there
    assert (report["IDSW"], report["boxes"]) == (wanted["IDSW"], wanted["boxes"])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2,5,1,1,9,9,0.9,-1,-1,-1", "line 19: id 5 stands in frame 2 already; an id is one object"),
        ("7,5,1,1,9,9,0.9,-1,-1,-1", "line 19: frame 7; video MOT17-02 has 6"),
        ("0,5,1,1,9,9,0.9,-1,-1,-1", "line 19: frame 0; frames are whole numbers from 1"),
        ("2,nan,1,1,9,9,0.9,-1,-1,-1", "line 19: a number is not finite"),
        ("2,5.5,1,1,9,9,0.9,-1,-1,-1", "line 19: id 5.5 is no whole number"),
        ("2,5,1,1", "line 19: 4 fields; a detection has frame, id"),
        ("2,x,1,1,9,9,0.9", "line 19: '2,x,1,1,9,9,0.9' is not frame, id"),
        ("2,8,1,1,9,9,0.9,3,-1,-1", "line 19: class 3 is unknown; the dataset has 1"),
        ("2,8,1,1,-9,9,0.9,1,-1,-1", "line 19: width -9 and height 9; none may be negative"),
        ("2,-1,1,1,9,9,0.9,1,-1,-1", "1 of 31 detections from score 0.3 on have no track id"),
    ],
)
def test_a_bad_line_of_tracks_is_named(run: Run, folders: Path, line: str, said: str) -> None:
    path = folders / "MOT17-02.txt"
    path.write_text(path.read_text() + f"{line}\n")
    done = run("score", folders, *MOT)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert said in done.err
    assert str(path) in done.err or "no track id" in done.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("frame;id\n", "1 columns; a detection has 7"),
        (b"\x89PNG\xff", "is no text"),
        (
            "1 1 0.9 1 1 9 9\n",
            "1 of 1 detections from score 0.3 on have no track id, the first in frame MOT17-02/",
        ),
        (
            '{"frame_id": 1, "class": 1, "score": 1, "x1": 0, "y1": 0, "x2": 1, "y2": 1, "track_id": 1.5}',
            "line 1: track_id is 1.5; ids are whole numbers from 0, or -1 for none",
        ),
        (
            "1,1,1,1,9,9,0.9",
            "is of one video, and the dataset has 2; give a folder with a file for each, such as MOT17",
        ),
    ],
)
@pytest.mark.usefixtures("folders")
def test_a_file_that_holds_no_tracks_is_refused(run: Run, content: str | bytes, said: str) -> None:
    Path("file").write_bytes(content.encode() if isinstance(content, str) else content)
    done = run("score", "file", *MOT)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert said in done.err


def test_a_folder_that_lacks_the_file_of_a_video_is_refused(run: Run, folders: Path) -> None:
    (folders / "MOT17-04.txt").unlink()
    done = run("score", folders, *MOT)
    assert done.code == 2
    assert f"{folders}: no MOT17-04.txt in it, the file of video MOT17-04" in done.err


def test_without_a_class_the_only_scored_one_of_the_video_is_meant(run: Run, street_image: ImageArray) -> None:
    write_coco_video(Path("data"), street_image, (3, 2))
    path = Path("data/annotations.json")
    content = json.loads(path.read_text())
    boxes = [(a["image_id"], a["instance_id"], *a["bbox"], 1) for a in content["annotations"]]
    people = [row for row in boxes if row[1] == 1]
    write_rows(Path("tracks/clip-1.txt"), [row for row in people if row[0] <= 3])
    write_rows(Path("tracks/clip-2.txt"), [(row[0] - 3, *row[1:]) for row in people if row[0] > 3])
    of_coco = ("score", "tracks", "--dataset", "coco-video", "--root", "data", *TRACKING)
    done = run(*of_coco)
    assert done.code == 2
    assert "line 1: no class, and 3 are scored in the video; write its number as the eighth field" in done.err
    for video in content["videos"]:
        video["evaluated_categories"] = ["person"]
    path.write_text(json.dumps(content))
    assert json.loads(run(*of_coco, "--json").out)["tracking"]["HOTA"] == pytest.approx(1)


@pytest.mark.parametrize("more", [("adaptive",), ("propagation",), ("adaptive", "--seq-nms")])
def test_evaluate_scores_what_it_writes(run: Run, street_image: ImageArray, more: tuple[str, ...]) -> None:
    write_coco_video(Path("data"), street_image)
    given = ("--dataset", "coco-video", "--root", "data", *TRACKING, "--json")
    done = run("evaluate", *given, "--backend", "onnx", "-o", "out", "--quiet", "--method", *more)
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    assert report["tracking"]["HOTA"] > 0.5
    assert json.loads(Path("out/report.json").read_text()) == report
    assert "mAP" not in report
    assert json.loads(run("score", "out/mot", *given).out) == report
    by_list = json.loads(run("score", "out/detections.json", *given).out)["tracking"]
    assert by_list["HOTA"] == pytest.approx(report["tracking"]["HOTA"])


def test_a_model_that_knows_persons_is_scored_on_pedestrians(run: Run, street_image: ImageArray) -> None:
    write_people(write_coco_video(Path("data"), street_image, (4,)), Path("mot/S-01"))
    done = run(
        "evaluate", "--dataset", "mot-challenge", "--root", "mot", "-o", "out", "--backend", "onnx", "--quiet",
        "--method", "adaptive", *TRACKING, "--json",
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["tracking"]["IDF1"] > 0.5


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--method", "network"), "--method network gives no identities"),
        (("--no-propagation",), "--method network gives no identities"),
        (("--shown-from", "2"), "--shown-from is 2"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused_before_work(
    run: Run, street_image: ImageArray, more: tuple[str, ...], said: str
) -> None:
    write_coco_video(Path("data"), street_image, (1,))
    given = ("--dataset", "coco-video", "--root", "data", *TRACKING)
    done = run("evaluate", *given, "-o", "out", *more)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert not Path("out").exists()


def test_a_dataset_without_identities_is_refused_before_work(run: Run, street_image: ImageArray) -> None:
    path = write_coco_video(Path("data"), street_image, (1,)) / "annotations.json"
    content = json.loads(path.read_text())
    for annotation in content["annotations"]:
        del annotation["instance_id"]
    path.write_text(json.dumps(content))
    done = run("evaluate", "--dataset", "coco-video", "--root", "data", *TRACKING, "-o", "out")
    assert (done.code, done.out) == (2, "")
    assert "data: tracking cannot be scored: 1 of 1 annotated objects have no track id" in done.err
    assert not Path("out").exists()


def test_without_trackeval_every_command_says_what_to_install(
    run: Run, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trackeval", None)
    for command in (("score", folders), ("evaluate", "-o", "out"), ("compare", "--cache", "cache")):
        if command[0] == "compare":
            Path("cache").mkdir()
        done = run(*command, *MOT)
        assert (done.code, done.out) == (2, "")
        assert done.err == (
            "heatprop: error: tracking is scored by trackeval, which is not installed; "
            "pip install 'heatprop[tracking]', then pip install --no-deps trackeval\n"
        )


def test_compare_has_identities_and_how_sure_their_differences_are(run: Run, street_image: ImageArray) -> None:
    root = write_coco_video(Path("data"), street_image)
    request = ["evaluate", "--dataset", "coco-video", "--backend", "onnx", "--root", str(root), "--quiet"]
    assert main([*request, "-o", "out", "--cache", "cache", "--method", "adaptive", *TRACKING]) == 0
    wanted = json.loads(Path("out/report.json").read_text())["tracking"]
    given = ("compare", "--cache", "cache", "--dataset", "coco-video", "--root", "data", "--resamples", "20")
    result = json.loads(run(*given, *TRACKING, "--json", "--quiet").out)
    methods = {row["method"]: row for row in result["methods"]}
    assert list(methods) == [
        "HP, the paper's",
        "HP, adaptive",
        "HP, the paper's + Seq-NMS",
        "HP, adaptive + Seq-NMS",
        "HP, the paper's + Seq-NMS, joined",
        "HP, adaptive + Seq-NMS, joined",
    ]
    more = ("--seq-nms", "--shown-from", "0.1", *TRACKING)
    assert main([*request, "-o", "joined", "--cache", "cache", "--method", "adaptive", *more]) == 0
    report = json.loads(Path("joined/report.json").read_text())["tracking"]
    lower = json.loads(run(*given, "--shown-from", "0.1", *TRACKING, "--json", "--quiet").out)["methods"]
    joined = {row["method"]: row for row in lower}["HP, adaptive + Seq-NMS, joined"]
    for name in ("HOTA", "DetA", "AssA", "IDF1", "MOTA", "IDSW"):
        assert methods["HP, adaptive"][name] == pytest.approx(wanted[name])
        assert joined[name] == pytest.approx(report[name])
        delta, low, high = methods["HP, adaptive"]["against_first"][name]
        assert delta == pytest.approx(methods["HP, adaptive"][name] - methods["HP, the paper's"][name])
        assert low <= high
    done = run(*given, *TRACKING, "--quiet")
    assert (done.code, done.err) == (0, "")
    figures, differences = done.out.split("Difference to HP, the paper's, 95 % interval over 2 videos\n")
    header = ["method", "HOTA", "DetA", "AssA", "IDF1", "MOTA", "IDSW", "changes", "deviation", "found", "FP"]
    assert figures.splitlines()[1].split() == [*header, "ms"]
    assert differences.splitlines()[0].split() == header

    annotations = Path("data/annotations.json")
    annotations.write_text(annotations.read_text().replace("instance_id", "unknown"))
    done = run(*given, *TRACKING, "--quiet")
    assert (done.code, done.out) == (2, "")
    assert "annotated objects have no track id" in done.err
