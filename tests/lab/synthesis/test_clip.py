"""One synthetic video as a file."""

from pathlib import Path

import numpy as np

from heatprop import open_video
from heatprop.lab.synthesis.clip import write_clip


def test_a_clip_is_a_video_of_the_size_asked_for_and_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one.mp4", "two.mp4"):
        write_clip(tmp_path / name, 5, width=320, height=192)
    with open_video(tmp_path / "one.mp4") as one, open_video(tmp_path / "two.mp4") as two:
        assert (one.info.width, one.info.height, one.info.frame_rate) == (320, 192, 25)
        pairs = list(zip(one, two, strict=True))
    assert [round(first.time, 3) for first, _ in pairs] == [0.0, 0.04, 0.08, 0.12, 0.16]
    for first, second in pairs:
        np.testing.assert_array_equal(first.image, second.image)


def test_a_long_clip_comes_back_to_where_it_was(tmp_path: Path) -> None:
    write_clip(tmp_path / "long.mp4", 480, width=64, height=64)
    with open_video(tmp_path / "long.mp4") as video:
        images = [frame.image.astype(int) for frame in video]
    assert len(images) == 480
    assert np.abs(images[0] - images[-1]).mean() < np.abs(images[0] - images[240]).mean()
