"""Images deeper than 8 bits that belong together have one scale, which leaves nothing out unless it is said."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from heatprop.io import open_video
from heatprop.io.sequence_levels import MAX_SAMPLED
from heatprop.io.sequence_reader import SequenceReader
from tiff_files import Page, tiff_of


def write(folder: Path, values: list[int], bright: int | None = None) -> Path:
    """Write an image of each value, with a pixel of another."""
    for number, value in enumerate(values):
        image = np.full((4, 4, 3), value, np.uint16)
        image[0, 0] = value if bright is None else bright
        assert cv2.imwrite(str(folder / f"{number}.png"), image)
    return folder


@pytest.mark.parametrize("places", [[4], [17], [38], [7, 31]])
@pytest.mark.parametrize("pages", [False, True])
def test_images_far_brighter_than_the_others_keep_what_they_show(
    pages: bool, places: list[int], tmp_path: Path
) -> None:
    values = [60_000 if number in places else 4000 - number for number in range(40)]
    path = write(tmp_path, values)
    if pages:
        path = tmp_path / "a.tif"
        path.write_bytes(tiff_of([Page(np.full((4, 4), value, np.uint16), {}) for value in values]))
    with open_video(path) as video:
        seen = [int(frame.image[1, 1, 0]) for frame in video]
        assert seen == [round(value * 255 / 65535) for value in values]
        assert video.notes == []


def test_of_a_very_long_sequence_it_is_said_how_many_are_brighter_than_those_sampled(tmp_path: Path) -> None:
    count = MAX_SAMPLED + 9
    sampled = set(np.linspace(0, count - 1, MAX_SAMPLED).round().astype(int).tolist())
    others = sorted(set(range(count)) - sampled)
    values = [9000 if number in others[:3] else 3000 for number in range(count)]
    with open_video(write(tmp_path, values)) as video:
        for _ in range(2):
            seen = [int(frame.image[1, 1, 0]) for frame in video]
            assert seen == [255 if value > 4095 else round(value * 255 / 4095) for value in values]
            assert video.notes == [
                "the images hold 12 bits in files of more; they are scaled to these",
                f"3 images hold brighter values than the {MAX_SAMPLED} sampled; these are white",
            ]


def test_a_reader_in_another_process_scales_alike(tmp_path: Path) -> None:
    write(tmp_path, [100, 200, 900, 300], bright=0)
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    reader = SequenceReader(paths)
    other = pickle.loads(pickle.dumps(reader))
    for path, value in zip(paths, (100, 200, 900, 300), strict=True):
        assert reader.read(path)[1, 1, 0] == other.read(path)[1, 1, 0] == round(value * 255 / 1023)


def test_what_cannot_be_read_has_no_say(tmp_path: Path) -> None:
    write(tmp_path, [2000, 3000])
    (tmp_path / "2.png").write_bytes(b"none")
    reader = SequenceReader([tmp_path / f"{number}.png" for number in range(3)])
    assert reader.read(tmp_path / "0.png")[0, 0, 0] == round(2000 * 255 / 4095)
    assert reader.try_read(tmp_path / "2.png") is None
