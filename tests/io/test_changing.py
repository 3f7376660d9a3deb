"""Videos whose images change their size or rate on the way, through `heatprop detect`."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from cli.conftest import run_process, video_shape
from heatprop.io import open_video
from heatprop.io.results import read_results
from heatprop.runtime.detector import VideoDetector
from heatprop.types import ImageArray

FRAMES = 8  # so that the clock goes back by more than a second: less is taken for a wrong stamp
PARTS = (((320, 136), 4), ((640, 272), 2), ((322, 138), 10))


@pytest.fixture(scope="module")
def street(demo_clip: Path) -> list[ImageArray]:
    """Return some frames of a street, for each part."""
    with open_video(demo_clip) as video:
        return [frame.image for frame in video][30 : 30 + FRAMES * len(PARTS)]


def write_stream(path: Path, images: list[ImageArray], rate: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_folder(path: Path, images: list[ImageArray], first: int) -> Path:
    path.mkdir(exist_ok=True)
    for number, image in enumerate(images, first):
        assert cv2.imwrite(str(path / f"{number}.png"), image[..., ::-1])
    return path


def build(kind: str, folder: Path, street: list[ImageArray]) -> tuple[Path, list[Path]]:
    """Return a video of all parts, and a video of each."""
    parts = []
    whole = folder / ("whole.ts" if kind == "stream" else "whole")
    for number, (size, rate) in enumerate(PARTS):
        first = number * FRAMES
        images = [cv2.resize(image, size) for image in street[first : first + FRAMES]]
        if kind == "stream":
            parts.append(write_stream(folder / f"{number}.ts", images, rate))
        else:
            parts.append(write_folder(folder / f"part{number}", images, first))
            write_folder(whole, images, first)
    if kind == "stream":
        whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    return whole, parts


@pytest.mark.parametrize("kind", ["stream", "folder"])
def test_detect_follows_changes_of_size_and_rate(kind: str, tmp_path: Path, street: list[ImageArray]) -> None:
    whole, parts = build(kind, tmp_path, street)
    outputs = ("-o", "out.mp4", "--json", "found.jsonl")
    done = run_process("detect", whole, *outputs, "--backend", "onnx", folder=tmp_path)
    assert done.code == 0, done.err
    _, results = read_results(tmp_path / "found.jsonl")
    frames = list(results)

    # Another size starts anew, so that each part finds what it finds alone: boxes in pixels of its own frames.
    detector = VideoDetector(backend="onnx")
    alone = [found for part in parts for _, found in detector.stream(part)]
    assert [index for index, _, _ in frames] == list(range(len(PARTS) * FRAMES))
    assert sum(map(len, alone)) > len(alone)
    for (_, _, found), wanted in zip(frames, alone, strict=True):
        np.testing.assert_allclose(found.boxes, wanted.boxes, atol=0.02)
        np.testing.assert_array_equal(found.labels, wanted.labels)
        np.testing.assert_array_equal(found.lengths, wanted.lengths)

    times = [time for _, time, _ in frames]
    assert times[0] == 0
    assert all(before < after for before, after in pairwise(times))
    for number, (_, rate) in enumerate(PARTS):
        part = times[number * FRAMES : (number + 1) * FRAMES]
        steps = [after - before for before, after in pairwise(part)]
        assert steps == pytest.approx([1 / (rate if kind == "stream" else 25)] * (FRAMES - 1), abs=2e-5)

    assert video_shape(tmp_path / "out.mp4") == (len(frames), *PARTS[0][0])
    with open_video(tmp_path / "out.mp4") as video:
        assert [frame.time for frame in video] == pytest.approx(times, abs=2e-5)


def test_comparing_keeps_one_size_too(tmp_path: Path, street: list[ImageArray]) -> None:
    whole, _ = build("stream", tmp_path, street)
    done = run_process("detect", whole, "--compare", "-o", "out.mp4", "--backend", "onnx", folder=tmp_path)
    assert done.code == 0, done.err
    width, height = PARTS[0][0]
    assert video_shape(tmp_path / "out.mp4") == (len(PARTS) * FRAMES, width * 2, height)
