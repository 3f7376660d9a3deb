"""Frames with any colour matrix are read; what is not known is said."""

from pathlib import Path

import av
import numpy as np
import pytest

from heatprop.io import open_video
from small_videos import build_video, paint, red_corner


def write_tagged(path: Path, matrix: int, pixel_format: str = "yuv420p") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
        stream.codec_context.colorspace = matrix
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(paint(number)).reformat(format=pixel_format)
            frame.pts, frame.colorspace = number, matrix
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("matrix", [8, 10, 11, 12, 13, 14, 15, 16, 17])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p10le"])
def test_a_matrix_that_is_not_known_is_said_and_its_frames_are_seen(
    matrix: int, pixel_format: str, tmp_path: Path
) -> None:
    with open_video(write_tagged(tmp_path / "clip.mkv", matrix, pixel_format)) as video:
        frames = list(video)
        assert [note for note in video.notes if "matrix" in note and f" {matrix} " in note]
    assert len(frames) == 3
    assert {red_corner(frame.image) for frame in frames} == {"top left"}
    assert abs(float(np.mean(frames[0].image[24:, 32:])) - 40) < 8


@pytest.mark.parametrize("matrix", [0, 1, 2, 4, 5, 6, 7, 9])
def test_a_matrix_that_is_known_is_not_worth_a_note(matrix: int, tmp_path: Path) -> None:
    with open_video(write_tagged(tmp_path / "clip.mkv", matrix)) as video:
        assert len(list(video)) == 3
        assert video.notes == []


def test_dolby_vision_without_another_layer_is_said(tmp_path: Path) -> None:
    path = build_video(tmp_path / "clip.mp4", 3, codec="libx265", options={"x265-params": "log-level=none"})
    data = path.read_bytes()
    with open_video(path) as video:
        assert list(video.notes) == []
    path.write_bytes(data.replace(b"hev1", b"dvhe"))
    with open_video(path) as video:
        assert len(list(video)) == 3
        assert ["Dolby Vision" in note for note in video.notes] == [True]
