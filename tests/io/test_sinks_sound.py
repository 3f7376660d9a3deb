"""The sound of a source goes along with its frames, or a note says why it does not."""

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from heatprop.io import VideoSink, open_video
from small_videos import build_video, paint
from written_videos import COUNT, INFO, copy_video, sound_packets


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


@pytest.mark.parametrize(("codec", "is_copied"), [("aac", False), ("pcm_s16le", False), ("libopus", True)])
def test_the_sound_of_webm_is_opus(tmp_path: Path, codec: str, is_copied: bool) -> None:
    source = build_video(tmp_path / "clip.mkv", 50, audio=codec)
    sink = copy_video(source, tmp_path / "out.webm")
    assert sink.audio_note is None
    with av.open(str(tmp_path / "out.webm")) as container:
        assert container.format.name == "matroska,webm"
        assert container.streams.video[0].codec_context.name == "vp9"
        assert container.streams.audio[0].codec_context.name == "opus"
        wave = np.concatenate([chunk.to_ndarray()[0] for chunk in container.decode(audio=0)])
    assert len(wave) / 48_000 == pytest.approx(2.0, abs=0.06)
    assert np.argmax(np.abs(np.fft.rfft(wave[24_000:72_000]))) == 440
    before = {data for _, data in sound_packets(source)}
    assert (len(before & {data for _, data in sound_packets(tmp_path / "out.webm")}) > 40) is is_copied


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
