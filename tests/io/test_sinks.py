"""What is written can be read back: count, times, size, colours and sound; and nothing half-done is left."""

import os
import signal
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
from heatprop.io.completeness import Completeness, OutputState, state_of
from heatprop.io.encoders import choose_encoder, choose_time_base
from heatprop.io.encoding import VideoWriter
from heatprop.io.results import ResultsHeader
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
    """Start, in seconds after the first frame, and data of each packet of sound."""
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


def test_frames_that_start_late_move_the_sound_with_them(tmp_path: Path) -> None:
    ticks = [12_800 + 512 * number for number in range(50)]
    source = build_video(tmp_path / "clip.mkv", 50, ticks=ticks, audio="aac", audio_seconds=3.0)
    copy_video(source, tmp_path / "out.mp4")
    before, after = sound_packets(source), sound_packets(tmp_path / "out.mp4")
    shared = {data: time for time, data in before}
    assert len(after) > 80
    assert [time for time, _ in after] == pytest.approx([shared[data] for _, data in after], abs=2e-3)
    with open_video(tmp_path / "out.mp4") as video:
        assert len(list(video)) == 50


def test_sound_ends_with_the_last_frame_when_not_all_are_written(tmp_path: Path) -> None:
    source = build_video(tmp_path / "clip.mp4", 100, audio="aac")
    copy_video(source, tmp_path / "out.mp4", limit=25)
    after = sound_packets(tmp_path / "out.mp4")
    assert 0.9 < after[-1][0] <= 1.0


def test_sound_longer_than_the_frames_is_kept_when_all_are_written(tmp_path: Path) -> None:
    source = build_video(tmp_path / "clip.mp4", 25, audio="aac", audio_seconds=2.0)
    copy_video(source, tmp_path / "out.mp4")
    assert len(sound_packets(tmp_path / "out.mp4")) == len(sound_packets(source))


def test_sound_can_come_from_elsewhere_or_be_skipped(tmp_path: Path) -> None:
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
def test_sound_that_cannot_be_read_is_noted_and_the_frames_written(tmp_path: Path, kind: str) -> None:
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


def test_damaged_sound_is_noted_and_the_frames_written(tmp_path: Path) -> None:
    source = build_video(tmp_path / "clip.mkv", 50, audio="flac")
    data = bytearray(source.read_bytes())
    for _, packet in sound_packets(source)[3:9]:
        place = data.index(packet[:200])
        data[place : place + 20] = bytes(20)
    source.write_bytes(data)
    sink = copy_video(source, tmp_path / "out.mp4")
    assert sink.audio_note is not None
    assert "damaged parts of the sound were skipped" in sink.audio_note
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
    state = state_of(tmp_path / "out.mp4")
    assert (state.completeness, state.frames) == (Completeness.UNFINISHED, 30)
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


def test_what_is_no_image_or_no_time_is_refused(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "out.mp4", INFO) as sink:
        with pytest.raises(InvalidArrayError):
            sink.write(np.zeros((4, 4), np.uint8), 0.0)
        for time in (float("nan"), float("inf"), -1.0):
            with pytest.raises(InvalidArrayError, match="time is"):
                sink.write(paint(0), time)


def encode_noise(target: Path, *, then: str = "") -> subprocess.CompletedProcess[str]:
    """Write 100 frames of noise, of about 30 kB each, in a process of its own that does `then` at the 60th."""
    code = f"""
        import os, resource, signal, sys, time
        from fractions import Fraction
        import numpy as np
        from heatprop.errors import OutputError
        from heatprop.io import SourceInfo, VideoSink
        info = SourceInfo("made", 320, 240, Fraction(25), None, None, is_live=False, has_audio=False)
        noise = np.random.default_rng(0)
        try:
            with VideoSink(sys.argv[1], info) as sink:
                for number in range(100):
                    sink.write(noise.integers(0, 255, (240, 320, 3), np.uint8), number / 25)
                    if number == 60:
                        {then or "pass"}
        except OutputError as error:
            print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), target]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def decoded_times(path: Path) -> list[float]:
    """Return the times of the frames in a video that was perhaps never closed, each once and rising."""
    with av.open(str(path)) as container:
        times = [float(frame.time or 0) for frame in container.decode(video=0)]
    assert times == sorted(set(times))
    return times


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv"])
def test_a_full_disk_is_an_error_of_one_line_and_keeps_what_was_done(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))"
    done = encode_noise(target, then=limit)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"out{suffix}: cannot write the video (File too large" in done.stdout
    assert "ulimit -f); what was done until then is kept, unfinished" in done.stdout
    assert done.stdout.count("\n") == 1
    assert list(tmp_path.iterdir()) == [target]
    assert state_of(target).completeness is Completeness.UNFINISHED
    times = decoded_times(target)
    assert times == pytest.approx([number / 25 for number in range(len(times))], abs=1e-3)
    assert len(times) >= 25


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_disk_too_full_for_a_frame_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    code = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); "
    code += "from heatprop.io import SourceInfo, VideoSink; import numpy as np; from fractions import Fraction\n"
    code += "noise = np.random.default_rng(0)\n"
    code += "info = SourceInfo('made', 320, 240, Fraction(25), None, None, is_live=False, has_audio=False)\n"
    code += "with VideoSink(sys.argv[1], info) as sink:\n"
    code += "    for number in range(30): sink.write(noise.integers(0, 255, (240, 320, 3), np.uint8), number / 25)"
    done = subprocess.run([sys.executable, "-c", code, target], capture_output=True, text=True, check=False)
    assert "nothing is written" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv"])
def test_a_killed_run_leaves_a_video_that_plays_up_to_the_last_second(tmp_path: Path, suffix: str) -> None:
    # It is killed a moment after the 60th frame, when the encoder has had the time to take it.
    done = encode_noise(tmp_path / f"out{suffix}", then="time.sleep(0.5); os.kill(os.getpid(), signal.SIGKILL)")
    assert done.returncode == -signal.SIGKILL
    left = tmp_path / f"out.part{suffix}"
    assert list(tmp_path.iterdir()) == [left]
    assert state_of(left).completeness is Completeness.UNFINISHED
    times = decoded_times(left)
    assert times == pytest.approx([number / 25 for number in range(len(times))], abs=1e-3)
    assert len(times) >= 60 - 25


def test_frames_and_sound_of_a_killed_run_fit(tmp_path: Path) -> None:
    source = build_video(tmp_path / "clip.mkv", 100, audio="aac")
    code = """
        import os, signal, sys, time
        from heatprop.io import VideoSink, open_video
        with open_video(sys.argv[1]) as video, VideoSink(sys.argv[2], video.info) as sink:
            for frame in video:
                sink.write(frame.image, frame.time)
                if frame.index == 60:
                    time.sleep(0.5)
                    os.kill(os.getpid(), signal.SIGKILL)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), source, tmp_path / "out.mp4"]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    before = {data: time for time, data in sound_packets(source)}
    after = sound_packets(tmp_path / "out.part.mp4")
    assert len(after) > 60
    assert [time for time, _ in after] == pytest.approx([before[data] for _, data in after], abs=2e-3)


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv"])
def test_a_whole_video_says_so_with_what_made_it(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    header = ResultsHeader("tiny", ["cat"], settings={"alpha": 0.5})
    sink = VideoSink(target, INFO)
    for number in range(COUNT):
        sink.write(paint(number), number / 25)
    sink.close(header=header)
    assert state_of(target) == OutputState(Completeness.COMPLETE, COUNT, header)
    with av.open(str(target)) as container:  # and it can be sought in
        container.seek(int(0.3 * av.time_base))
        assert next(container.decode(video=0)).time is not None
        assert container.duration == pytest.approx(COUNT / 25 * av.time_base, rel=0.02)
    copy = tmp_path / f"copy{suffix}"
    copy.write_bytes(target.read_bytes()[:-30])
    assert state_of(copy).completeness is Completeness.UNKNOWN


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
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
