"""`heatprop detect --input-size`: the network sees smaller or larger images, however the command is used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from cli.conftest import FRAMES, HEIGHT, WIDTH, Run, video_shape
from heatprop import VideoDetector, open_video, zoo
from heatprop.io.results import read_results
from heatprop.zoo.card import METADATA_KEY

ONNX = ("--backend", "onnx")


@pytest.fixture(scope="module")
def images(short_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of the clip's first images."""
    folder = tmp_path_factory.mktemp("images")
    with open_video(short_clip) as video:
        for frame in video:
            if frame.index < 4:
                cv2.imwrite(str(folder / f"{frame.index}.png"), frame.image[:, :, ::-1])
    return folder


@pytest.mark.parametrize("input_size", [320, 640])
def test_what_is_found_is_what_the_detector_finds_at_that_size(run: Run, images: Path, input_size: int) -> None:
    done = run(
        "detect", images, *ONNX, "--score-threshold", "0.1", "--input-size", str(input_size), "--json", "a.jsonl"
    )
    assert done.code == 0
    header, lines = read_results("a.jsonl")
    assert header.settings["input_size"] == input_size
    detector = VideoDetector(backend="onnx", score_threshold=0.1, input_size=input_size)
    counts = []
    for (_, found), (_, _, written) in zip(detector.stream(images), lines, strict=True):
        np.testing.assert_array_equal(written.labels, found.labels)
        np.testing.assert_allclose(written.boxes, found.boxes, atol=0.006)  # hundredths of a pixel are written
        counts.append(len(found))
    assert min(counts) > 0


def test_without_it_nothing_is_said_of_it_and_the_size_of_the_card_finds_the_same(run: Run, images: Path) -> None:
    for name, more in (("usual", ()), ("same", ("--input-size", "512")), ("small", ("--input-size", "320"))):
        assert run("detect", images, *ONNX, "--json", f"{name}.jsonl", *more).code == 0
    usual, same, small = (Path(f"{name}.jsonl").read_text().splitlines() for name in ("usual", "same", "small"))
    assert "input_size" not in usual[0]
    assert usual[1:] == same[1:] != small[1:]


def test_both_passes_of_seq_nms_and_the_video_keep_to_it(run: Run, short_clip: Path) -> None:
    arguments = ("detect", short_clip, *ONNX, "--seq-nms", "--input-size", "320")
    assert run(*arguments, "-o", "out.mp4", "--json", "drawn.jsonl").code == 0
    assert run(*arguments, "--json", "found.jsonl").code == 0
    assert video_shape(Path("out.mp4")) == (FRAMES, WIDTH, HEIGHT)
    assert Path("drawn.jsonl").read_bytes() == Path("found.jsonl").read_bytes()


def test_several_sources_give_what_each_gives_alone(run: Run, short_clip: Path, images: Path) -> None:
    options = (*ONNX, "--input-size", "320", "--keyframe-interval", "2")
    assert run("detect", short_clip, images, *options, "--json", "found").code == 0
    for source in (short_clip, images):
        run("detect", source, *options, "--json", "alone.jsonl", "--overwrite")
        assert Path("found", f"{source.stem}.jsonl").read_bytes() == Path("alone.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--input-size", "300"], "input size is 300; for model mb3-coco it must be a multiple of 32, at most"),
        (["--input-size", "0"], "input size is 0; for model mb3-coco it must be a multiple of 32, at most"),
        (["--input-size", "-32"], "input size is -32; for model mb3-coco"),
        (["--input-size", "32000"], "input size is 32000; for model mb3-coco"),
        (["--input-size", "0.5"], "--input-size is '0.5'; it must be a whole number"),
    ],
)
def test_a_bad_number_is_one_line_and_leaves_nothing(
    run: Run, images: Path, short_clip: Path, arguments: list[str], said: str
) -> None:
    for sources in ([images], [images, short_clip]):
        done = run("detect", *sources, *ONNX, *arguments, "--json", "out")
        assert (done.code, done.out) == (2, "")
        assert said in done.err
        assert done.err.count("\n") == 1
        assert not list(Path().iterdir())


@pytest.fixture(scope="module")
def unyielding(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of two models that take one size alone, one by its card and one by its input."""
    folder = tmp_path_factory.mktemp("models")
    model = zoo.load("mb3-coco")
    square = replace(model.card, name="square", input=replace(model.card.input, multiple=512))
    network = onnx.load(model.path)
    onnx.helper.set_model_props(network, {METADATA_KEY: square.to_json()})
    onnx.save(network, folder / "square.onnx")
    onnx.helper.set_model_props(network, {METADATA_KEY: model.card.to_json()})
    for dimension, side in zip(network.graph.input[0].type.tensor_type.shape.dim[2:], (224, 512), strict=True):
        dimension.dim_value = side
    onnx.save(network, folder / "fixed.onnx")
    return folder


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("square", "by its card model square takes 512 x 512 alone"),
        ("fixed", "fixed.onnx has a fixed size"),
    ],
)
def test_a_model_of_one_size_refuses_another_and_runs_at_its_own(
    run: Run, images: Path, unyielding: Path, name: str, said: str
) -> None:
    arguments = (
        "detect",
        images,
        *ONNX,
        "--model",
        unyielding / f"{name}.onnx",
        "--json",
        "out",
        "--input-size",
    )
    done = run(*arguments, "320")
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not list(Path().iterdir())
    assert run(*arguments, "512").code == 0
