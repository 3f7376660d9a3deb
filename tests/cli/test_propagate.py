"""`heatprop propagate` makes detections of others steady, in the forms that people keep them in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.conftest import Run
from heatprop import Detections
from heatprop.interop.mot_text import mot_lines, parse_mot
from heatprop.io.completeness import Completeness
from heatprop.io.results import ResultsHeader, ResultsWriter, read_results
from heatprop.propagation import DetectionPropagator, PropagationConfig
from heatprop.types import ImageArray
from small_video_datasets import write_coco_video

SIZE = (100, 200)


def frames(count: int = 6) -> list[Detections]:
    """Two objects, one of which moves and is missed in the fourth frame."""
    seen = []
    for number in range(count):
        moving = [10.0 + 3 * number, 20, 50 + 3 * number, 80]
        both = Detections([moving, [120, 30, 160, 70]], [0.9, 0.6], [0, 1])
        seen.append(both.select(np.array([1])) if number == 3 else both)
    return seen


def slowly(seen: list[Detections], config: PropagationConfig) -> list[Detections]:
    propagator = DetectionPropagator(config)
    return [propagator.update(each, SIZE) for each in seen]


def mot_text(seen: list[Detections]) -> str:
    lines = []
    for number, each in enumerate(seen, start=1):
        for (x1, y1, x2, y2), score, label in zip(each.boxes, each.scores, each.labels, strict=True):
            lines.append(f"{number},-1,{x1},{y1},{x2 - x1},{y2 - y1},{score},{label + 1},-1,-1\n")
    return "".join(lines)


@pytest.mark.parametrize("form", ["adaptive", "paper"])
def test_mot_text_gets_steady_boxes_and_ids(run: Run, tmp_path: Path, form: str) -> None:
    (tmp_path / "det.txt").write_text(mot_text(frames()))
    told = ["--size", "200x100", "--propagation", form]
    done = run("propagate", tmp_path / "det.txt", "-o", tmp_path / "out.txt", *told)
    assert (done.code, done.out) == (0, "")
    found = parse_mot((tmp_path / "out.txt").read_text())
    config = PropagationConfig.adaptive() if form == "adaptive" else PropagationConfig.paper()
    for (number, each), wanted in zip(found.by_frame(6), slowly(frames(), config), strict=True):
        assert len(each) == len(wanted), number
        np.testing.assert_allclose(each.boxes, wanted.boxes, rtol=1e-5)
        np.testing.assert_allclose(each.scores, wanted.scores, rtol=1e-5)
    ids = [line.split(",")[:2] for line in (tmp_path / "out.txt").read_text().splitlines()]
    assert {track for _, track in ids} == {"1", "2"}, "each object has one id, and the missed one keeps it"
    assert sum(frame == "4" for frame, _ in ids) == 2


def test_the_size_and_length_may_stand_in_seqinfo(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "MOT-01" / "det"
    folder.mkdir(parents=True)
    (folder / "det.txt").write_text(mot_text(frames(2)))
    (folder.parent / "seqinfo.ini").write_text("[Sequence]\nname=a\nimWidth=200\nimHeight=100\nseqLength=3\n")
    assert run("propagate", folder / "det.txt", "-o", tmp_path / "out.txt").code == 0
    said = {line.split(",")[0] for line in (tmp_path / "out.txt").read_text().splitlines()}
    assert said == {"1", "2", "3"}, "objects are kept in frames in which nothing was detected"


def test_json_lines_keep_their_header(run: Run, tmp_path: Path) -> None:
    header = ResultsHeader("mine", ["cat", "dog"], {"width": 200, "height": 100}, {"a": 1})
    with ResultsWriter(tmp_path / "in.jsonl", header) as writer:
        for number, each in enumerate(frames()):
            writer.write(number, number / 25, each)
    done = run("propagate", tmp_path / "in.jsonl", "-o", tmp_path / "out.jsonl", "--quiet")
    assert (done.code, done.err) == (0, "")
    read, steps = read_results(tmp_path / "out.jsonl")
    assert (read.model, read.classes, read.settings["a"]) == ("mine", ["cat", "dog"], 1)
    assert read.settings["propagated"]["radius"] == 2
    assert steps.completeness is Completeness.COMPLETE
    for (_, _, found), wanted in zip(steps, slowly(frames(), PropagationConfig.adaptive()), strict=True):
        np.testing.assert_allclose(found.boxes, wanted.boxes, atol=0.01)
        assert found.lengths.tolist() == wanted.lengths.tolist()
    assert run("propagate", tmp_path / "in.jsonl", "-o", "-").out == (tmp_path / "out.jsonl").read_text()


def test_coco_results_of_a_dataset(run: Run, tmp_path: Path, street_image: ImageArray) -> None:
    write_coco_video(tmp_path / "clips", street_image)
    content = json.loads((tmp_path / "clips" / "annotations.json").read_text())
    images, category = content["images"], content["categories"][0]["id"]
    entries = [
        {"image_id": image["id"], "category_id": category, "score": 0.8, "bbox": [10, 10, 40, 30]}
        for image in reversed(images)
    ]
    (tmp_path / "found.json").write_text(json.dumps(entries))
    told = ["--dataset", "coco-video", "--root", tmp_path / "clips"]
    done = run("propagate", tmp_path / "found.json", *told, "-o", tmp_path / "steady.json")
    assert done.code == 0, done.err
    steady = json.loads((tmp_path / "steady.json").read_text())
    assert sorted(entry["image_id"] for entry in steady) == sorted(image["id"] for image in images)
    assert {tuple(entry["bbox"]) for entry in steady} == {(10.0, 10.0, 40.0, 30.0)}
    assert run("score", tmp_path / "steady.json", *told).code == 0
    assert "ends in .json (COCO) or .txt" in run("propagate", tmp_path / "found.json", *told, "-o", "a.csv").err


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (b"1,-1,2,2,3,4,0.5\n", [], "does not say how large frames are; add --size"),
        (b"1,-1,2,2,3,4,0.5\n", ["--size", "20"], "--size is 20; give width and height"),
        (b"1,-1,2,2,3,4,1.5\n", ["--size", "20x20"], "line 1: score 1.5"),
        (b"\n1,-1,2,2,-3,4,.5\n", ["--size", "20x20"], "line 2: width -3"),
        (b"1,-1,2,nan,3,4,.5\n", ["--size", "20x20"], "line 1: a number is not finite"),
        (b"0,-1,2,2,3,4,.5\n", ["--size", "20x20"], "line 1: frame 0"),
        (b"1 2 3\n", ["--size", "20x20"], "line 1: '1 2 3' is not frame, id"),
        (b"1,2,3\n", ["--size", "20x20"], "line 1: 3 fields"),
        (b"[]", [], "of a dataset's frames; say which with --dataset"),
        (b"\xff\xfe\x00", ["--size", "20x20"], "is no text"),
        (b'{"frame": 0, "time": 0.0, "boxes": []}\n', [], "has no header on its first line"),
        (b"", ["--root", "."], "--dataset and --root belong together"),
        (b"", ["--alpha", "2"], "alpha is 2"),
    ],
)
def test_bad_input_is_one_line_and_nothing_written(
    run: Run, tmp_path: Path, content: bytes, options: list[str], said: str
) -> None:
    (tmp_path / "det").write_bytes(content)
    done = run("propagate", tmp_path / "det", "-o", tmp_path / "out.txt", *options)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir() if "out" in each.name] == []


def test_frames_of_json_lines_must_rise_and_scores_be_probabilities(run: Run, tmp_path: Path) -> None:
    header = json.dumps(ResultsHeader("mine", ["cat"], {"width": 20, "height": 10}).to_json())
    empty = {"time": 0.0, "boxes": [], "scores": [], "labels": [], "names": [], "lengths": []}
    one = {**empty, "boxes": [[1, 2, 3, 4]], "scores": [2.0], "labels": [0], "names": ["cat"], "lengths": [1]}
    lines = {
        "frame 0 where one after 1": [{"frame": 1, **empty}, {"frame": 0, **empty}],
        "frame 3: scores[0] is 2.0": [{"frame": 3, **one}],
    }
    for said, entries in lines.items():
        (tmp_path / "in.jsonl").write_text("\n".join([header, *map(json.dumps, entries), ""]))
        done = run("propagate", tmp_path / "in.jsonl", "-o", tmp_path / "out.jsonl")
        assert done.code == 2
        assert said in done.err
        assert not (tmp_path / "out.jsonl").exists()


def test_lines_of_another_program_need_no_lengths_and_what_was_propagated_is_told(
    run: Run, tmp_path: Path
) -> None:
    for propagation in (None, "adaptive"):
        settings = {"propagation": propagation}
        header = ResultsHeader("mine", ["cat"], {"width": 20, "height": 10}, settings).to_json()
        frame = {"time": 0.0, "boxes": [[1, 2, 3, 4]], "scores": [0.9], "labels": [0]}
        lines = [header, *({"frame": number, **frame} for number in range(3))]
        (tmp_path / "in.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
        done = run("propagate", tmp_path / "in.jsonl", "-o", tmp_path / "out.jsonl", "--overwrite")
        assert done.code == 0
        assert ("was propagated already" in done.err) == (propagation is not None)
        *_, last, _ = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
        assert (last["lengths"], last["ids"]) == ([3], [0])


def test_an_output_that_exists_or_is_read_stays(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "det.txt"
    path.write_text(mot_text(frames()))
    for output in (path, tmp_path / "out.txt"):
        (tmp_path / "out.txt").write_text("mine")
        done = run("propagate", path, "-o", output, "--size", "200x100")
        assert done.code == 2
    assert (path.read_text(), (tmp_path / "out.txt").read_text()) == (mot_text(frames()), "mine")
    assert run("propagate", path, "-o", tmp_path / "out.txt", "--size", "200x100", "--overwrite").code == 0


sides = st.integers(0, 100_000).map(lambda hundredths: hundredths / 100)
rows = st.lists(st.tuples(st.integers(1, 9), sides, sides, sides, sides, st.integers(0, 1000), st.integers(1, 9)))


@given(rows)
def test_what_is_written_is_read_back(rows: list[tuple[int, float, float, float, float, int, int]]) -> None:
    steps = []
    for number in range(1, 10):
        mine = [row for row in rows if row[0] == number]
        boxes = np.array([[x, y, x + w, y + h] for _, x, y, w, h, _, _ in mine]).reshape(-1, 4)
        scores, labels = np.array([row[5] / 1000 for row in mine]), np.array([row[6] for row in mine], np.int64)
        steps.append((number, Detections(boxes, scores, labels, track_ids=np.arange(len(mine)))))
    read = dict(parse_mot("".join(mot_lines(steps))).by_frame(9))
    for number, each in steps:
        np.testing.assert_allclose(read[number].boxes, each.boxes, rtol=1e-5, atol=1e-3)
        np.testing.assert_allclose(read[number].scores, each.scores, rtol=1e-5)
        assert read[number].labels.tolist() == each.labels.tolist()
