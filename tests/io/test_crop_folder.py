"""A folder of crops has a picture of each object and a list of them, and says whether it is complete."""

import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from heatprop.errors import OutputError, OutputExistsError
from heatprop.io.best_sightings import BestSightings
from heatprop.io.completeness import Completeness, count_frames, is_begun, state_of
from heatprop.io.crop_folder import CropFolder, picture_name
from heatprop.io.outputs import find_leftovers
from heatprop.io.results import ResultsHeader
from heatprop.types import Detections

HEADER = ResultsHeader("tiny", ["cat", "../traffic light"], {"name": "street.mp4"}, {"score_threshold": 0.3})
IMAGE = np.zeros((60, 80, 3), np.uint8)
IMAGE[10:40, 20:30] = 200, 100, 50
TWO = Detections([[20, 10, 30, 40], [5, 5, 9, 9]], [0.9, 0.5], [0, 1], track_ids=[12, 3])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(folder: Path, *, frames: int = 3, complete: bool = True, **options) -> None:
    crops = CropFolder(folder, HEADER, **options)
    for index in range(frames):
        crops.write(index, index / 25, IMAGE, TWO)
    crops.close(complete=complete)


def test_each_object_has_a_picture_with_its_class_and_id(tmp_path: Path) -> None:
    write(tmp_path)
    assert names(tmp_path) == ["cat-12.jpg", "crops.jsonl", "traffic-light-3.jpg"]
    picture = cv2.imread(str(tmp_path / "cat-12.jpg"))[..., ::-1]
    assert picture.shape == (30, 10, 3)
    assert np.abs(picture.astype(int) - [200, 100, 50]).max() < 8


def test_the_list_says_of_each_where_it_was_seen(tmp_path: Path) -> None:
    write(tmp_path)
    header, *lines, end = [json.loads(line) for line in (tmp_path / "crops.jsonl").read_text().splitlines()]
    assert (header["format"], header["model"]) == ("heatprop-crops", "tiny")
    assert end == {"end": {"frames": 3, "complete": True}}
    assert lines[1] == {
        "file": "cat-12.jpg",
        "id": 12,
        "class": "cat",
        "score": 0.9,
        "frame": 0,
        "time": 0.0,
        "box": [20.0, 10.0, 30.0, 40.0],
    }


@pytest.mark.parametrize("complete", [True, False])
def test_it_says_whether_it_is_complete(tmp_path: Path, complete: bool) -> None:
    write(tmp_path, complete=complete)
    state = state_of(tmp_path / "crops.jsonl")
    assert state.completeness is (Completeness.COMPLETE if complete else Completeness.UNFINISHED)
    assert state.frames == 3
    assert state.header is not None
    assert {**state.header.to_json(), "format": ""} == {**HEADER.to_json(), "format": ""}


def test_pixels_that_are_not_square_are_made_square(tmp_path: Path) -> None:
    for number, ratio in enumerate((Fraction(2), Fraction(1, 2))):
        folder = tmp_path / str(number)
        folder.mkdir()
        write(folder, sample_aspect_ratio=ratio)
    shapes = [cv2.imread(str(tmp_path / number / "cat-12.jpg")).shape[:2] for number in "01"]
    assert shapes == [(30, 20), (60, 10)]


def test_pictures_appear_when_their_object_is_gone(tmp_path: Path) -> None:
    crops = CropFolder(tmp_path, HEADER, best=BestSightings(gone_after=1))
    crops.write(0, 0.0, IMAGE, TWO)
    assert names(tmp_path) == ["crops.part.jsonl"]
    for index in (1, 2):
        crops.write(index, index / 25, IMAGE, TWO.select(np.array([1])))
    assert names(tmp_path) == ["cat-12.jpg", "crops.part.jsonl"]
    assert find_leftovers(tmp_path / "crops.jsonl") == [tmp_path / "crops.part.jsonl"]
    assert is_begun(tmp_path / "crops.part.jsonl")
    assert state_of(tmp_path / "crops.part.jsonl").completeness is Completeness.UNFINISHED
    assert count_frames(tmp_path / "crops.part.jsonl") == 1
    crops.discard()
    assert names(tmp_path) == []


def test_a_later_run_removes_what_an_earlier_one_wrote_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "holiday.jpg").write_text("precious")
    with pytest.raises(OutputExistsError, match=r"crops.jsonl exists already"):
        CropFolder(tmp_path, HEADER)
    crops = CropFolder(tmp_path, HEADER, overwrite=True)
    assert "cat-12.jpg" in names(tmp_path)
    crops.write(0, 0.0, IMAGE, Detections.empty())
    crops.close()
    assert names(tmp_path) == ["crops.jsonl", "holiday.jpg"]


@pytest.mark.parametrize("overwrite", [True, False])
def test_pictures_that_no_list_names_are_not_replaced(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "cat-12.jpg").write_text("precious")
    with pytest.raises(OutputExistsError, match=r"cat-12.jpg exists already, and no crops.jsonl names it"):
        CropFolder(tmp_path, HEADER, overwrite=overwrite)
    assert names(tmp_path) == ["cat-12.jpg"]


def test_a_list_that_names_files_elsewhere_removes_none_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "crops"
    folder.mkdir()
    (tmp_path / "cat-1.jpg").write_text("precious")
    lines = [{**HEADER.to_json(), "format": "heatprop-crops"}, {"file": "../cat-1.jpg"}, {"file": 7}, [], {}]
    (folder / "crops.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + "rubbish\n")
    write(folder, overwrite=True)
    assert (tmp_path / "cat-1.jpg").read_text() == "precious"


def test_a_picture_that_cannot_be_written_is_told_and_makes_the_list_unfinished(tmp_path: Path) -> None:
    crops = CropFolder(tmp_path, HEADER)
    crops.write(0, 0.0, IMAGE, TWO)
    (tmp_path / "cat-12.jpg").mkdir()
    with pytest.raises(OutputError, match=r"cat-12.jpg: cannot write it"):
        crops.close()
    assert state_of(tmp_path / "crops.jsonl").completeness is Completeness.UNFINISHED


@pytest.mark.parametrize("kind", ["", "/", "..", "a/b", "x" * 300, "\n", "自転車" * 40, "con\0"])
def test_any_class_gives_a_name_that_stays_in_the_folder(kind: str, tmp_path: Path) -> None:
    name = picture_name(kind, 12)
    path = tmp_path / name
    path.write_text("there")
    assert path.parent == tmp_path
    assert name.endswith("-12.jpg")
