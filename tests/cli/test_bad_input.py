"""A bad request: exit code 2, one line that names the thing, and not a file changed."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import Finished, Run, run_process


def contents(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def make_clutter(folder: Path) -> None:
    """Fill the folder with everything that is no good."""
    (folder / "text.mp4").write_text("this is no video\n" * 50)
    (folder / "zero.mp4").touch()
    (folder / "empty").mkdir()
    (folder / "papers").mkdir()
    (folder / "papers" / "readme.txt").write_text("no image")
    (folder / "old.mp4").write_bytes(b"precious")
    (folder / "old.jsonl").write_text("precious")
    (folder / "street.heatprop.mp4").write_bytes(b"precious")
    (folder / "model.onnx").write_bytes(b"no model")
    (folder / "folder.mp4").mkdir()


Case = tuple[list[str], str]
# CLIP stands for the real video.
CASES: dict[str, Case] = {
    "no such file": (["gone.mp4"], r"gone.mp4: no such file"),
    "text named mp4": (["text.mp4"], r"text.mp4"),
    "zero bytes": (["zero.mp4"], r"zero.mp4"),
    "an empty folder": (["empty"], r"empty"),
    "a folder without images": (["papers"], r"papers"),
    "a pattern that fits nothing": (["papers/*.jpg"], r"papers/\*.jpg"),
    "no such camera": (["camera:99"], r"camera:99"),
    "no such device": (["/dev/video99"], r"/dev/video99"),
    "nobody at the address": (["http://127.0.0.1:9/street.mp4"], r"127.0.0.1:9"),
    "unknown model": (["CLIP", "-o", "out.mp4", "--json", "out.jsonl", "--model", "yolo"], r"yolo.*mb3-coco"),
    "a damaged model": (["CLIP", "-o", "out.mp4", "--model", "model.onnx"], r"model.onnx"),
    "no folder for the video": (["CLIP", "-o", "nowhere/out.mp4"], r"nowhere"),
    "no folder for the results": (["CLIP", "-o", "out.mp4", "--json", "nowhere/out.jsonl"], r"nowhere"),
    "a folder that takes no files": (["CLIP", "--json", "/proc/out.jsonl"], r"/proc/out.jsonl"),
    "a file as folder": (["CLIP", "-o", "old.mp4/out.mp4"], r"old.mp4"),
    "existing video": (["CLIP", "-o", "old.mp4"], r"old.mp4 exists.*--overwrite"),
    "existing results": (["CLIP", "-o", "out.mp4", "--json", "old.jsonl"], r"old.jsonl exists.*--overwrite"),
    "existing default name": (["CLIP"], r"street.heatprop.mp4 exists.*--overwrite"),
    "the source as video": (["CLIP", "-o", "CLIP", "--overwrite"], r"is the source itself"),
    "the source as results": (["CLIP", "--json", "CLIP", "--overwrite"], r"is the source itself"),
    "one name twice": (
        ["CLIP", "-o", "a.mp4", "--json", "a.mp4"],
        r"--json a.mp4: its files end in .jsonl or .json",
    ),
    "one file by two names": (["CLIP", "-o", "old.mp4", "--json", "./old.mp4", "--overwrite"], r"asked for twice"),
    "an empty name": (["CLIP", "--json", ""], r"--json has an empty name; .* out.jsonl"),
    "a source of too long a name": (["x" * 300 + ".mp4"], r"xxx\.mp4"),
    "results of too long a name": (["CLIP", "-o", "out.mp4", "--json", "x" * 300], r"xxx"),
    "a video of too long a name": (["CLIP", "-o", "x" * 300 + ".mp4"], r"xxx\.mp4"),
    "no video format": (["CLIP", "-o", "out.txt"], r"out.txt"),
    "alpha out of range": (["CLIP", "-o", "out.mp4", "--alpha", "1.5"], r"alpha is 1.5"),
    "beta not a number": (["CLIP", "-o", "out.mp4", "--beta", "nan"], r"beta is nan"),
    "radius below 0": (["CLIP", "-o", "out.mp4", "--radius", "-1"], r"radius is -1"),
    "score out of range": (["CLIP", "-o", "out.mp4", "--score-threshold", "2"], r"score_threshold is 2"),
    "no frames asked for": (["CLIP", "-o", "out.mp4", "--max-frames", "0"], r"--max-frames is 0"),
    "compare without video": (["CLIP", "--json", "-", "--compare"], r"--compare .* -o"),
    "a form of no propagation": (
        ["CLIP", "--propagation", "paper", "--no-propagation"],
        "--no-propagation contradicts",
    ),
    "compare without propagation": (["CLIP", "-o", "out.mp4", "--compare", "--no-propagation"], r"--compare"),
}


@pytest.fixture
def clutter(run: Run) -> Callable[..., Finished]:
    make_clutter(Path())
    return run


@pytest.mark.parametrize(("arguments", "message"), CASES.values(), ids=CASES.keys())
def test_one_line_exit_code_2_and_nothing_changed(
    clutter: Run, short_clip: Path, arguments: list[str], message: str
) -> None:
    before = contents(Path())
    clip = short_clip.read_bytes()
    done = clutter("detect", *[str(short_clip) if word == "CLIP" else word for word in arguments])
    assert done.code == 2, done.err
    assert done.out == ""
    assert done.err.startswith("heatprop: error: ")
    assert done.err.count("\n") == 1
    assert done.err.endswith("\n")
    assert re.search(message, done.err), done.err
    assert contents(Path()) == before
    assert short_clip.read_bytes() == clip


@pytest.mark.parametrize("source", ["gone.mp4", "text.mp4", "zero.mp4", "papers", "camera:99"])
def test_no_traceback_and_no_other_noise_in_a_process_of_its_own(tmp_path: Path, source: str) -> None:
    make_clutter(tmp_path)
    before = contents(tmp_path)
    done = run_process("detect", source, folder=tmp_path)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done.err
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["detect"], "missing from heatprop detect: SOURCE"),
        (
            ["detect", "CLIP", "--backend", "abacus"],
            "--backend is 'abacus'; it must be auto, onnx, openvino or torch; see",
        ),
        (["detect", "CLIP", "--backend", "onxx"], "openvino or torch; perhaps onnx; see heatprop detect --help"),
        (["dataset", "chekc", "ILSVRC2015"], "action is 'chekc'; it must be check; see heatprop dataset --help"),
        (["detect", "CLIP", "--alhpa", "1"], "heatprop detect has no option --alhpa; perhaps --alpha; see"),
        (["detect", "CLIP", "--alhpa=1"], "heatprop detect has no option --alhpa; perhaps --alpha; see"),
        (["models", "--overwrite"], "--overwrite goes with heatprop models inspect FILE; see"),
        (["models", "--scale", "1"], "--scale goes with heatprop models inspect FILE; see"),
        (["models", "--classes", "3"], "heatprop models has no option --classes; perhaps --class-names; see"),
        (["models", "--qiuet"], "heatprop models has no option --qiuet"),
        (["detect", "CLIP", "--radius", "wide"], "--radius is 'wide'; it must be a whole number"),
        (["detect", "CLIP", "--max-frames", "many"], "--max-frames is 'many'; it must be a whole number"),
        (["detect", "CLIP", "--alpha", "half"], "--alpha is 'half'; it must be a number"),
        (["detect", "a.jpg", "b.jpg", "c.jpg"], "b.jpg, c.jpg; .* pattern in quotes"),
        (["detect", "CLIP", "--radius"], "--radius needs a value; see heatprop detect --help"),
        (["detect", "CLIP", "--radius", "--quiet"], "--radius needs a value"),
        (["detect", "CLIP", "-o"], "-o needs a value"),
        (["detect", "CLIP", "--quiet=1"], "--quiet takes no value"),
        (["detect", "CLIP", "--input_size=wide"], "--input-size is 'wide'; it must be a whole number"),
        (["detect", "--quiet", "a.mp4", "--alpha", "1", "b.mp4"], "more than was asked for: b.mp4; give one"),
        (["models", "all"], "action is 'all'; it must be list or inspect; see heatprop models --help"),
        (
            ["score"],
            r"missing from heatprop score: DETECTIONS, --dataset imagenet-vid\|coco-video\|mot-challenge, "
            r"--root DIR; see",
        ),
        (["train", "--config", "own.toml"], "missing from heatprop train: --output RUN_DIR; see"),
        (["dataset", "check"], "missing from heatprop dataset: ROOT; see"),
        ([], "dataset, detect, evaluate, export, models"),
        (["--quiet", "detect", "CLIP"], "heatprop has no option --quiet before a command; see heatprop --help"),
        (["fly"], "no command 'fly'; perhaps heatprop detect fly"),
        (["street.mp4"], "no command 'street.mp4'; perhaps heatprop detect street.mp4"),
        (["exprot", "model.pth"], "no command 'exprot'; perhaps heatprop export"),
    ],
)
def test_arguments_that_do_not_parse_are_one_line_too(run: Run, arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("heatprop: error: ")
    assert done.err.count("\n") == 1
    assert re.search(message, done.err), done.err
    assert "--help" in done.err
    assert list(Path().iterdir()) == []
