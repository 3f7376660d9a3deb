"""Average precision and false alarms of a run whose video is annotated, in each of three layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app_client import Client
from block_videos import BLOCK, HEIGHT, WIDTH

FRAMES = 150


def person_box(frame: int) -> tuple[float, float, float, float]:
    """Left, top, width and height of the person of the walks, also where it is hidden."""
    left = round(20 + 0.8 * frame - BLOCK[0] / 2)
    return left, 30 - BLOCK[1], BLOCK[0], BLOCK[1]


def write_coco(path: Path, *, frames: int = FRAMES) -> Path:
    entries = [
        {"id": n, "image_id": n, "category_id": 1, "bbox": person_box(n), "iscrowd": 0, "instance_id": 1}
        for n in range(frames)
    ]
    content = {
        "categories": [{"id": 1, "name": "person"}],
        "videos": [{"id": 1, "name": "walks"}],
        "images": [
            {"id": n, "video_id": 1, "frame_id": n, "file_name": f"{n}.jpg", "width": WIDTH, "height": HEIGHT}
            for n in range(frames)
        ],
        "annotations": entries,
    }
    path.write_text(json.dumps(content))
    return path


def write_mot(path: Path) -> Path:
    lines = [f"{n + 1},1,{','.join(map(str, person_box(n)))},1,1,1\n" for n in range(FRAMES)]
    path.write_text("".join(lines))
    return path


def write_xml(folder: Path) -> Path:
    folder.mkdir()
    for number in range(FRAMES):
        left, top, width, height = person_box(number)
        (folder / f"{number:06d}.xml").write_text(
            f"<annotation><folder>walks</folder><filename>{number:06d}</filename>"
            f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
            "<object><trackid>0</trackid><name>n02958343</name>"
            f"<bndbox><xmax>{left + width}</xmax><xmin>{left}</xmin><ymax>{top + height}</ymax>"
            f"<ymin>{top}</ymin></bndbox><occluded>0</occluded><generated>0</generated></object></annotation>"
        )
    return folder


def truth_of(client: Client, run: str, key: str = "") -> dict[str, Any]:
    def answer() -> Any:
        found = client.get(f"/api/runs/{run}/truth?key={key}")
        assert found.status == 200, found.body
        return found.json if found.json["done"] else None

    return client.until(answer)


@pytest.mark.parametrize("layout", ["coco", "mot"])
def test_propagation_finds_who_is_hidden_from_the_network(
    client: Client, tmp_path: Path, walks: str, block_model: str, layout: str
) -> None:
    path = write_coco(tmp_path / "a.json") if layout == "coco" else write_mot(tmp_path / "gt.txt")
    run = client.begin(source=walks, model=block_model, truth=str(path))
    assert client.ended(run)["has_truth"] is True
    truth = truth_of(client, run)
    assert (truth["frames"], truth["threshold"]) == (FRAMES, 0.3)
    assert truth["found"]["propagated"] == 1
    assert truth["found"]["alone"] == pytest.approx(138 / 150, abs=1e-4)
    assert truth["ap"]["alone"] == pytest.approx(138 / 150, abs=1e-4)
    assert truth["ap"]["propagated"] > truth["ap"]["alone"]
    assert truth["false_alarms"] == {"alone": 0, "propagated": 0}  # the car is of no class that is annotated
    high = client.tune(run, score_threshold=0.95)["key"]
    assert truth_of(client, run, high)["found"]["propagated"] < 1  # the score of who is hidden falls


def test_imagenet_vid_is_read_too(client: Client, tmp_path: Path, walks: str, block_model: str) -> None:
    run = client.begin(source=walks, model=block_model)
    client.ended(run)
    assert client.get(f"/api/runs/{run}/truth").status == 409
    path = str(write_xml(tmp_path / "xml"))
    assert client.post(f"/api/runs/{run}/truth", {"path": path}).json["has_truth"] is True
    truth = truth_of(client, run)
    # What is annotated as a car is the person: cars are found elsewhere.
    assert (truth["ap"]["propagated"], truth["found"]["propagated"]) == (0, 0)
    assert truth["false_alarms"]["alone"] == 1
    assert client.post(f"/api/runs/{run}/truth", {"path": None}).json["has_truth"] is False


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: write_coco(path, frames=7), "annotates 7 frames, and the run has 150"),
        (lambda path: path.write_text("{"), "is not whole JSON"),
        (lambda path: path.write_text('{"images": [], "categories": [{"id": 1, "name": "x"}]}'), "a.json"),
    ],
)
def test_annotations_that_do_not_fit_are_told(
    shown: tuple[Client, str], tmp_path: Path, write: Any, said: str
) -> None:
    client, run = shown
    path = tmp_path / "a.json"
    write(path)
    assert client.post(f"/api/runs/{run}/truth", {"path": str(path)}).status == 200
    answer = client.get(f"/api/runs/{run}/truth")
    client.post(f"/api/runs/{run}/truth", {"path": None})
    assert answer.status == 400
    assert said in answer.error


@pytest.mark.parametrize("path", ["/nowhere", "/", "", 7])
def test_what_are_no_annotations_is_told_at_once(shown: tuple[Client, str], path: Any) -> None:
    client, run = shown
    answer = client.post(f"/api/runs/{run}/truth", {"path": path})
    if path == "":
        assert answer.json["has_truth"] is False
    else:
        assert answer.status == 400
        assert "annotations" in answer.error
