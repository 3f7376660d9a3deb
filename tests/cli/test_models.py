"""`heatprop models` lists what is embedded, and says what a file is."""

import json
import re
from pathlib import Path

import pytest

from cli.conftest import Run
from heatprop import zoo
from small_detectors import save_constant, save_yolox, yolov8_table


def test_the_table_names_every_model_with_its_licence(run: Run) -> None:
    done = run("models")
    assert (done.code, done.err) == (0, "")
    for card in zoo.models():
        assert card.name in done.out
        assert card.licence in done.out
        assert str(len(card.classes)) in done.out


def test_json_holds_the_cards(run: Run) -> None:
    cards = json.loads(run("models", "--json").out)
    assert [card["name"] for card in cards] == [card.name for card in zoo.models()]
    assert cards[0]["classes"][:3] == ["person", "bicycle", "car"]
    assert cards[0]["bytes"] > 1_000_000


def test_inspect_says_what_a_file_is(run: Run, tmp_path: Path) -> None:
    path = save_constant(tmp_path / "my.onnx", {"output0": yolov8_table([])}, metadata={"names": "['cat', 'dog']"})
    done = run("models", "inspect", path)
    assert (done.code, done.err) == (0, "")
    for said in ("yolov8 (YOLOv8", "likely: 4 + 2 numbers", "output0 1x6x84", "2: cat, dog", "64 x 64 px; RGB"):
        assert said in done.out
    facts = json.loads(run("models", "inspect", path, "--json").out)
    assert (facts["card"]["layout"], facts["confidence"]) == ("yolov8", "likely")
    assert "its card says so" in run("models", "inspect", "mb3-coco").out


def test_inspect_writes_a_card_so_that_nothing_is_said_again(run: Run, tmp_path: Path) -> None:
    path = save_constant(tmp_path / "my.onnx", {"output0": yolov8_table([])})
    (tmp_path / "names.txt").write_text("cat\n\n dog \n")
    copy = tmp_path / "copy.onnx"
    told = ["--class-names", tmp_path / "names.txt", "--channel-order", "BGR", "--mean", "1", "2", "3"]
    done = run("models", "inspect", path, *told, "--name", "pets", "--licence", "MIT", "-o", copy)
    assert done.code == 0
    assert "copy.onnx: my.onnx with a card" in done.err
    card = zoo.load(copy).card
    assert (card.name, card.licence, card.classes, card.layout) == ("pets", "MIT", ("cat", "dog"), "yolov8")
    assert (card.input.channel_order, card.input.mean, card.input.padding) == ("BGR", (1, 2, 3), 114)
    assert run("models", "inspect", path, "-o", copy).code == 2, "it exists"
    assert "has a card already" in run("models", "inspect", copy, "-o", tmp_path / "b.onnx").err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["inspect"], "missing from heatprop models inspect: FILE"),
        (["list", "a.onnx"], "perhaps heatprop models inspect a.onnx"),
        (["inspect", "gone.onnx"], "there is no such file"),
        (["inspect", "mb3-coco", "--layout", "yolox"], "has layout 'centernet' by its card"),
        (["inspect", "mb3-coco", "--padding", "300"], "padding is 300"),
        (["inspect", "mb3-coco", "--class-names", "gone.txt"], "gone.txt cannot be read"),
    ],
)
def test_a_bad_request_is_one_line(run: Run, arguments: list[str], said: str) -> None:
    done = run("models", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_detect_says_what_a_file_was_taken_for(run: Run, short_clip: Path, tmp_path: Path) -> None:
    path = save_yolox(tmp_path / "mine.onnx")
    done = run("detect", short_clip, "--model", path, "--json", tmp_path / "a.jsonl")
    assert done.code == 0
    assert re.search(
        r"^  model    mine, taken for YOLOX.* of 2 classes \(\w+\); see heatprop models inspect$", done.err, re.M
    )
    assert json.loads((tmp_path / "a.jsonl").read_text().splitlines()[0])["settings"]["layout"] == "yolox"


def test_a_radius_is_refused_where_it_means_nothing(run: Run, short_clip: Path, tmp_path: Path) -> None:
    path = save_yolox(tmp_path / "mine.onnx")
    done = run("detect", short_clip, "--model", path, "--json", tmp_path / "a.jsonl", "--radius", "1")
    assert done.code == 2
    assert "--radius counts cells of a heatmap, and model mine gives boxes" in done.err
    assert not (tmp_path / "a.jsonl").exists()
