"""Each line of the recipes gives what its heading promises, on a real clip."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import pytest

from docs.commands import parse_line, run_line
from docs.pages import ROOT, blocks
from heatprop.io.results import read_results

PAGE = "docs/guides/recipes.md"
FRAMES = 100


def _recipes() -> dict[str, list[str]]:
    """Return the lines of each recipe, by its heading."""
    lines = (ROOT / PAGE).read_text(encoding="utf-8").splitlines()
    found: dict[str, list[str]] = {}
    for block in blocks(PAGE):
        heading = next(line for line in reversed(lines[: block.line]) if line.startswith("## "))
        found[heading.removeprefix("## ")] = block.commands()
    return found


RECIPES = _recipes()


@pytest.fixture(scope="session")
def street(demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return four seconds of a real street, at half their size."""
    path = tmp_path_factory.mktemp("recipes") / "street.mp4"
    with av.open(str(demo_clip)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 136, "yuv420p"
        for index, frame in zip(range(FRAMES), source.decode(video=0), strict=False):
            image = cv2.resize(frame.to_ndarray(format="rgb24"), (320, 136), interpolation=cv2.INTER_AREA)
            small = av.VideoFrame.from_ndarray(image, format="rgb24")
            small.pts, small.time_base = index, Fraction(1, 25)
            target.mux(stream.encode(small))
        target.mux(stream.encode())
    return path


@pytest.fixture
def cook(
    street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], str]:
    """Return what runs a recipe beside the videos that the page speaks of, and returns what was printed."""
    monkeypatch.chdir(tmp_path)
    for name in ("street.mp4", "films/morning.mp4", "films/evening.mp4"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).symlink_to(street)

    def run(heading: str) -> str:
        for line in RECIPES[heading]:
            run_line(line)
        return capsys.readouterr().out

    return run


def _frames(path: str) -> int:
    with av.open(path) as video:
        return sum(1 for _ in video.decode(video=0))


def _rows(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


Cook = Callable[[str], str]


def test_boxes_that_do_not_flicker(cook: Cook) -> None:
    cook("Boxes that do not flicker")
    assert _frames("steady.mp4") == FRAMES
    run_line("heatprop detect street.mp4 --json steady.jsonl --score-threshold 0.25")
    run_line("heatprop detect street.mp4 --json alone.jsonl --score-threshold 0.25 --no-propagation")
    assert _flicker("steady.jsonl") < _flicker("alone.jsonl")


def _flicker(path: str) -> float:
    """How often the number of boxes changes from a frame to the next, for each box that is there."""
    counts = [len(detections) for _, _, detections in read_results(Path(path))[1]]
    return sum(abs(a - b) for a, b in pairwise(counts)) / sum(counts)


def test_people_and_cars_alone(cook: Cook) -> None:
    cook("People and cars alone")
    assert _frames("few.mp4") == FRAMES
    run_line(RECIPES["People and cars alone"][0].replace("-o few.mp4", "--csv few.csv"))
    assert {row["class"] for row in _rows("few.csv")} <= {"person", "car"}
    assert len(_rows("few.csv")) > 0


def test_a_spreadsheet(cook: Cook) -> None:
    cook("A spreadsheet")
    run_line("heatprop detect street.mp4 --json boxes.jsonl")
    lines = [json.loads(line) for line in Path("boxes.jsonl").read_text().splitlines()]
    found = Counter({line["frame"]: len(line["boxes"]) for line in lines if line.get("boxes")})
    assert Counter(int(row["frame"]) for row in _rows("boxes.csv")) == found


def test_one_picture_of_each_object(cook: Cook) -> None:
    cook("One picture of each object")
    pictures = {path.name for path in Path("seen").glob("*.jpg")}
    listed = [json.loads(line) for line in Path("seen/crops.jsonl").read_text().splitlines()]
    run_line("heatprop detect street.mp4 --csv boxes.csv")
    objects = {(row["class"], row["id"]) for row in _rows("boxes.csv")}
    assert pictures == {f"{name.replace(' ', '-')}-{number}.jpg" for name, number in objects}
    assert len(listed) >= len(pictures) > 0


def test_how_many_different_people(cook: Cook) -> None:
    said = cook("How many different people")
    printed = re.search(r"(\d+) person", said)
    assert printed, said
    people = [row for row in _rows("crowd.csv") if row["class"] == "person"]
    assert {row["what"] for row in people} == {"objects"}
    assert people[-1]["count"] == printed[1]
    assert 0 < int(printed[1]) <= 5


def test_who_passes_the_door(cook: Cook) -> None:
    said = cook("Who passes the door, each way")
    assert "door" in said
    assert _frames("door.mp4") == FRAMES


def test_a_folder_of_videos(cook: Cook) -> None:
    cook("A folder of videos, overnight")
    written = {
        path: path.stat().st_mtime_ns for folder in ("drawn", "tables") for path in Path(folder).glob("*.*")
    }
    assert {path.as_posix() for path in written if path.suffix in (".mp4", ".csv")} == {
        f"{folder}/{name}.{ending}"
        for name in ("morning", "evening")
        for folder, ending in (("drawn", "mp4"), ("tables", "csv"))
    }
    Path("drawn/evening.mp4").unlink()
    cook("A folder of videos, overnight")
    assert Path("drawn/evening.mp4").exists()
    kept = Path("drawn/morning.mp4")
    assert kept.stat().st_mtime_ns == written[kept]


def test_see_what_propagation_does() -> None:
    """The page itself is tested in tests/app."""
    for line in RECIPES["See what propagation does"]:
        parse_line(line)


def test_no_recipe_is_without_a_test() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    assert not [heading for heading in RECIPES if f'"{heading}"' not in tests]
