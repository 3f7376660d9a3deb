"""Files of detectors that cannot be run: one line that names the file and the remedy, and nothing written."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from cli.conftest import Finished, Run, run_process
from small_detectors import SIDE, save_constant, save_yolox, yolov8_table
from small_video_datasets import write_coco_video

NAMES = {"names": "{0: 'cat', 1: 'dog'}"}
CAT = (8.0, 4.0, 24.0, 40.0, 0, 0.9)
SEGMENTS = {"output0": np.zeros((1, 116, 84), np.float32), "output1": np.zeros((1, 32, 16, 16), np.float32)}


def save_yolo(path: Path, *boxes: tuple[float, float, float, float, int, float], **metadata: str) -> Path:
    return save_constant(path, {"output0": yolov8_table(boxes or [CAT])}, metadata=NAMES | metadata)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with every file that the cases name."""
    folder = tmp_path_factory.mktemp("detectors")
    save_yolo(folder / "yolo.onnx")
    save_yolo(folder / "pose.onnx", task="pose")
    save_constant(folder / "segment.onnx", SEGMENTS)
    save_constant(folder / "other.onnx", {"out": np.zeros((1, 7, 3), np.float32)})
    save_yolo(folder / "above.onnx", (8, 4, 24, 40, 1, 7))
    save_yolo(folder / "below.onnx", (8, 4, 24, 40, 1, -0.5))
    save_yolo(folder / "nan.onnx", (float("nan"), 4, 24, 40, 1, 0.9))
    crossed = np.array([[[24, 40, 8, 4, 0.9, 0]]], np.float32)
    save_constant(folder / "crossed.onnx", {"output": crossed}, metadata=NAMES)
    (folder / "alone.xml").write_text("<net name='a' version='11'><layers/></net>")
    for name, text in (("one", "cat\n"), ("three", "cat\ndog\ncow\n"), ("none", "\n\n"), ("twice", "cat\ncat\n")):
        (folder / f"{name}.txt").write_text(text)
    (folder / "binary.txt").write_bytes(bytes(range(256)))
    return folder


# Before any frame: exit code 2.
REFUSED = {
    "no known family": (["other.onnx"], r"other.onnx: the outputs out 1x7x3 are of no family .* --class-names"),
    "segmentation": (["segment.onnx"], r"segment.onnx: .*output1 1x32x16x16 are for segmentation"),
    "pose": (["pose.onnx"], r"pose.onnx: .* are for pose"),
    "another layout": (["yolo.onnx", "--layout", "yolox"], r"do not fit layout 'yolox'; perhaps yolov8"),
    "no such layout": (["yolo.onnx", "--layout", "yolo8"], r"'yolo8' is unknown; .*torchvision; perhaps yolov8$"),
    "too few names": (["yolo.onnx", "--class-names", "one.txt"], r"there is 1 class name, but .* 2 classes"),
    "too many names": (["yolo.onnx", "--class-names", "three.txt"], r"there are 3 class names, but .* 2 classes"),
    "no names": (["yolo.onnx", "--class-names", "none.txt"], r"none.txt holds no names"),
    "a name twice": (["yolo.onnx", "--class-names", "twice.txt"], r"'cat' is .*there twice"),
    "names that are no text": (["yolo.onnx", "--class-names", "binary.txt"], r"binary.txt .*not text in UTF-8"),
    "names that are gone": (["yolo.onnx", "--class-names", "gone.txt"], r"gone.txt .*No such file"),
    "no weights": (["alone.xml"], r"alone.xml lacks its weights, alone.bin"),
}
# At the first frame: exit code 1.
FAILING = {
    "scores above 1": ("above.onnx", r"above.onnx: scores reach 7, where layout 'yolov8' has probabilities"),
    "scores below 0": ("below.onnx", r"below.onnx: scores fall to -0.5, where layout 'yolov8' has probabilities"),
    "a side that is no number": ("nan.onnx", r"nan.onnx: the network's boxes are not finite"),
    "crossed sides": (
        "crossed.onnx",
        r"'yolo-end2end' reads boxes such as \[24.0, 40.0, 8.0, 4.0\].*another --layout",
    ),
}


def inside(folder: Path, words: list[str]) -> list[str]:
    return [str(folder / word) if re.search(r"\.\w+$", word) else word for word in words]


def assert_one_line(done: Finished, code: int, said: str) -> None:
    assert (done.code, done.out) == (code, ""), done
    assert done.err.startswith("heatprop: error: ")
    assert done.err.count("\n") == 1
    assert re.search(said, done.err.strip()), done.err
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("command", ["detect", "inspect"])
def test_it_is_refused_before_any_frame(run: Run, files: Path, short_clip: Path, command: str, case: str) -> None:
    words, said = REFUSED[case]
    name, *options = inside(files, words)
    if command == "detect":
        done = run("detect", short_clip, "--model", name, *options, "--json", "out.jsonl", "-o", "out.mp4")
    else:
        done = run("models", "inspect", name, *options, "-o", "card.onnx")
    assert_one_line(done, 2, said)


@pytest.mark.parametrize(("name", "said"), FAILING.values(), ids=FAILING)
def test_numbers_that_cannot_be_stop_the_run_and_leave_no_output(
    run: Run, files: Path, short_clip: Path, name: str, said: str
) -> None:
    request = ("detect", short_clip, "--model", files / name, "--json", "out.jsonl", "-o", "out.mp4", "--quiet")
    assert_one_line(run(*request), 1, said)


@pytest.mark.parametrize("name", ["other.onnx", "nan.onnx"])
def test_no_other_noise_in_a_process_of_its_own(files: Path, short_clip: Path, tmp_path: Path, name: str) -> None:
    request = ("detect", short_clip, "--model", files / name, "--json", "out.jsonl", "--quiet")
    done = run_process(*request, folder=tmp_path)
    assert (done.out, done.err.count("\n"), list(tmp_path.iterdir())) == ("", 1, []), done


@pytest.mark.parametrize(
    ("copy", "said"),
    [
        ("there.onnx", r"there.onnx exists already; .*--overwrite"),
        ("yolo.onnx", r"yolo.onnx is read and would be replaced"),
        ("copy.xml", r"copy.xml is a copy of .*yolo.onnx; give a name that ends in .onnx"),
        ("nowhere/copy.onnx", r"nowhere"),
    ],
)
def test_a_copy_that_cannot_be_written_is_told_instead_of_what_the_file_is(
    run: Run, tmp_path: Path, copy: str, said: str
) -> None:
    source = save_yolo(tmp_path / "yolo.onnx")
    (tmp_path / "there.onnx").write_bytes(b"precious")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert_one_line(run("models", "inspect", source, "-o", tmp_path / copy), 2, said)
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("other.onnx", r"other.onnx: .* no family"),
        ("yolo.onnx", r"no class in common: the model's begin with 'cat', the dataset's with 'person'"),
    ],
)
def test_evaluate_refuses_such_a_file_as_well(run: Run, files: Path, tmp_path: Path, name: str, said: str) -> None:
    data = write_coco_video(tmp_path / "data", np.zeros((48, 64, 3), np.uint8))
    request = ("evaluate", "--dataset", "coco-video", "--root", data, "--model", files / name, "-o", "out")
    assert_one_line(run(*request), 2, said)


def test_evaluate_and_compare_take_a_network_of_boxes(run: Run, tmp_path: Path) -> None:
    data = write_coco_video(tmp_path / "data", np.zeros((SIDE, SIDE, 3), np.uint8))
    names = {"names": "['person', 'unicorn']"}
    model = save_constant(tmp_path / "yolo.onnx", {"output0": yolov8_table([CAT])}, metadata=names)
    dataset = ("--dataset", "coco-video", "--root", data, "--quiet")
    done = run("evaluate", *dataset, "--model", model, "-o", "out", "--cache", "cache")
    assert (done.code, done.err) == (0, "")
    done = run("compare", *dataset, "--cache", "cache", "--resamples", "20")
    assert (done.code, done.err) == (0, "")
    assert "HP, adaptive" in done.out


def test_a_network_that_finds_nothing_is_no_error(run: Run, short_clip: Path, tmp_path: Path) -> None:
    model = save_yolox(tmp_path / "yolox.onnx")
    done = run("detect", short_clip, "--model", model, "--json", "out.jsonl", "--quiet")
    assert (done.code, done.err) == (0, "")
