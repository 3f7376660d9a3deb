"""An empty packet is damage, not the end."""

import struct
from pathlib import Path

import pytest

from heatprop.io import open_video
from small_videos import build_video, number_of

COUNT = 20


@pytest.mark.parametrize("empty", [[8], [1, 2, 3], [19], list(range(2, 20))])
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_sample_without_content_is_counted_and_the_others_stay(
    suffix: str, empty: list[int], tmp_path: Path
) -> None:
    path = build_video(tmp_path / f"clip{suffix}", COUNT, codec="mjpeg", pixel_format="yuvj420p")
    data = bytearray(path.read_bytes())
    for number in empty:
        struct.pack_into(">I", data, data.index(b"stsz") + 16 + 4 * number, 0)
    # Samples lie one behind another: those after an empty one begin earlier by its size.
    path.write_bytes(data)
    with open_video(path) as video:
        frames = list(video)
        assert len(frames) + video.skipped == COUNT
        assert video.skipped >= len(empty)
        assert [number_of(frame.image) for frame in frames[: empty[0]]] == [n % 16 for n in range(empty[0])]
        assert video.notes == []
