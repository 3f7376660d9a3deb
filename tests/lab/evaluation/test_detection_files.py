"""Detections come from a file whole, or with the line that is wrong."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatprop.errors import OutputError, OutputExistsError
from heatprop.lab.evaluation.detection_files import writing
from heatprop.lab.evaluation.detection_files.raw import DetectionFileError
from heatprop.lab.evaluation.detection_files.reading import read_detections
from heatprop.lab.evaluation.detection_files.writing import write_coco_json, write_mot_text, write_official_text
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.matching import match
from heatprop.lab.evaluation.metrics.official import official_result
from lab.evaluation.golden_videval import DETECTIONS, load
from lab.evaluation.small_datasets import make_dataset, make_detections

DATASET = make_dataset([], (2, 3))  # frames 101 to 105, v0/000000 to v1/000002; classes 11 to 13
LINE = {"frame": "v0/000001", "frame_id": 102, "class": 12, "score": 0.5, "x1": 1, "y1": 2, "x2": 3.5, "y2": 4}
ENTRY = {"image_id": 102, "category_id": 12, "score": 0.5, "bbox": [1, 2, 2.5, 2]}
GOLDEN = load()
TEXT = "102 12 0.5 1 2 3.5 4"


def read(tmp_path, content, dataset=DATASET):
    path = tmp_path / "some.detections"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_detections(path, dataset)


def columns(table):
    return [np.asarray(each).tolist() for each in (table.frames, table.labels, table.scores, table.boxes)]


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        f"\n  \n{TEXT}\r\n\n",
        "\t102.0 12 5e-1 +1 2 3.5 4.0 ",
        json.dumps(LINE),
        f"\ufeff{json.dumps(LINE)}\n\n",
        json.dumps({key: value for key, value in LINE.items() if key != "frame"}),
        json.dumps({key: value for key, value in LINE.items() if key != "frame_id"} | {"more": [{}]}),
        json.dumps([ENTRY]),
        json.dumps([ENTRY | {"segmentation": {"size": [1, 1], "counts": "x"}}], indent=2),
    ],
)
def test_the_format_is_found_by_content(tmp_path, content):
    assert columns(read(tmp_path, content)) == [[1], [1], [0.5], [[1, 2, 3.5, 4]]]


@pytest.mark.parametrize("content", ["", "\n \n", "[]", " [ ] \n", b"\xef\xbb\xbf"])
def test_a_file_without_detections_holds_none(tmp_path, content):
    assert len(read(tmp_path, content)) == 0


def line(**changes):
    return json.dumps({key: value for key, value in (LINE | changes).items() if value != "gone"})


def entry(**changes):
    return json.dumps({key: value for key, value in (ENTRY | changes).items() if value != "gone"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{TEXT}\n\n102 12 0.5 1 2 3", "line 3: 6 columns; a detection has 7: frame_index"),
        ("102 12 0.5 1 2 3\n" * 2, "line 1: 6 columns"),
        (f"{TEXT}\n102 12 high 1 2 3 4", "line 2: 'high' is no number"),
        (f"{TEXT}\n\n102 12 nan 1 2 3 4", "line 3: .* not all finite"),
        (f"{TEXT}\n102 12 0.5 1 2 inf 4", "line 2: .* not all finite"),
        (f"{TEXT}\n102 12 0.5 1 2 1e300 4", "line 2: .* beyond any image"),
        ("102 12 0.5 3 2 1 4", "line 1: box .* has crossed sides"),
        ("102 12 0.5 1 4 3 2", "line 1: box .* has crossed sides"),
        ("106 12 0.5 1 2 3 4", "line 1: frame 106 is not in the dataset"),
        ("101.5 12 0.5 1 2 3 4", "line 1: frame 101.5 is not in the dataset"),
        ("102 14 0.5 1 2 3 4", "line 1: class 14 is unknown; the dataset has 3, from 11 to 13"),
        ("102 1_2 0.5 1 2 3 4", "some.detections: "),
        ("frame class score\n", "line 1: 3 columns"),
        (b"\x00\xff\xfe\x80PNG", "is no text"),
        (line() + "\n" + line()[:-20], r"line 2: no JSON \(.*\); the file may be cut off"),
        (
            '{"format": "heatprop-detections"}\n{"frame": 0}',
            "is of one video, and the dataset has 2; give a folder with a file for each, such as v0.txt",
        ),
        (line() + "\n[]", "line 2: .* is no detection"),
        (line() + line(), "line 1: no JSON"),
        (line() + ",\n" + line(), "line 1: no JSON"),
        (line(score="gone"), "line 1: 'score' is missing"),
        (line(score="0.5"), "line 1: score is '0.5', no number"),
        (line(score=True), "line 1: score is True, no number"),
        (line(score=None), "line 1: score is None, no number"),
        (line(score=float("nan")), "line 1: .* not all finite"),
        (line(x1=10**400), "line 1: x1 is too large"),
        (line(x2=0), "line 1: box .* has crossed sides"),
        (
            "\n" + line() + "\n" + line(frame="v9/000000", frame_id="gone"),
            "line 3: frame 'v9/000000' is not in the",
        ),
        (line(frame_id=101), "line 1: frame 'v0/000001' is not number 101 of the dataset"),
        (line(frame="gone", frame_id="gone"), "line 1: frame and frame_id are missing"),
        (line(frame=["v0"]), "line 1: frame is .'v0'.; it must be str or missing"),
        (line(**{"class": 4.5}), "line 1: class 4.5 is unknown"),
        ('{"class": ' + "[" * 100_000, r"line 1: no JSON"),
        (f"[{entry()},\n\n {entry(score='gone')}]", "line 3, detection 2: 'score' is missing"),
        (f"[{entry()},\n{entry()}"[:-9], r"line 2: no JSON \(.*\); the file may be cut off"),
        (f"[{entry(bbox=[1, 2, 3])}]", r"line 1, detection 1: bbox is \[1, 2, 3\]; it must be"),
        (f"[{entry(bbox=7)}]", "detection 1: bbox is 7; it must be"),
        (f"[{entry(bbox=[1, 2, -3, 4])}]", "detection 1: box .* has crossed sides"),
        (f"[{entry(image_id='a')}]", "detection 1: image_id is 'a'; it must be a whole number"),
        (f"[{entry()},\n{entry(image_id=7)}]", "line 2, detection 2: frame 7 is not in the dataset"),
        (f"[{entry()}, 5]", "detection 2: 5 is no detection"),
        (f"[{entry(image_id=float('nan'))}]", "detection 1: image_id is nan; it must be a whole number"),
        (f"[{entry(image_id=102.5)}]", "detection 1: image_id is 102.5; it must be a whole number"),
        (f"[{entry(image_id=True)}]", "detection 1: image_id is True; it must be a whole number"),
        (line(frame="gone", frame_id="102"), "line 1: frame_id is '102'; it must be a whole number or missing"),
        (f'{{"annotations": [{entry()}, {entry(score="gone")}]}}', "annotations, detection 2: 'score' is missing"),
        (f'{{"info": {{}}, "found": [{entry()}]}}', "is one object with .'found', 'info'.; give COCO's list"),
        (f'{{"results": [{entry()}], "detections": []}}', "is one object with .'detections', 'results'."),
        ("{\n}\n", "is one object with .*; give COCO's list"),
        (f"[{entry(score=float('inf'))}]", "detection 1: .* not all finite"),
    ],
)
def test_bad_input_is_refused_in_one_line_that_says_where(tmp_path, content, message):
    with pytest.raises(DetectionFileError, match=message) as caught:
        read(tmp_path, content)
    assert "some.detections" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "missing.txt"):
        with pytest.raises(DetectionFileError, match=path.name):
            read_detections(path, DATASET)


@settings(max_examples=200, deadline=None)
@given(cut=st.integers(0, 60_000))
def test_a_cut_off_file_is_refused_unless_cut_at_the_end_of_a_line(tmp_path_factory, cut):
    dataset, whole = GOLDEN
    content = DETECTIONS.read_bytes()
    content, rest = content[:cut], content[cut:]
    folder = tmp_path_factory.mktemp("cut")
    lines = content.count(b"\n")
    if not content or content.endswith(b"\n") or not rest or rest.startswith(b"\n"):
        table = read(folder, content, dataset)
        assert columns(table) == columns(whole.select(np.arange(len(table))))
        assert len(table) == lines + (not content.endswith(b"\n") and len(content) > 0)
    else:
        with pytest.raises(DetectionFileError, match=f"line {lines + 1}: no JSON"):
            read(folder, content, dataset)


numbers = st.floats(-1e6, 1e6)
spans = st.tuples(numbers, numbers).map(sorted)
boxes = st.tuples(spans, spans).map(lambda sides: [sides[0][0], sides[1][0], sides[0][1], sides[1][1]])
tables = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), numbers, boxes), max_size=8).map(make_detections)


@settings(max_examples=100, deadline=None)
@given(tables)
def test_what_is_written_is_read_back(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("written")
    write_official_text(folder / "a.txt", DATASET, table)
    assert columns(read_detections(folder / "a.txt", DATASET)) == columns(table)
    write_coco_json(folder / "a.json", DATASET, table)
    back = read_detections(folder / "a.json", DATASET)
    assert columns(back)[:3] == columns(table)[:3]
    np.testing.assert_allclose(back.boxes, table.boxes, rtol=0, atol=1e-9)


@pytest.mark.parametrize("write", [write_official_text, write_coco_json])
def test_many_detections_are_written_in_pieces_with_no_room_for_all_as_text(tmp_path, monkeypatch, write):
    random = np.random.default_rng(0)
    count = 20_003
    low = random.uniform(0, 100, (count, 2))
    table = DetectionTable(
        random.integers(0, 5, count),
        random.integers(0, 3, count),
        random.random(count),
        np.concatenate([low, low + 1], axis=1),
    )
    write(tmp_path / "at-once", DATASET, table)
    monkeypatch.setattr(writing, "_ROWS_AT_ONCE", 500)
    tracemalloc.start()
    try:
        write(tmp_path / "pieces", DATASET, table)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "pieces").read_bytes() == (tmp_path / "at-once").read_bytes()
    assert peak < 100 * count / 4  # a line has 100 bytes


def test_golden_figures_survive_each_file(tmp_path):
    dataset, table = GOLDEN
    wanted = official_result(match(dataset, table)).mean_average_precision
    write_official_text(tmp_path / "a.txt", dataset, table)
    write_coco_json(tmp_path / "a.json", dataset, table)
    for name in ("a.txt", "a.json"):
        have = official_result(match(dataset, read_detections(tmp_path / name, dataset)))
        assert have.mean_average_precision == pytest.approx(wanted, abs=1e-12)


def test_mot_text_is_a_file_a_video_with_frames_from_1(tmp_path):
    table = make_detections([(3, 0, 0.25, [1, 2, 4, 6]), (1, 2, 0.5, [0, 0, 1.5, 1]), (3, 1, 1, [0, 0, 1, 1])])
    write_mot_text(tmp_path / "mot", DATASET, table)
    assert (tmp_path / "mot/v0.txt").read_text() == "2,-1,0.0,0.0,1.5,1.0,0.5,13,-1,-1\n"
    assert (tmp_path / "mot/v1.txt").read_text().splitlines() == [
        "2,-1,1.0,2.0,3.0,4.0,0.25,11,-1,-1",
        "2,-1,0.0,0.0,1.0,1.0,1.0,12,-1,-1",
    ]


@pytest.mark.parametrize(
    "names",
    [
        ("../out", "/out"),
        ("a/../../out", ".."),
        ("same", "same"),
        ("Same", "same"),
        ("x" * 300, "b"),
        ("a\nb", "c:d"),
        ("", "a//b"),
        ("video-000002", "video-000002"),
    ],
)
def test_mot_text_stays_in_its_folder_with_a_file_for_each_video_whatever_its_name(tmp_path, names):
    videos = tuple(replace(video, name=name) for video, name in zip(DATASET.videos, names, strict=True))
    table = make_detections([(1, 2, 0.5, [0, 0, 1.5, 1]), (3, 0, 0.25, [1, 2, 4, 6])])
    write_mot_text(tmp_path / "mot", replace(DATASET, videos=videos), table)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 2
    assert all(path.is_relative_to(tmp_path / "mot") for path in written)
    assert sum(path.read_text().count("\n") for path in written) == 2
    assert not Path("/out.txt").exists()


@pytest.mark.parametrize("write", [write_official_text, write_coco_json])
def test_a_file_that_exists_stays_unless_told(tmp_path, write):
    path = tmp_path / "a"
    path.write_text("precious")
    with pytest.raises(OutputExistsError):
        write(path, DATASET, make_detections([]))
    assert path.read_text() == "precious"
    write(path, DATASET, make_detections([]), overwrite=True)
    assert len(read_detections(path, DATASET)) == 0
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        write_mot_text(tmp_path / "file" / "mot", DATASET, make_detections([]))


@pytest.mark.parametrize("name", ["annotations", "results", "predictions", "detections"])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_in_an_object_is_read_as_the_list_itself(tmp_path, name, indent):
    content = {"info": {"by": "a tool"}, "images": [], name: [ENTRY, ENTRY | {"image_id": 103}]}
    wanted = read(tmp_path, json.dumps(content[name]))
    assert columns(read(tmp_path, json.dumps(content, indent=indent))) == columns(wanted)
    assert len(wanted) == 2


def test_whole_numbers_may_be_written_as_floats(tmp_path):
    assert columns(read(tmp_path, "102.0 12.0 0.5 1 2 3 4")) == columns(read(tmp_path, "102 12 0.5 1 2 3 4"))
    floats = {"image_id": float(ENTRY["image_id"]), "category_id": float(ENTRY["category_id"])}
    assert columns(read(tmp_path, f"[{entry(**floats)}]")) == columns(read(tmp_path, f"[{entry()}]"))
    numbered = {"frame": "gone", "frame_id": 102}
    wanted = columns(read(tmp_path, line(**numbered)))
    assert columns(read(tmp_path, line(**numbered | {"frame_id": 102.0, "class": float(LINE["class"])}))) == wanted
