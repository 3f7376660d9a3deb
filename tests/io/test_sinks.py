"""What is written can be read back: count, times, size, colours and sound; and nothing half-done is left."""

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from heatprop.errors import InvalidArrayError, OutputError, OutputExistsError
from heatprop.io import SourceInfo, VideoSink, open_video
from heatprop.io.encoding import VideoWriter, choose_encoder, choose_time_base
from heatprop.io.sinks import fit_image
from small_videos import build_video, number_of, paint, red_corner, turn_video

COUNT = 12
INFO = SourceInfo("made", 64, 48, Fraction(25), COUNT, COUNT / 25, is_live=False, has_audio=False)


def copy_video(source: Path | str, target: Path, *, limit: int | None = None, **options: object) -> VideoSink:
    """Read a source and write its frames, all or the first few."""
    with open_video(source) as video, VideoSink(target, video.info, **options) as sink:
        for frame in video:
            if limit is not None and frame.index >= limit:
                break
            sink.write(frame.image, frame.time)
    return sink


def sound_packets(path: Path) -> list[tuple[float, bytes]]:
    """Start, in seconds after the first picture, and data of each packet of sound."""
    with open_video(path) as video, av.open(str(path)) as container:
        packets = [packet for packet in container.demux(container.streams.audio[0]) if packet.size]
        start = video.info.start_time
        return [(float(p.pts * p.time_base) - start, bytes(p)) for p in packets]


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv", ".MP4"])
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
    tolerance = 6e-4 if suffix == ".mkv" else 1e-9
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


# Sound


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(("source_suffix", "codec"), [(".mp4", "aac"), (".ts", "aac"), (".mkv", "libmp3lame")])
def test_sound_that_fits_is_copied(tmp_path: Path, suffix: str, source_suffix: str, codec: str) -> None:
    source = build_video(tmp_path / f"clip{source_suffix}", 50, audio=codec)
    sink = copy_video(source, tmp_path / f"out{suffix}")
    assert sink.audio_note is None
    # A transport stream puts a header of 7 bytes before each packet of AAC, the others do not.
    header = 7 if source_suffix == ".ts" else 0
    before = [(time, data[header:]) for time, data in sound_packets(source)]
    after = sound_packets(tmp_path / f"out{suffix}")
    assert len(after) >= len(before) - 2
    lost = next(number for number, (_, data) in enumerate(before) if data == after[0][1])
    kept = before[lost : lost + len(after)]
    assert [data for _, data in after] == [data for _, data in kept]
    assert [time for time, _ in after] == pytest.approx([time for time, _ in kept], abs=2e-3)


@pytest.mark.parametrize("codec", ["pcm_s16le", "flac", "mp2"])
def test_sound_that_does_not_fit_becomes_aac(tmp_path: Path, codec: str) -> None:
    source = build_video(tmp_path / "clip.mkv", 50, audio=codec)
    sink = copy_video(source, tmp_path / "out.mp4")
    assert sink.audio_note is None
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        chunks = [chunk.to_ndarray()[0] for chunk in container.decode(audio=0)]
    wave = np.concatenate(chunks)
    assert len(wave) / 48_000 == pytest.approx(2.0, abs=0.06)
    middle = wave[24_000:72_000]
    assert np.argmax(np.abs(np.fft.rfft(middle))) == 440


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_sound_that_starts_late_stays_late(tmp_path: Path, codec: str) -> None:
    source = build_video(tmp_path / "clip.mkv", 50, audio=codec, audio_seconds=1.0, audio_start=0.7)
    copy_video(source, tmp_path / "out.mp4")
    before, after = sound_packets(source), sound_packets(tmp_path / "out.mp4")
    assert after[0][0] == pytest.approx(before[0][0], abs=0.03)
    assert after[-1][0] == pytest.approx(before[-1][0], abs=0.06)


def test_pictures_that_start_late_move_the_sound_with_them(tmp_path: Path) -> None:
    ticks = [12_800 + 512 * number for number in range(50)]
    source = build_video(tmp_path / "clip.mkv", 50, ticks=ticks, audio="aac", audio_seconds=3.0)
    copy_video(source, tmp_path / "out.mp4")
    before, after = sound_packets(source), sound_packets(tmp_path / "out.mp4")
    shared = {data: time for time, data in before}
    assert len(after) > 80
    assert [time for time, _ in after] == pytest.approx([shared[data] for _, data in after], abs=2e-3)
    with open_video(tmp_path / "out.mp4") as video:
        assert len(list(video)) == 50


def test_sound_ends_with_the_last_picture_when_not_all_are_written(tmp_path: Path) -> None:
    source = build_video(tmp_path / "clip.mp4", 100, audio="aac")
    copy_video(source, tmp_path / "out.mp4", limit=25)
    after = sound_packets(tmp_path / "out.mp4")
    assert 0.9 < after[-1][0] <= 1.0


def test_sound_longer_than_the_pictures_is_kept_when_all_are_written(tmp_path: Path) -> None:
    source = build_video(tmp_path / "clip.mp4", 25, audio="aac", audio_seconds=2.0)
    copy_video(source, tmp_path / "out.mp4")
    assert len(sound_packets(tmp_path / "out.mp4")) == len(sound_packets(source))


def test_sound_can_come_from_elsewhere_or_be_left_out(tmp_path: Path) -> None:
    silent = build_video(tmp_path / "silent.mp4", 25)
    tone = build_video(tmp_path / "tone.mp4", 50, audio="aac")
    copy_video(silent, tmp_path / "with.mp4", audio_from=tone)
    with open_video(tmp_path / "with.mp4") as video:
        assert video.info.has_audio
    with (
        open_video(tone) as video,
        VideoSink(tmp_path / "without.mp4", replace(video.info, has_audio=False)) as sink,
    ):
        for frame in video:
            sink.write(frame.image, frame.time)
    with open_video(tmp_path / "without.mp4") as video:
        assert not video.info.has_audio


def test_sound_over_http_is_kept(tmp_path: Path, serve: Callable[[Path], str]) -> None:
    source = build_video(tmp_path / "clip.mp4", 25, audio="aac")
    sink = copy_video(f"{serve(tmp_path)}/clip.mp4", tmp_path / "out.mp4")
    assert sink.audio_note is None
    assert len(sound_packets(tmp_path / "out.mp4")) == len(sound_packets(source))


@pytest.mark.parametrize("kind", ["missing", "text", "silent"])
def test_sound_that_cannot_be_read_is_noted_and_the_pictures_written(tmp_path: Path, kind: str) -> None:
    source = build_video(tmp_path / "clip.mp4")
    other = tmp_path / "other.mp4"
    if kind == "text":
        other.write_text("no sound here\n" * 100)
    elif kind == "silent":
        build_video(other)
    sink = copy_video(source, tmp_path / "out.mp4", audio_from=other)
    assert sink.audio_note is not None
    assert "written without sound" in sink.audio_note
    with open_video(tmp_path / "out.mp4") as video:
        assert len(list(video)) == COUNT


def test_the_sound_of_a_live_source_is_not_kept_and_noted(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "out.mp4", replace(INFO, is_live=True, has_audio=True)) as sink:
        sink.write(paint(0), 0.0)
    assert sink.audio_note is not None
    assert "live" in sink.audio_note


@pytest.mark.skipif(sys.platform == "win32", reason="has no such files")
def test_a_pipe_is_read_once_and_its_sound_is_noted(tmp_path: Path) -> None:
    clip = build_video(tmp_path / "clip.ts", 200, audio="aac")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    feeder = threading.Thread(target=lambda: pipe.write_bytes(clip.read_bytes()), daemon=True)
    feeder.start()
    with open_video(pipe) as video:
        assert video.info.is_live
        with VideoSink(tmp_path / "out.mp4", video.info) as sink:
            for frame in video:
                sink.write(frame.image, frame.time)
    feeder.join()
    assert frame.index == 199
    assert sink.audio_note == "written without sound: a live source or a pipe cannot be read twice"


def test_damaged_sound_is_noted_and_the_pictures_written(tmp_path: Path) -> None:
    source = build_video(tmp_path / "clip.mkv", 50, audio="flac")
    data = bytearray(source.read_bytes())
    for _, packet in sound_packets(source)[3:9]:
        place = data.index(packet[:200])
        data[place : place + 20] = bytes(20)
    source.write_bytes(data)
    sink = copy_video(source, tmp_path / "out.mp4")
    assert sink.audio_note is not None
    assert "damaged parts of the sound were left out" in sink.audio_note
    with open_video(tmp_path / "out.mp4") as video:
        assert len(list(video)) == 50
        assert video.info.has_audio


# Whole or not at all


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_keeps_what_was_finished(tmp_path: Path, error: type[BaseException]) -> None:
    source = build_video(tmp_path / "clip.mp4", 100, audio="aac")
    before = threading.active_count()

    def work() -> None:
        with open_video(source) as video, VideoSink(tmp_path / "out.mp4", video.info) as sink:
            for frame in video:
                if frame.index == 30:
                    raise error
                sink.write(frame.image, frame.time)

    with pytest.raises(error):
        work()
    assert threading.active_count() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]
    with open_video(tmp_path / "out.mp4") as video:
        assert [frame.index for frame in video] == list(range(30))
    assert sound_packets(tmp_path / "out.mp4")[-1][0] <= 30 / 25


def test_an_interruption_of_closing_keeps_the_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = VideoSink(tmp_path / "out.mp4", INFO)
    for number in range(COUNT):
        sink.write(paint(number), number / 25)
    interruptions = [KeyboardInterrupt()]
    join = threading.Thread.join

    def join_interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
        if interruptions:
            raise interruptions.pop()
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", join_interrupted)
    with pytest.raises(KeyboardInterrupt):
        sink.close()
    sink.close()
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    with open_video(tmp_path / "out.mp4") as video:
        assert len(list(video)) == COUNT


def test_nothing_written_leaves_nothing(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "out.mp4", INFO):
        pass
    assert list(tmp_path.iterdir()) == []


def test_discarding_leaves_nothing_and_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    (tmp_path / "out.mp4").write_text("precious")
    sink = VideoSink(tmp_path / "out.mp4", INFO, overwrite=True)
    for number in range(COUNT):
        sink.write(paint(number), number / 25)
    sink.discard()
    sink.discard()
    sink.close()
    assert threading.active_count() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_text() == "precious"


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_text("precious")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        VideoSink(target, INFO)
    assert target.read_text() == "precious"
    with VideoSink(target, INFO, overwrite=True) as sink:
        sink.write(paint(0), 0.0)
        assert target.read_text() == "precious"
    with open_video(target) as video:
        assert len(list(video)) == 1


def test_closing_twice_is_fine_and_writing_after_it_is_not(tmp_path: Path) -> None:
    before = threading.active_count()
    sink = VideoSink(tmp_path / "out.mp4", INFO)
    sink.write(paint(0), 0.0)
    sink.close()
    sink.close()
    assert threading.active_count() == before
    with pytest.raises(OutputError, match="is closed"):
        sink.write(paint(1), 0.04)


def test_the_caller_may_draw_on_after_writing(tmp_path: Path) -> None:
    image = paint(2)
    with VideoSink(tmp_path / "out.mp4", INFO) as sink:
        for number in range(COUNT):
            image[:] = paint(number)
            sink.write(image, number / 25)
            image[:] = 0
    with open_video(tmp_path / "out.mp4") as video:
        assert [number_of(frame.image) for frame in video] == list(range(COUNT))


@pytest.mark.parametrize("name", ["out", "out.gif", "out.jpg", "out.webm", "out.txt"])
def test_an_unknown_suffix_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"use \.mp4"):
        VideoSink(tmp_path / name, INFO)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_picture_or_no_time_is_refused(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "out.mp4", INFO) as sink:
        with pytest.raises(InvalidArrayError):
            sink.write(np.zeros((4, 4), np.uint8), 0.0)
        for time in (float("nan"), float("inf"), -1.0):
            with pytest.raises(InvalidArrayError, match="time is"):
                sink.write(paint(0), time)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_is_an_error_of_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    code = """
        import resource, sys
        from fractions import Fraction
        import numpy as np
        from heatprop.errors import OutputError
        from heatprop.io import SourceInfo, VideoSink
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        info = SourceInfo("made", 320, 240, Fraction(25), None, None, is_live=False, has_audio=False)
        noise = np.random.default_rng(0)
        try:
            with VideoSink(sys.argv[1], info) as sink:
                for number in range(200):
                    sink.write(noise.integers(0, 255, (240, 320, 3), np.uint8), number / 25)
        except OutputError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), tmp_path / "out.mp4"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "cannot write the video (File too large)" in done.stdout
    assert done.stdout.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


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
    assert tick <= Fraction(1, 90_000)
    assert tick.denominator < 2**31
    if rate.numerator < 1_000_000:
        assert (1 / (rate * tick)).denominator == 1
    assert choose_time_base(rate, 65_535).denominator <= 65_535
