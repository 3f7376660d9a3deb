"""Frames that are written can be read back: count, times, size and colours."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from heatprop.errors import InvalidArrayError, OutputError
from heatprop.io import VideoSink, open_video
from heatprop.io.encoders import choose_encoder, choose_time_base
from heatprop.io.encoding import VideoWriter
from heatprop.io.sinks import fit_image
from small_videos import build_video, number_of, paint, red_corner, turn_video
from written_videos import COUNT, INFO, copy_video, decoded_times


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv", ".webm", ".MP4"])
@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30_000, 1001), Fraction(24_000, 1001), Fraction(7)])
def test_frames_and_times_come_back(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    source = build_video(tmp_path / "clip.mkv", rate=rate, time_base=Fraction(1, 120_000))
    info = replace(INFO, frame_rate=rate)
    target = tmp_path / f"out{suffix}"
    with VideoSink(target, info) as sink:
        for number in range(COUNT):
            sink.write(paint(number), float(number / rate))
    with open_video(target) as video:
        frames = list(video)
        assert float(video.info.frame_rate or 0) == pytest.approx(float(rate), rel=1e-3)
        assert video.info.frame_count == COUNT
    assert [number_of(frame.image) for frame in frames] == list(range(COUNT))
    tolerance = 6e-4 if suffix in (".mkv", ".webm") else 1e-9
    assert [f.time for f in frames] == pytest.approx([float(n / rate) for n in range(COUNT)], abs=tolerance)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mkv", target.name]
    assert source.exists()


def test_a_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    ticks = [0, 100, 1500, 1600, 9000, 9002, 40_000, 90_000]
    source = build_video(tmp_path / "clip.mp4", len(ticks), ticks=ticks, time_base=Fraction(1, 90_000))
    copy_video(source, tmp_path / "out.mp4")
    with open_video(tmp_path / "out.mp4") as video:
        times = [frame.time for frame in video]
    # A tick of the output is at most 1/90000 s.
    assert times == pytest.approx([tick / 90_000 for tick in ticks], abs=0.6 / 90_000)


def test_times_that_do_not_rise_lose_no_frame(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "out.mp4", INFO) as sink:
        for number, time in enumerate([0.0, 0.04, 0.04, 0.02, 0.2]):
            sink.write(paint(number), time)
    with open_video(tmp_path / "out.mp4") as video:
        assert [number_of(frame.image) for frame in video] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("width", "height"), [(64, 48), (1280, 720)])
def test_colours_come_back(tmp_path: Path, width: int, height: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (10, 10, 10), (200, 100, 50)]
    for number, colour in enumerate(colours):
        image[:, number * 10 : number * 10 + 10] = colour
    with VideoSink(tmp_path / "out.mp4", replace(INFO, width=width, height=height), crf=1) as sink:
        sink.write(image, 0.0)
    with open_video(tmp_path / "out.mp4") as video:
        back = next(iter(video)).image
    for number, colour in enumerate(colours):
        assert back[height // 2, number * 10 + 5].tolist() == pytest.approx(colour, abs=6)
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        tags = (context.colorspace, context.color_primaries, context.color_trc, context.color_range)
    assert tags == ((1, 1, 1, 1) if height == 720 else (5, 6, 6, 1))


def test_odd_sides_are_made_even_by_repeating_the_edge(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "out.mp4", replace(INFO, width=63, height=47)) as sink:
        sink.write(paint(3, 63, 47), 0.0)
    with open_video(tmp_path / "out.mp4") as video:
        image = next(iter(video)).image
    assert image.shape == (48, 64, 3)
    assert image[-1, -1].tolist() == pytest.approx([76] * 3, abs=4)


def test_frames_of_another_size_are_fitted_into_the_first(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "out.mp4", INFO) as sink:
        for number, (width, height) in enumerate([(64, 48), (128, 96), (30, 48), (333, 10)]):
            sink.write(paint(number, width, height), number / 25)
    with open_video(tmp_path / "out.mp4") as video:
        images = [frame.image for frame in video]
    assert [image.shape for image in images] == [(48, 64, 3)] * 4
    assert number_of(images[1]) == 1
    assert images[2][24, 2].tolist() == pytest.approx([0, 0, 0], abs=6)
    assert images[2][24, 40].tolist() == pytest.approx([64] * 3, abs=6)


def test_the_size_can_be_chosen(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "out.mp4", INFO, width=32, height=24) as sink:
        sink.write(paint(5), 0.0)
    with open_video(tmp_path / "out.mp4") as video:
        assert next(iter(video)).image.shape == (24, 32, 3)


def test_fitting_copies() -> None:
    image = paint(0)
    fitted = fit_image(image, 64, 48)
    np.testing.assert_array_equal(fitted, image)
    assert not np.shares_memory(fitted, image)


def test_a_turned_video_is_written_upright(tmp_path: Path) -> None:
    source = turn_video(build_video(tmp_path / "clip.mp4"), 90)
    copy_video(source, tmp_path / "out.mp4")
    with open_video(tmp_path / "out.mp4") as video:
        frames = list(video)
    assert {frame.image.shape for frame in frames} == {(64, 48, 3)}
    assert {red_corner(frame.image) for frame in frames} == {"top right"}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize(
    "times",
    [
        [512.0 * n for n in range(20)] + [24_000.0 + 512 * n for n in range(20)],
        [0.0, 0.0, 1e-5, 2e-5, 0.5, 0.4, 90_000.0, 90_000.04, 400_000.0],
    ],
)
def test_each_frame_written_is_one_whatever_its_time(tmp_path: Path, suffix: str, times: list[float]) -> None:
    for rate in (Fraction(25), Fraction(1, 512)):
        with VideoSink(tmp_path / f"out{suffix}", replace(INFO, frame_rate=rate), overwrite=True) as sink:
            for number, time in enumerate(times):
                sink.write(paint(number), time)
        assert len(decoded_times(tmp_path / f"out{suffix}")) == len(times)
        with open_video(tmp_path / f"out{suffix}") as video:
            assert len(list(video)) == len(times)


@pytest.mark.parametrize(("width", "height"), [(16_386, 16), (16, 20_000)])
def test_frames_larger_than_a_video_can_be_are_refused_before_any_work(
    tmp_path: Path, width: int, height: int
) -> None:
    with pytest.raises(OutputError, match=f"{width} x {height} pixels, .* at most 16384 wide and high"):
        VideoSink(tmp_path / "out.mp4", replace(INFO, width=width, height=height))
    assert list(tmp_path.iterdir()) == []


def test_the_largest_frame_is_written(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "out.mp4", replace(INFO, width=16_384, height=16)) as sink:
        sink.write(np.zeros((16, 16_384, 3), np.uint8), 0.0)
    assert len(decoded_times(tmp_path / "out.mp4")) == 1


# Refused


def test_the_caller_may_draw_on_after_writing(tmp_path: Path) -> None:
    image = paint(2)
    with VideoSink(tmp_path / "out.mp4", INFO) as sink:
        for number in range(COUNT):
            image[:] = paint(number)
            sink.write(image, number / 25)
            image[:] = 0
    with open_video(tmp_path / "out.mp4") as video:
        assert [number_of(frame.image) for frame in video] == list(range(COUNT))


@pytest.mark.parametrize("name", ["out", "out.gif", "out.jpg", "out.avi", "out.txt"])
def test_an_unknown_suffix_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"use \.mp4"):
        VideoSink(tmp_path / name, INFO)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_image_or_no_time_is_refused(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "out.mp4", INFO) as sink:
        with pytest.raises(InvalidArrayError):
            sink.write(np.zeros((4, 4), np.uint8), 0.0)
        for time in (float("nan"), float("inf"), -1.0):
            with pytest.raises(InvalidArrayError, match="time is"):
                sink.write(paint(0), time)


# Choices


def test_an_encoder_is_found_where_x264_is_missing(tmp_path: Path) -> None:
    assert choose_encoder({"mpeg4", "libx264", "aac"}) == "libx264"
    assert choose_encoder({"mpeg4", "aac"}) == "mpeg4"
    with pytest.raises(OutputError, match="none of the encoders"):
        choose_encoder({"aac"})
    writer = VideoWriter(tmp_path / "out.mp4", 64, 48, Fraction(25), crf=23, preset="superfast", encoder="mpeg4")
    for number in range(COUNT):
        writer.write(paint(number), number / 25)
    writer.finish(whole=True)
    writer.close()
    with open_video(tmp_path / "out.mp4") as video:
        frames = list(video)
    assert [number_of(frame.image) for frame in frames] == list(range(COUNT))
    assert [frame.time for frame in frames] == pytest.approx([n / 25 for n in range(COUNT)], abs=1e-4)


@pytest.mark.parametrize(
    "rate", [Fraction(25), Fraction(24_000, 1001), Fraction(1, 60), Fraction(3_571_428, 119_999)]
)
def test_the_clock_is_fine_and_frames_fall_on_it(rate: Fraction) -> None:
    tick = choose_time_base(rate)
    assert tick <= (Fraction(1, 90_000) if rate >= 1 else Fraction(1, 1000))
    assert tick.denominator < 2**31
    if rate.numerator < 1_000_000:
        assert (1 / (rate * tick)).denominator == 1
    assert choose_time_base(rate, 65_535).denominator <= 65_535
