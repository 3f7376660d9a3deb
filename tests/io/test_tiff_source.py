"""Of a TIFF the pages are read, and what is there to help with them is not; a page by itself is read the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heatprop.errors import SourceError
from heatprop.io import open_video
from heatprop.io.image_files import inspect_image, read_image
from small_videos import number_of, paint
from tiff_files import Page, tiff, tiff_of

SMALLER, MASK = {254: 1}, {254: 4}
PAGES = [Page(paint(number), {}, rows=10) for number in range(3)]
THUMBNAIL = Page(paint(9, 16, 12), SMALLER)
OUTLINE = Page(np.full((48, 64), 255, np.uint8), MASK)
NOISE = np.random.default_rng().integers(1, 256, (30, 40, 3), np.uint8)


def write(folder: Path, data: bytes, name: str = "a.tif") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def frames_of(path: Path) -> tuple[list[np.ndarray], int, list[str]]:
    with open_video(path) as video:
        return [frame.image for frame in video], video.skipped, list(video.notes)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "helpers", [(THUMBNAIL,), (OUTLINE,), (THUMBNAIL, OUTLINE), (Page(paint(9, 16, 12), {255: 2}),)]
)
def test_smaller_copies_and_masks_are_no_images(
    helpers: tuple[Page, ...], order: str, big: bool, tmp_path: Path
) -> None:
    one = write(tmp_path, tiff_of([PAGES[0], *helpers], order, big=big), "one.tif")
    first = write(tmp_path, tiff_of([*helpers, PAGES[0]], order, big=big), "first.tif")
    for path in (one, first):
        (image,), skipped, notes = frames_of(path)
        assert (image == PAGES[0].image).all()
        assert (skipped, notes) == (0, [])
        for quick in (False, True):
            state = inspect_image(path, quick=quick)
            assert (state.size, state.problem, state.holds_several) == ((64, 48), None, False)
    three = write(tmp_path, tiff_of([each for page in PAGES for each in (page, *helpers)], order, big=big))
    images, skipped, notes = frames_of(three)
    assert [number_of(image) for image in images] == [0, 1, 2]
    assert {image.shape for image in images} == {(48, 64, 3)}
    assert (skipped, notes) == (0, [])
    assert inspect_image(three).holds_several


def test_a_file_of_nothing_but_a_smaller_copy_is_an_image(tmp_path: Path) -> None:
    assert read_image(write(tmp_path, tiff_of([THUMBNAIL]))).shape == (12, 16, 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("several", [False, True])
def test_0_is_white_where_the_file_says_so_in_any_depth(several: bool, dtype: type, tmp_path: Path) -> None:
    grey = NOISE[..., 0]
    grey[0, :2] = 0, 255
    stored = grey.astype(dtype) * (257 if dtype is np.uint16 else 1)
    images, _, _ = frames_of(write(tmp_path, tiff_of([Page(stored, {262: 0})] * (1 + several))))
    assert len(images) == 1 + several
    assert all((image == 255 - grey[..., None]).all() for image in images)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("alpha", [0, 1, 2])
@pytest.mark.parametrize("several", [False, True])
def test_colours_stand_as_they_are_stored_whatever_their_transparency(
    several: bool, alpha: int, dtype: type, tmp_path: Path
) -> None:
    factor = 257 if dtype is np.uint16 else 1
    NOISE[0, 0] = 255
    clear = np.dstack([NOISE, np.zeros(NOISE.shape[:2], np.uint8)]).astype(dtype) * factor
    images, _, _ = frames_of(write(tmp_path, tiff_of([Page(clear, {338: alpha})] * (1 + several))))
    assert len(images) == 1 + several
    assert all((image == NOISE).all() for image in images)


@pytest.mark.parametrize("orientation", [3, 6])
def test_pages_are_turned_as_the_image_by_itself_is(orientation: int, tmp_path: Path) -> None:
    wanted = read_image(write(tmp_path, tiff(paint(1), orientation), "one.tif"))
    pages = [Page(paint(number), {274: orientation}) for number in (1, 2)]
    images, _, _ = frames_of(write(tmp_path, tiff_of(pages)))
    assert (images[0] == wanted).all()
    assert images[1].shape == wanted.shape == ((64, 48, 3) if orientation == 6 else (48, 64, 3))


def test_a_damaged_page_is_skipped_and_counted_and_its_time_stays_empty(tmp_path: Path) -> None:
    data = tiff_of([Page(paint(number), {}) for number in range(4)])
    pixels = data.index(paint(1).tobytes())
    place = data.index(pixels.to_bytes(4, "little"))
    path = write(tmp_path, data[:place] + (1 << 30).to_bytes(4, "little") + data[place + 4 :])
    with open_video(path) as video:
        frames = list(video)
        assert [number_of(frame.image) for frame in frames] == [0, 2, 3]
        assert [frame.time for frame in frames] == pytest.approx([0, 2 / 25, 3 / 25])
        assert [frame.index for frame in frames] == [0, 1, 2]
        assert (video.skipped, video.info.frame_count) == (1, 4)


def test_a_file_whose_pages_are_all_damaged_is_an_error_of_one_line(tmp_path: Path) -> None:
    data = tiff_of([Page(paint(number), {259: 7}) for number in range(2)])
    with pytest.raises(SourceError, match="none of its images can be decoded") as caught:
        open_video(write(tmp_path, data))
    assert "\n" not in str(caught.value)


def test_directories_in_a_circle_end(tmp_path: Path) -> None:
    data = tiff_of(PAGES[:2])
    first = int.from_bytes(data[4:8], "little")
    images, _, _ = frames_of(write(tmp_path, data[:-4] + first.to_bytes(4, "little")))
    assert [number_of(image) for image in images] == [0, 1]
