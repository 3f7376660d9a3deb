"""Exports are read by those whom they are for."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import av
import numpy as np
import pytest

from app_client import Client
from heatprop.app.exports import file_stem
from heatprop.interop.mot_text import parse_mot_rows
from heatprop.io.results import read_results
from heatprop.lab.datasets import load_coco_video


def test_json_lines_are_those_of_the_command(shown: tuple[Client, str], tmp_path: Path) -> None:
    client, run = shown
    path = tmp_path / "walks.jsonl"
    path.write_bytes(client.exported(run, format="jsonl").body)
    header, frames = read_results(path)
    assert header.model == "blocks"
    assert header.settings["propagation"]["alpha"] == 0.98
    shown_frames = client.detections(run)
    for (number, time, found), wanted in zip(frames, shown_frames, strict=True):
        assert time == pytest.approx(number / 25, abs=1e-3)
        assert found.track_ids.tolist() == wanted["ids"]
        np.testing.assert_allclose(found.boxes, np.array(wanted["boxes"]).reshape(-1, 4), atol=0.06)


def test_coco_is_read_as_a_dataset_of_one_video(shown: tuple[Client, str], tmp_path: Path) -> None:
    client, run = shown
    path = tmp_path / "walks.json"
    path.write_bytes(client.exported(run, format="coco", **{"from": 10, "to": 20}).body)
    dataset = load_coco_video(path)
    assert dataset.classes == ("person", "car")
    assert [video.length for video in dataset.videos] == [10]
    frames = client.detections(run)[10:20]
    assert dataset.truth.labels.tolist() == [label for frame in frames for label in frame["labels"]]
    assert dataset.truth.tracks.tolist() == [number for frame in frames for number in frame["ids"]]
    boxes = [box for frame in frames for box in frame["boxes"]]
    np.testing.assert_allclose(dataset.truth.boxes, boxes, atol=0.07)
    assert all(0.3 <= entry["score"] <= 1 for entry in json.loads(path.read_text())["annotations"])


def test_mot_counts_frames_ids_and_classes_from_1(shown: tuple[Client, str]) -> None:
    client, run = shown
    rows = parse_mot_rows(client.exported(run, format="mot").body.decode())
    frames = client.detections(run)
    assert rows.frames.tolist() == [number for number, frame in enumerate(frames, 1) for _ in frame["ids"]]
    assert rows.ids.tolist() == [number + 1 for frame in frames for number in frame["ids"]]
    assert rows.labels.tolist() == [label + 1 for frame in frames for label in frame["labels"]]


def test_tables_have_a_row_a_detection(shown: tuple[Client, str]) -> None:
    client, run = shown
    frames = client.detections(run)
    wanted = [(number, identity) for number, frame in enumerate(frames) for identity in frame["ids"]]
    rows = list(csv.DictReader(io.StringIO(client.exported(run, format="csv").body.decode())))
    assert [(int(row["frame"]), int(row["id"])) for row in rows] == wanted
    assert {row["class"] for row in rows} == {"person", "car"}
    pyarrow = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow, which is not installed")
    table = pyarrow.read_table(io.BytesIO(client.exported(run, format="parquet").body)).to_pydict()
    assert list(zip(table["frame"], table["id"], strict=True)) == wanted


@pytest.mark.parametrize(("view", "width"), [("propagated", 160), ("alone", 160), ("both", 320)])
def test_a_video_shows_what_is_seen(shown: tuple[Client, str], view: str, width: int) -> None:
    client, run = shown
    content = client.exported(run, format="mp4", view=view, **{"from": 28, "to": 36}).body
    with av.open(io.BytesIO(content)) as video:
        images = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert [image.shape for image in images] == [(96, width, 3)] * 8


def test_the_network_alone_is_exported_without_ids(shown: tuple[Client, str], tmp_path: Path) -> None:
    client, run = shown
    path = tmp_path / "alone.jsonl"
    path.write_bytes(client.exported(run, format="jsonl", view="alone").body)
    header, frames = read_results(path)
    assert header.settings["propagation"] is None
    numbers = [found for _, _, found in frames]
    assert all((found.track_ids == -1).all() for found in numbers)
    assert [len(found) for found in numbers] == [1 if n >= 30 and n % 10 == 0 else 2 for n in range(150)]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"format": "exe"}, "format is 'exe'; it must be one of mp4"),
        ({}, "format is 'None'"),
        ({"format": "jsonl", "view": "x"}, "view is 'x'"),
        ({"format": "jsonl", "from": 3, "to": 3}, "frames 3 to 3 are asked for; the run has 0 to 150"),
        ({"format": "jsonl", "from": "0"}, "frames 0 to 150 are asked for"),
        ({"format": "jsonl", "to": 1000}, "frames 0 to 1000 are asked for"),
        ({"format": "jsonl", "key": 7}, "key is the key of a tuning"),
    ],
)
def test_what_cannot_be_exported_is_told(shown: tuple[Client, str], asked: dict[str, object], said: str) -> None:
    client, run = shown
    answer = client.post(f"/api/runs/{run}/export", asked)
    assert (answer.status, answer.error.startswith(said)) == (400, True), answer.error


def test_a_key_that_nothing_has_is_told_by_the_export(shown: tuple[Client, str]) -> None:
    client, run = shown
    job = client.post(f"/api/runs/{run}/export", {"format": "jsonl", "key": "../../x"}).json["job"]
    error = next(
        content["error"]
        for name, content in client.events()
        if name == "export" and content["job"] == job and content["error"]
    )
    assert error.startswith("there are no detections of the key '../../x'")


def test_an_export_has_a_harmless_name_and_is_saved_rather_than_shown(
    client: Client, walks: str, block_model: str
) -> None:
    run = client.begin(source=walks, model=block_model, name="../<b>ä$(x)\r\nSet-Cookie: a.mp4")
    client.ended(run)
    answer = client.exported(run, format="mot")
    assert answer.headers["content-disposition"] == 'attachment; filename="b-x-Set-Cookie-a.txt"'
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("name", ["walks.txt/..", "other.txt", "..%2frun.json", "run.json"])
def test_no_other_file_is_given_by_an_export(shown: tuple[Client, str], name: str) -> None:
    client, run = shown
    job = client.post(f"/api/runs/{run}/export", {"format": "mot"}).json["job"]
    next(1 for kind, content in client.events() if kind == "export" and content["job"] == job and content["url"])
    assert client.get(f"/api/exports/{job}/walks.txt").status == 200
    assert client.get(f"/api/exports/{job}/{name}").status in (400, 404)


@pytest.mark.parametrize("name", ["", ".", "..", "/", "a/b", "\0", "-rf", "con", "é" * 500, "x" * 500, "a\nb"])
def test_a_stem_is_a_plain_name(name: str) -> None:
    stem = file_stem(name)
    assert 0 < len(stem) <= 80
    assert stem.isascii()
    assert not set(stem) & set('/\\:*?"<>|\0\n ')
    assert stem[0] not in "-."
